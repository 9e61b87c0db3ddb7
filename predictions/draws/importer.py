"""Import of draws: validate each row against the era of its date, upsert it by date, and report it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.utils import timezone

from predictions.draws.feed_columns import REQUIRED
from predictions.draws.feed_rows import FeedError, FeedRow, FeedRows, ParsedDraw
from predictions.models import Draw
from predictions.powerball import check_draw_date, check_numbers, draw_instant, era_on

# Share of a file's rows. Single bad rows and corrected draws are common; a majority means a wrong file.
MAX_BAD_SHARE = 0.5
# With fewer shared dates, different numbers may be one or two corrected draws, which --overwrite is for.
MIN_SHARED_DATES = 3


@dataclass(frozen=True)
class RejectedRow:
    """A row that was not imported, with the reason; for a conflict also the stored and the incoming draw."""

    line: int
    reason: str
    stored: ParsedDraw | None = field(default=None, compare=False)
    incoming: ParsedDraw | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ImportedDraw:
    """A row whose draw is new or, if `stored` holds the previous values, changed."""

    line: int
    incoming: ParsedDraw
    stored: ParsedDraw | None = None


@dataclass
class ImportReport:
    """The result of an import; `read` is the sum of the five outcomes."""

    source: str
    dry_run: bool = False
    not_modified: bool = False  # the server answered 304
    unit: str = "line"  # of a row's `line`: "line" or, in JSON, "item"
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
        return bool(self.rejected or self.conflicts)

    @property
    def warning(self) -> str:
        """Return a warning that names the unknown columns; empty if there are none."""
        if not self.unknown_columns:
            return ""
        names = ", ".join(self.unknown_columns)
        return f"unknown column{'s' if len(self.unknown_columns) > 1 else ''} ignored: {names[:500]}"

    def summary(self) -> str:
        if self.not_modified:
            return f"{self.source}: not modified since the last import"
        return (
            f"{self.source}: {self.read} read, {self.new} new, {self.changed} changed, "
            f"{self.unchanged} unchanged, {len(self.rejected)} rejected, {len(self.conflicts)} in conflict"
            + (" (dry run: nothing was stored)" if self.dry_run else "")
        )


class ImportRefused(FeedError):
    """A file holds another game or other draws; nothing was stored."""

    def __init__(self, reason: str, report: ImportReport) -> None:
        super().__init__(f"the file is refused and nothing was stored: {reason}")
        self.report = report


class DrawImporter:
    """One import into the stored draws."""

    def __init__(self, report: ImportReport, overwrite: bool, partial: bool = False) -> None:
        self.report = report
        self.overwrite = overwrite
        self.partial = partial
        self.stored = {draw.draw_date: draw for draw in Draw.objects.all()}
        self.incoming: dict[date, tuple[int, ParsedDraw]] = {}  # line and draw by date
        self.shared: set[date] = set()  # dates that were already stored
        self.contradicted: set[date] = set()  # shared dates with other numbers
        self.new: list[Draw] = []
        self.changed: list[Draw] = []

    def run(self, rows: Iterable[FeedRow]) -> list[date]:
        """Import the valid rows and return the dates of the new and changed draws, ascending.

        Unless `partial` is set, raise ImportRefused, storing nothing, if the file cannot be Powerball's.
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
        """Return the reason to refuse the file, or "".

        A file without any valid row is not refused: it stores nothing, and its report has a reason per row.
        """
        rejected, read = len(self.report.rejected), self.report.read
        if feed.other_game_columns:
            names = ", ".join(feed.other_game_columns)
            return f"it has columns of another game: {names}; the expected columns are {REQUIRED}"
        if read > rejected > MAX_BAD_SHARE * read:
            first = self.report.rejected[0]
            return (
                f"{rejected} of its {read} rows are rejected, more than half; the first is "
                f"{self.report.unit} {first.line}: {first.reason}"
            )
        if len(self.shared) >= MIN_SHARED_DATES and len(self.contradicted) > MAX_BAD_SHARE * len(self.shared):
            return (
                f"on {len(self.contradicted)} of {len(self.shared)} stored dates, more than half, it has "
                "other numbers"
            )
        return ""

    def _import_draw(self, line: int, incoming: ParsedDraw) -> None:
        _check_draw(incoming)
        self._check_against_feed(line, incoming)
        draw = self.stored.get(incoming.draw_date)
        if draw is not None and draw.pk is not None:
            self.shared.add(incoming.draw_date)
            if not _same_numbers(draw, incoming):
                self.contradicted.add(incoming.draw_date)
        if draw is None:
            draw = Draw(draw_date=incoming.draw_date)
            _assign(draw, incoming, self.report.source)
            self.stored[incoming.draw_date] = draw
            self.new.append(draw)
            self.report.new_draws.append(ImportedDraw(line, incoming))
        elif _same_numbers(draw, incoming) and incoming.multiplier in (None, draw.multiplier):
            self.report.unchanged += 1
        elif _same_numbers(draw, incoming) and draw.multiplier is None:
            self._change(draw, ImportedDraw(line, incoming, _as_parsed(draw)))
            draw.multiplier = incoming.multiplier
        elif self.overwrite:
            self._change(draw, ImportedDraw(line, incoming, _as_parsed(draw)))
            _assign(draw, incoming, self.report.source)
        else:
            reason = f"stored: {_describe(draw)}; incoming: {_describe(incoming)}"
            self.report.conflicts.append(RejectedRow(line, reason, _as_parsed(draw), incoming))

    def _check_against_feed(self, line: int, incoming: ParsedDraw) -> None:
        """Raise ValueError if an earlier line has other numbers for the date, even with `overwrite`."""
        first_line, first = self.incoming.setdefault(incoming.draw_date, (line, incoming))
        numbers = (incoming.white_balls, incoming.powerball)
        if numbers != (first.white_balls, first.powerball):
            raise ValueError(f"{incoming.draw_date} has other numbers on {self.report.unit} {first_line}")

    def _change(self, draw: Draw, imported: ImportedDraw) -> None:
        if draw.pk is not None:  # a draw that is new in this import is only created
            self.changed.append(draw)
        self.report.changed_draws.append(imported)


def _check_draw(incoming: ParsedDraw) -> None:
    check_draw_date(incoming.draw_date)
    check_numbers(incoming.white_balls, incoming.powerball, era_on(incoming.draw_date))
    if draw_instant(incoming.draw_date) > timezone.now():
        raise ValueError(f"the draw of {incoming.draw_date} has not taken place yet")


def _as_parsed(draw: Draw) -> ParsedDraw:
    return ParsedDraw(draw.draw_date, tuple(draw.white_balls), draw.powerball, draw.multiplier)


def _assign(draw: Draw, incoming: ParsedDraw, source: str) -> None:
    draw.n1, draw.n2, draw.n3, draw.n4, draw.n5 = incoming.white_balls
    draw.powerball = incoming.powerball
    draw.multiplier = incoming.multiplier or draw.multiplier
    draw.source = source


def _same_numbers(draw: Draw, incoming: ParsedDraw) -> bool:
    return (tuple(draw.white_balls), draw.powerball) == (incoming.white_balls, incoming.powerball)


def _describe(draw: Draw | ParsedDraw) -> str:
    balls = " ".join(map(str, draw.white_balls))
    return f"{draw.draw_date}: {balls} +{draw.powerball} multiplier {draw.multiplier}"
