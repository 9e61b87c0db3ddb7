"""Imports of official draws, and queries on the stored ones."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone

from predictions.draws import feeds
from predictions.draws.bundled import read_bundled_draws
from predictions.draws.download import URLS, download
from predictions.draws.feeds import FeedError, FeedRow
from predictions.draws.importer import DrawImporter, ImportReport
from predictions.models import Draw, Feed
from predictions.modes.features import History
from predictions.powerball import (
    CURRENT_ERA,
    draw_instant,
    eastern_date,
    last_draw,
    next_draw,
    scheduled_draws,
)
from predictions.signals import draws_stored, send_logged
from shiolplus.logs.safe_text import is_storable, sanitize_line

STALE_AFTER = timedelta(days=5)  # draws are two or three days apart; results may be a day late
SOURCES = ("bundled", "ny", "texas")
URL_LENGTH = 500  # of Feed.url
LIVE_SOURCES = tuple(URLS)  # publish each draw within hours


def import_source(
    source: str, *, overwrite: bool = False, dry_run: bool = False, partial: bool = False
) -> ImportReport:
    """Import from "bundled", "ny" or "texas"; raise FeedError if the source cannot be read."""
    if source == "bundled":
        return import_rows(
            read_bundled_draws(), source, overwrite=overwrite, dry_run=dry_run, partial=partial
        )
    if source not in URLS:
        raise ValueError(f"source {source!r}: allowed are {', '.join(SOURCES)}")
    return import_url(URLS[source], name=source, overwrite=overwrite, dry_run=dry_run, partial=partial)


def import_file(
    path: Path, layout: str = "auto", *, overwrite: bool = False, dry_run: bool = False, partial: bool = False
) -> ImportReport:
    """Import a file; raise FeedError if it cannot be opened or has no known layout."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedError(f"{sanitize_line(str(path))} cannot be opened: {error.strerror}") from error
    return import_content(content, path.name, layout, overwrite=overwrite, dry_run=dry_run, partial=partial)


def import_content(
    content: bytes,
    name: str,
    layout: str = "auto",
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    partial: bool = False,
) -> ImportReport:
    """Import the content of a file; raise FeedError if it has no known layout."""
    rows = feeds.read(feeds.decode(content), layout)
    return import_rows(rows, sanitize_line(name)[:200], overwrite=overwrite, dry_run=dry_run, partial=partial)


def import_url(
    url: str,
    layout: str = "auto",
    *,
    name: str = "",
    overwrite: bool = False,
    dry_run: bool = False,
    partial: bool = False,
) -> ImportReport:
    """Import from a URL, unless its server answers 304 to the ETag of the last complete import."""
    if not is_storable(url) or len(url) > URL_LENGTH:
        raise FeedError(f"{sanitize_line(url[:200])} is not a URL of at most {URL_LENGTH} characters")
    name = name or url[:200]
    feed = Feed.objects.filter(url=url).first()
    is_conditional = feed is not None and Draw.objects.exists() and not overwrite and not dry_run
    etag = feed.etag if feed is not None and is_conditional else ""
    downloaded = download(url, etag)
    if downloaded.text is None:
        return ImportReport(name, not_modified=True)
    report = import_rows(
        feeds.read(downloaded.text, layout), name, overwrite=overwrite, dry_run=dry_run, partial=partial
    )
    # Without an ETag the next import reports the rejected rows again.
    if not dry_run:
        Feed.objects.update_or_create(
            url=url,
            defaults={
                "etag": "" if report.is_incomplete else downloaded.etag[:200],
                "fetched_at": timezone.now(),
            },
        )
    return report


def import_rows(
    rows: Iterable[FeedRow],
    source: str,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    partial: bool = False,
) -> ImportReport:
    """Store the valid rows in one transaction and report the others.

    Send `draws_stored` for new and changed draws after the commit. Unless `partial` is set, raise
    ImportRefused for a file that cannot be Powerball's; see docs/draw-files.md.
    """
    report = ImportReport(source, dry_run=dry_run)
    try:
        with transaction.atomic():
            dates = DrawImporter(report, overwrite, partial).run(rows)
            if dates and not dry_run:
                about = f"{len(dates)} stored draws"
                transaction.on_commit(lambda: send_logged(draws_stored, Draw, about, dates=dates))
    except IntegrityError as error:
        raise FeedError("another import stored the same draws at the same time; run it again") from error
    return report


def upcoming_draw() -> date:
    """Return the date of the next draw by the clock, whichever draws are stored."""
    return next_draw(timezone.now())


def last_drawn(before: date) -> date:
    """Return the last draw before a date that has taken place, stored or not."""
    return last_draw(min(timezone.now(), draw_instant(before) - timedelta(seconds=1)))


def is_stored(day: date) -> bool:
    return Draw.objects.filter(draw_date=day).exists()


def missing_draws() -> list[date]:
    """Return the scheduled dates between the first and the last stored draw that are not stored."""
    stored = list(Draw.objects.order_by("draw_date").values_list("draw_date", flat=True))
    if not stored:
        return []
    return sorted(set(scheduled_draws(stored[0], stored[-1])) - set(stored))


def newest_draw_date() -> date | None:
    return Draw.objects.order_by("-draw_date").values_list("draw_date", flat=True).first()


def age(day: date) -> timedelta:
    """Return the whole days from a draw to today, US Eastern."""
    return eastern_date(timezone.now()) - day


def is_stale(newest: date | None) -> bool:
    """Return True if a newer draw should be stored by now."""
    return newest is None or age(newest) > STALE_AFTER


def freshness_text(newest: date | None) -> str:
    if newest is None:
        return "no draw is stored"
    days = age(newest).days
    return f"newest draw {newest}, {days} day{'' if days == 1 else 's'} old"


@dataclass(frozen=True)
class DrawHistory:
    """Consecutive stored draws of the 69/26 era, which modes are fitted on."""

    history: History
    first: date | None
    through: date | None

    def fingerprint(self) -> str:
        """Return the SHA-256 of the numbers and of the first and last date."""
        digest = hashlib.sha256(f"{self.first} {self.through}".encode())
        for numbers in (self.history.white, self.history.powerball):
            digest.update(np.ascontiguousarray(numbers, dtype="<i8").tobytes())
        return digest.hexdigest()


def load_draw_history(*, before: date | None = None, through: date | None = None) -> DrawHistory:
    """Return the era's stored draws, oldest first: `before` a date, or up to and including `through`."""
    draws = Draw.objects.filter(draw_date__gte=CURRENT_ERA.since).order_by("draw_date")
    if before is not None:
        draws = draws.filter(draw_date__lt=before)
    if through is not None:
        draws = draws.filter(draw_date__lte=through)
    rows = list(draws.values_list("draw_date", "n1", "n2", "n3", "n4", "n5", "powerball"))
    numbers = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 6)
    return DrawHistory(
        History(numbers[:, :5], numbers[:, 5]),
        first=rows[0][0] if rows else None,
        through=rows[-1][0] if rows else None,
    )
