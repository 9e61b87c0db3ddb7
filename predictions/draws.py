"""Official draws in the database: validated against the era of their date, upserted by date, reported."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone

from predictions import downloads, feeds
from predictions.features import History
from predictions.feeds import FeedError, RawDraw, Row
from predictions.models import Draw, Feed
from predictions.powerball import (
    CURRENT_ERA,
    check_draw_day,
    check_numbers,
    draw_instant,
    eastern_date,
    era_of,
    last_draw,
    next_draw,
    scheduled_draws,
)
from predictions.signals import draws_stored, tell

STALE_AFTER = timedelta(days=5)  # draws are two or three days apart, and results may come a day late
SOURCES = ("bundled", "ny", "texas")
LIVE_SOURCES = tuple(downloads.URLS)  # where a draw appears some hours after it was held


@dataclass(frozen=True)
class Problem:
    """A row that was not taken, and why; in a conflict with what is stored and what is given."""

    line: int
    reason: str
    before: RawDraw | None = field(default=None, compare=False)
    given: RawDraw | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Taken:
    """A row whose draw is new or, with what was stored `before`, changed."""

    line: int
    given: RawDraw
    before: RawDraw | None = None


@dataclass
class ImportReport:
    """What an import did; `read` is the sum of the five outcomes."""

    source: str
    dry_run: bool = False
    not_modified: bool = False  # the server said that nothing changed since the last import
    new_draws: list[Taken] = field(default_factory=list)
    changed_draws: list[Taken] = field(default_factory=list)
    unchanged: int = 0
    rejected: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)

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
    def fell_short(self) -> bool:
        """Whether some row was not taken."""
        return bool(self.rejected or self.conflicts)

    def summary(self) -> str:
        """One line for people."""
        if self.not_modified:
            return f"{self.source}: not modified since the last import"
        return (
            f"{self.source}: {self.read} read, {self.new} new, {self.changed} changed, "
            f"{self.unchanged} unchanged, {len(self.rejected)} rejected, {len(self.conflicts)} in conflict"
            + (" (dry run: nothing was stored)" if self.dry_run else "")
        )


def import_source(source: str, *, overwrite: bool = False, dry_run: bool = False) -> ImportReport:
    """Import from "bundled", "ny" or "texas"; FeedError when it cannot be read at all."""
    if source == "bundled":
        rows = feeds.read(feeds.decode(feeds.BUNDLED_FILE.read_bytes()), "bundled")
        return import_rows(rows, source, overwrite=overwrite, dry_run=dry_run)
    if source not in downloads.URLS:
        raise ValueError(f"source {source!r}: allowed are {', '.join(SOURCES)}")
    return import_url(downloads.URLS[source], name=source, overwrite=overwrite, dry_run=dry_run)


def import_file(
    path: Path, layout: str = "auto", *, overwrite: bool = False, dry_run: bool = False
) -> ImportReport:
    """Import a file; FeedError when it cannot be opened or is of no known layout."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedError(f"{path} cannot be opened: {error.strerror}") from error
    return import_content(content, path.name, layout, overwrite=overwrite, dry_run=dry_run)


def import_content(
    content: bytes, name: str, layout: str = "auto", *, overwrite: bool = False, dry_run: bool = False
) -> ImportReport:
    """Import what a file of this name holds; FeedError when it is of no known layout."""
    rows = feeds.read(feeds.decode(content), layout)
    return import_rows(rows, name[:200], overwrite=overwrite, dry_run=dry_run)


def import_url(
    url: str, layout: str = "auto", *, name: str = "", overwrite: bool = False, dry_run: bool = False
) -> ImportReport:
    """Import from an address, unless its server says that nothing changed since the last clean import."""
    name = name or url[:200]
    stored = Feed.objects.filter(url=url).first()
    conditional = stored is not None and Draw.objects.exists() and not overwrite and not dry_run
    etag = stored.etag if stored is not None and conditional else ""
    download = downloads.download(url, etag)
    if download.text is None:
        return ImportReport(name, not_modified=True)
    report = import_rows(feeds.read(download.text, layout), name, overwrite=overwrite, dry_run=dry_run)
    # What was not taken is to be met, and reported, again next time: then the ETag is not kept.
    if not dry_run:
        Feed.objects.update_or_create(
            url=url,
            defaults={
                "etag": "" if report.fell_short else download.etag[:200],
                "fetched_at": timezone.now(),
            },
        )
    return report


def import_rows(
    rows: Iterable[Row], source: str, *, overwrite: bool = False, dry_run: bool = False
) -> ImportReport:
    """Store the valid rows in one transaction; the others are reported and stop nothing.

    Who listens to `draws_stored` is told of new and changed draws once they are committed.
    """
    report = ImportReport(source, dry_run=dry_run)
    try:
        with transaction.atomic():
            dates = _Import(report, overwrite).take(rows)
            if dates and not dry_run:
                about = f"{len(dates)} stored draws"
                transaction.on_commit(lambda: tell(draws_stored, Draw, about, dates=dates))
    except IntegrityError as error:
        raise FeedError("another import stored the same draws at the same time; run it again") from error
    return report


class _Import:
    """One import's passage over the stored draws."""

    def __init__(self, report: ImportReport, overwrite: bool) -> None:
        self.report = report
        self.overwrite = overwrite
        self.stored = {draw.draw_date: draw for draw in Draw.objects.all()}
        self.given: dict[date, tuple[int, RawDraw]] = {}  # what this feed said of a date, and on which line
        self.new: list[Draw] = []
        self.changed: list[Draw] = []

    def take(self, rows: Iterable[Row]) -> list[date]:
        """Take what is valid; returns the dates of the new and the changed draws, ascending."""
        for row in rows:
            try:
                if row.draw is None:
                    raise ValueError(row.reason)
                self._take_draw(row.line, row.draw)
            except ValueError as error:
                self.report.rejected.append(Problem(row.line, str(error)))
        if not self.report.dry_run:
            Draw.objects.bulk_create(self.new)
            for draw in self.changed:
                draw.save()
        return sorted({draw.draw_date for draw in (*self.new, *self.changed)})

    def _take_draw(self, line: int, given: RawDraw) -> None:
        _check(given)
        self._check_against_feed(line, given)
        draw = self.stored.get(given.draw_date)
        if draw is None:
            draw = _as_model(given, self.report.source)
            self.stored[given.draw_date] = draw
            self.new.append(draw)
            self.report.new_draws.append(Taken(line, given))
        elif _same_numbers(draw, given) and given.multiplier in (None, draw.multiplier):
            self.report.unchanged += 1
        elif _same_numbers(draw, given) and draw.multiplier is None:
            self._change(draw, Taken(line, given, _as_raw(draw)))
            draw.multiplier = given.multiplier
        elif self.overwrite:
            self._change(draw, Taken(line, given, _as_raw(draw)))
            _overwrite(draw, given, self.report.source)
        else:
            reason = f"stored is {_text(draw)}; given is {_text(given)}"
            self.report.conflicts.append(Problem(line, reason, _as_raw(draw), given))

    def _check_against_feed(self, line: int, given: RawDraw) -> None:
        """Of two lines that contradict each other the first stands, whatever may be overwritten."""
        first_line, first = self.given.setdefault(given.draw_date, (line, given))
        numbers = (given.white_balls, given.powerball)
        if numbers != (first.white_balls, first.powerball):
            raise ValueError(f"{given.draw_date} has other numbers on line {first_line}")

    def _change(self, draw: Draw, taken: Taken) -> None:
        if draw.pk is not None:  # one that is new in this very import is stored as it then is
            self.changed.append(draw)
        self.report.changed_draws.append(taken)


def _check(given: RawDraw) -> None:
    check_draw_day(given.draw_date)
    check_numbers(given.white_balls, given.powerball, era_of(given.draw_date))
    if draw_instant(given.draw_date) > timezone.now():
        raise ValueError(f"the draw of {given.draw_date} has not been held yet")


def _as_model(given: RawDraw, source: str) -> Draw:
    n1, n2, n3, n4, n5 = given.white_balls
    return Draw(
        draw_date=given.draw_date,
        n1=n1,
        n2=n2,
        n3=n3,
        n4=n4,
        n5=n5,
        powerball=given.powerball,
        multiplier=given.multiplier,
        source=source,
    )


def _as_raw(draw: Draw) -> RawDraw:
    return RawDraw(draw.draw_date, tuple(draw.white_balls), draw.powerball, draw.multiplier)


def _overwrite(draw: Draw, given: RawDraw, source: str) -> None:
    draw.n1, draw.n2, draw.n3, draw.n4, draw.n5 = given.white_balls
    draw.powerball = given.powerball
    draw.multiplier = given.multiplier or draw.multiplier
    draw.source = source


def _same_numbers(draw: Draw, given: RawDraw) -> bool:
    return (tuple(draw.white_balls), draw.powerball) == (given.white_balls, given.powerball)


def _text(draw: Draw | RawDraw) -> str:
    balls = " ".join(map(str, draw.white_balls))
    return f"{draw.draw_date}: {balls} +{draw.powerball} multiplier {draw.multiplier}"


# What is known


def upcoming_draw() -> date:
    """The next draw by the clock: never "the one after the last known draw"."""
    return next_draw(timezone.now())


def last_held(before: date) -> date:
    """The last draw before a date that has been held by now, stored or not."""
    return last_draw(min(timezone.now(), draw_instant(before) - timedelta(seconds=1)))


def is_stored(day: date) -> bool:
    """Whether a draw's numbers are known."""
    return Draw.objects.filter(draw_date=day).exists()


def missing_draws() -> list[date]:
    """Scheduled dates between the first and the last stored draw that have none: another source may."""
    stored = list(Draw.objects.order_by("draw_date").values_list("draw_date", flat=True))
    if not stored:
        return []
    return sorted(set(scheduled_draws(stored[0], stored[-1])) - set(stored))


def newest_draw_day() -> date | None:
    """The date of the newest draw whose numbers are known."""
    return Draw.objects.order_by("-draw_date").values_list("draw_date", flat=True).first()


def age_of(day: date) -> timedelta:
    """Whole days from a draw to today, in New York."""
    return eastern_date(timezone.now()) - day


def is_stale(newest: date | None) -> bool:
    """Whether a draw that should be known by now is not."""
    return newest is None or age_of(newest) > STALE_AFTER


def freshness(newest: date | None) -> str:
    """The newest known draw and its age in days, or that there is none."""
    if newest is None:
        return "no draw is stored"
    age = age_of(newest).days
    return f"newest draw {newest}, {age} day{'' if age == 1 else 's'} old"


@dataclass(frozen=True)
class KnownDraws:
    """The draws of the 69/26 era before a date, as a mode learns from them."""

    history: History
    first: date | None
    through: date | None

    def fingerprint(self) -> str:
        """SHA-256 of the numbers and of the dates they begin and end with."""
        digest = hashlib.sha256(f"{self.first} {self.through}".encode())
        for numbers in (self.history.white, self.history.powerball):
            digest.update(np.ascontiguousarray(numbers, dtype="<i8").tobytes())
        return digest.hexdigest()


def known_draws(*, before: date | None = None, through: date | None = None) -> KnownDraws:
    """The era's stored draws, oldest first: those strictly before a date, or up to and with one."""
    draws = Draw.objects.filter(draw_date__gte=CURRENT_ERA.since).order_by("draw_date")
    if before is not None:
        draws = draws.filter(draw_date__lt=before)
    if through is not None:
        draws = draws.filter(draw_date__lte=through)
    rows = list(draws.values_list("draw_date", "n1", "n2", "n3", "n4", "n5", "powerball"))
    numbers = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 6)
    return KnownDraws(
        History(numbers[:, :5], numbers[:, 5]),
        first=rows[0][0] if rows else None,
        through=rows[-1][0] if rows else None,
    )
