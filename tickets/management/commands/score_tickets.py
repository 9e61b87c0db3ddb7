"""Management command that counts the winning tickets of past draws."""

from collections import Counter
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from predictions.models import Draw
from predictions.powerball import check_ticket_date, draw_instant
from shiolplus.cli import configure_console_logging, console, iso_date, write_line
from tickets.models.scores import BatchScore
from tickets.scoring.scorer import ScoringOutcome, Verdict, score_draw, score_known_draws

NUMERIC_COLUMNS = ("Tickets", "Prize", "Expected", "Cost")


class Command(BaseCommand):
    help = (
        "Counts the tickets of each batch that won in each prize tier, and their prizes compared to the "
        "expected ones. Without --draw-date, scores every stored draw that has unscored batches. The "
        "clusters score batches when their draw arrives; batches that are up to date are not scored again. "
        "Exits with status 1 if a corrected draw requires scoring a batch again after some of its tickets "
        "were purged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--draw-date",
            type=iso_date,
            metavar="DATE",
            help="Only score this draw. Defaults to all draws with unscored batches.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity, draw_date = options["verbosity"], options["draw_date"]
        configure_console_logging(verbosity)
        outcomes: list[ScoringOutcome] = []
        screen = console(verbosity)
        with screen.status("Scoring tickets …"):
            if draw_date is None:
                score_known_draws(outcomes.append)
            else:
                score_draw(get_past_draw(draw_date), outcomes.append)
        if outcomes:
            screen.print(_table(outcomes))
        summary = _summary(outcomes, draw_date)
        if any(outcome.verdict == Verdict.UNSCORABLE for outcome in outcomes):
            raise CommandError(summary)
        write_line(self.stdout, verbosity, summary)


def get_past_draw(draw_date: date) -> Draw:
    """Return the stored draw of a date. Raise CommandError if there is none yet."""
    try:
        check_ticket_date(draw_date)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if draw_instant(draw_date) > timezone.now():
        raise CommandError(f"The draw of {draw_date} has not taken place yet.")
    draw = Draw.objects.filter(draw_date=draw_date).first()
    if draw is None:
        raise CommandError(f"The draw of {draw_date} is not stored. Run `manage.py import_draws`.")
    return draw


def _table(outcomes: list[ScoringOutcome]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("Draw", "Batch", "Mode", *NUMERIC_COLUMNS):
        table.add_column(title, justify="right" if title in NUMERIC_COLUMNS else "left", no_wrap=True)
    table.add_column("Won")
    table.add_column("Outcome")
    for batch, verdict, score in outcomes:
        cells = [""] * 5 if score is None else _score_cells(score)
        table.add_row(str(batch.draw_date), str(batch.pk), batch.mode, *cells, verdict)
    return table


def _score_cells(score: BatchScore) -> list[str]:
    prize, expected, cost = score.prize_usd, score.expected_usd, score.cost_usd
    return [f"{score.tickets:,}", f"${prize:,}", f"${expected:,.2f}", f"${cost:,}", score.won]


def _summary(outcomes: list[ScoringOutcome], draw_date: date | None) -> str:
    scope = "All stored draws" if draw_date is None else f"Draw of {draw_date}"
    if not outcomes:
        return f"{scope}: no batches to score."
    counts = Counter(outcome.verdict for outcome in outcomes)
    return f"{scope}: {', '.join(f'{counts[verdict]} {verdict}' for verdict in Verdict if counts[verdict])}."
