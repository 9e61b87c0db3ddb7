"""An import of draws: each row validated against the era of its date, upserted by date, and reported."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.utils import timezone

from predictions.draws.feed_columns import REQUIRED
from predictions.draws.feed_rows import FeedError, FeedRow, FeedRows, ParsedDraw
from predictions.models import Draw
from predictions.powerball import check_draw_day, check_numbers, draw_instant, era_of

# Share of a file's rows: a bad row or a corrected draw is common, a majority of them is a wrong file.
MOST = 0.5
# With fewer shared dates a contradiction may be one or two corrected draws, which --overwrite is for.
MIN_SHARED_DATES = 3


@dataclass(frozen=True)
class RejectedRow:
    """A row that was not taken, and why; in a conflict with what is stored and what is given."""

    line: int
    reason: str
    stored: ParsedDraw | None = field(default=None, compare=False)
    incoming: ParsedDraw | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ImportedDraw:
    """A row whose draw is new or, with what was stored `before`, changed."""

    line: int
    incoming: ParsedDraw
    stored: ParsedDraw | None = None


@dataclass
class ImportReport:
    """What an import did; `read` is the sum of the five outcomes."""

    source: str
    dry_run: bool = False
    not_modified: bool = False  # the server said that nothing changed since the last import
    unit: str = "line"  # what the `line` of a row counts: "line" or, in JSON, "item"
    unknown_columns: tuple[str, ...] = ()
    new_draws: list[ImportedDraw] = field(default_factory=list)
    changed_draws: list[ImportedDraw] = field(default_factory=list)
    unchanged: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)
    conflicts: list[RejectedRow] = field(default_factory=list)

    @property
    def new(self) -> int:
        return len(self.new_draws)

    @property
    def changed(self) -> int:
        return len(self.changed_draws)

    @property
    def read(self) -> int:
        return self.new + self.changed + self.unchanged + len(self.rejected) + len(self.conflicts)

    @property
    def is_incomplete(self) -> bool:
        """Whether some row was not taken."""
        return bool(self.rejected or self.conflicts)

    @property
    def warning(self) -> str:
        """The columns that were not read because nothing is known of them; empty if there are none."""
        if not self.unknown_columns:
            return ""
        names = ", ".join(self.unknown_columns)
        return f"unknown column{'s' if len(self.unknown_columns) > 1 else ''} ignored: {names[:500]}"

    def summary(self) -> str:
        """One line for people."""
        if self.not_modified:
            return f"{self.source}: not modified since the last import"
        return (
            f"{self.source}: {self.read} read, {self.new} new, {self.changed} changed, "
            f"{self.unchanged} unchanged, {len(self.rejected)} rejected, {len(self.conflicts)} in conflict"
            + (" (dry run: nothing was stored)" if self.dry_run else "")
        )


class ImportRefused(FeedError):
    """A file that is not of this game, or not of these draws; nothing of it was stored."""

    def __init__(self, reason: str, report: ImportReport) -> None:
        super().__init__(f"the file is refused and nothing was stored: {reason}")
        self.report = report


class DrawImporter:
    """One import's passage over the stored draws."""

    def __init__(self, report: ImportReport, overwrite: bool, partial: bool = False) -> None:
        self.report = report
        self.overwrite = overwrite
        self.partial = partial
        self.stored = {draw.draw_date: draw for draw in Draw.objects.all()}
        # What this feed says of a date, and on which line.
        self.given: dict[date, tuple[int, ParsedDraw]] = {}
        self.shared: set[date] = set()  # dates of this feed that were stored before it
        self.contradicted: set[date] = set()  # those of them for which it has other numbers
        self.new: list[Draw] = []
        self.changed: list[Draw] = []

    def run(self, rows: Iterable[FeedRow]) -> list[date]:
        """Take what is valid; returns the dates of the new and the changed draws, ascending.

        Raise ImportRefused, before anything is stored, if the file cannot be Powerball's unless `partial`.
        """
        feed = rows if isinstance(rows, FeedRows) else FeedRows(rows)
        self.report.unit, self.report.unknown_columns = feed.unit, feed.unknown_columns
        for row in feed:
            try:
                if row.draw is None:
                    raise ValueError(row.reason)
                self._import_draw(row.line, row.draw)
            except ValueError as error:
                self.report.rejected.append(RejectedRow(row.line, str(error)))
        if not self.partial and (reason := self._refusal(feed)):
            raise ImportRefused(reason, self.report)
        if not self.report.dry_run:
            Draw.objects.bulk_create(self.new)
            for draw in self.changed:
                draw.save()
        return sorted({draw.draw_date for draw in (*self.new, *self.changed)})

    def _refusal(self, feed: FeedRows) -> str:
        """Return why the whole file is refused, or "".

        A file without any valid row stores nothing anyway: its report, row by row, says more than a refusal.
        """
        rejected, read = len(self.report.rejected), self.report.read
        if feed.other_game_columns:
            names = ", ".join(feed.other_game_columns)
            return f"it has columns of another game: {names}; allowed are {REQUIRED}"
        if read > rejected > MOST * read:
            first = self.report.rejected[0]
            return (
                f"{rejected} of its {read} rows are rejected, more than half, the first of them "
                f"{self.report.unit} {first.line}: {first.reason}"
            )
        if len(self.shared) >= MIN_SHARED_DATES and len(self.contradicted) > MOST * len(self.shared):
            return (
                f"on {len(self.contradicted)} of the {len(self.shared)} dates that are stored already, more "
                "than half, it has other numbers"
            )
        return ""

    def _import_draw(self, line: int, given: ParsedDraw) -> None:
        _check(given)
        self._check_against_feed(line, given)
        draw = self.stored.get(given.draw_date)
        if draw is not None and draw.pk is not None:
            self.shared.add(given.draw_date)
            if not _same_numbers(draw, given):
                self.contradicted.add(given.draw_date)
        if draw is None:
            draw = Draw(draw_date=given.draw_date)
            _fill(draw, given, self.report.source)
            self.stored[given.draw_date] = draw
            self.new.append(draw)
            self.report.new_draws.append(ImportedDraw(line, given))
        elif _same_numbers(draw, given) and given.multiplier in (None, draw.multiplier):
            self.report.unchanged += 1
        elif _same_numbers(draw, given) and draw.multiplier is None:
            self._change(draw, ImportedDraw(line, given, _as_raw(draw)))
            draw.multiplier = given.multiplier
        elif self.overwrite:
            self._change(draw, ImportedDraw(line, given, _as_raw(draw)))
            _fill(draw, given, self.report.source)
        else:
            reason = f"stored is {_text(draw)}; given is {_text(given)}"
            self.report.conflicts.append(RejectedRow(line, reason, _as_raw(draw), given))

    def _check_against_feed(self, line: int, given: ParsedDraw) -> None:
        """Of two lines that contradict each other the first stands, whatever may be overwritten."""
        first_line, first = self.given.setdefault(given.draw_date, (line, given))
        numbers = (given.white_balls, given.powerball)
        if numbers != (first.white_balls, first.powerball):
            raise ValueError(f"{given.draw_date} has other numbers on {self.report.unit} {first_line}")

    def _change(self, draw: Draw, taken: ImportedDraw) -> None:
        if draw.pk is not None:  # one that is new in this very import is stored as it then is
            self.changed.append(draw)
        self.report.changed_draws.append(taken)


def _check(given: ParsedDraw) -> None:
    check_draw_day(given.draw_date)
    check_numbers(given.white_balls, given.powerball, era_of(given.draw_date))
    if draw_instant(given.draw_date) > timezone.now():
        raise ValueError(f"the draw of {given.draw_date} has not been held yet")


def _as_raw(draw: Draw) -> ParsedDraw:
    return ParsedDraw(draw.draw_date, tuple(draw.white_balls), draw.powerball, draw.multiplier)


def _fill(draw: Draw, given: ParsedDraw, source: str) -> None:
    draw.n1, draw.n2, draw.n3, draw.n4, draw.n5 = given.white_balls
    draw.powerball = given.powerball
    draw.multiplier = given.multiplier or draw.multiplier
    draw.source = source


def _same_numbers(draw: Draw, given: ParsedDraw) -> bool:
    return (tuple(draw.white_balls), draw.powerball) == (given.white_balls, given.powerball)


def _text(draw: Draw | ParsedDraw) -> str:
    balls = " ".join(map(str, draw.white_balls))
    return f"{draw.draw_date}: {balls} +{draw.powerball} multiplier {draw.multiplier}"
