"""`manage.py score_tickets`: count by hand what the tickets of past draws won."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from predictions.models import Draw
from predictions.powerball import check_ticket_day, draw_instant
from shiolplus.cli import configure_console_logging, console, iso_date, write_line
from tickets.models.scores import BatchScore
from tickets.scoring.scorer import ScoringOutcome, Verdict, score_draw, score_known_draws

FIGURES = ("Tickets", "Prize", "Expected", "Cost")


class Command(BaseCommand):
    help = (
        "Count how many tickets of each batch won in each prize tier, and what that is worth beside what is "
        "expected. Without a date: every stored draw that has batches to be scored. Batches are scored by "
        "themselves when their draw arrives; this does it by hand, and nothing twice. Exits 1 when a batch "
        "would have to be scored again, after a correction of its draw, and some of its tickets were purged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--draw-date", type=iso_date, metavar="D", help="only this draw (default: all that are due)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity, day = options["verbosity"], options["draw_date"]
        configure_console_logging(verbosity)
        outcomes: list[ScoringOutcome] = []
        screen = console(verbosity)
        with screen.status("counting …"):
            if day is None:
                score_known_draws(outcomes.append)
            else:
                score_draw(_stored_draw(day), outcomes.append)
        if outcomes:
            screen.print(_table(outcomes))
        summary = _summary(outcomes, day)
        if any(outcome.verdict == Verdict.UNSCORABLE for outcome in outcomes):
            raise CommandError(summary)
        write_line(self.stdout, verbosity, summary)


def _stored_draw(day: date) -> Draw:
    try:
        check_ticket_day(day)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if draw_instant(day) > timezone.now():
        raise CommandError(f"the draw of {day} has not been held yet; allowed is the day of a past draw")
    draw = Draw.objects.filter(draw_date=day).first()
    if draw is None:
        raise CommandError(f"the draw of {day} is not stored; bring it with `manage.py import_draws`")
    return draw


def _table(outcomes: list[ScoringOutcome]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("Draw", "Batch", "Mode", *FIGURES):
        table.add_column(title, justify="right" if title in FIGURES else "left", no_wrap=True)
    table.add_column("Won")
    table.add_column("Outcome")
    for batch, verdict, score in outcomes:
        figures = [""] * 5 if score is None else _figures(score)
        table.add_row(str(batch.draw_date), str(batch.pk), batch.mode, *figures, verdict)
    return table


def _figures(score: BatchScore) -> list[str]:
    prize, expected, cost = score.prize_usd, score.expected_usd, score.cost_usd
    return [f"{score.tickets:,}", f"${prize:,}", f"${expected:,.2f}", f"${cost:,}", score.won]


def _summary(outcomes: list[ScoringOutcome], day: date | None) -> str:
    scope = "due draws" if day is None else f"the draw of {day}"
    if not outcomes:
        return f"{scope}: nothing to score"
    counts = {verdict: sum(one.verdict == verdict for one in outcomes) for verdict in Verdict}
    return f"{scope}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
