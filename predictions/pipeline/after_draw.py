"""The pipeline run that follows each draw: accepted once its numbers are published, or at noon without them.

A draw published after noon is still checked for: hourly until a day after the first check, then every six
hours until the next draw takes place. Its tickets are then scored; the models learn from it in the next run.

The scheduler only ticks twice an hour. What a tick does follows from the Eastern calendar, so that
daylight-saving changes move nothing.
"""

import logging
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.utils import timezone

from predictions.draws.feeds import FeedError
from predictions.draws.sources import LIVE_SOURCES, import_source, is_stored
from predictions.models import PipelineRun
from predictions.pipeline.runner import accept_run
from predictions.powerball import EASTERN, eastern_instant, last_draw

logger = logging.getLogger(__name__)

FIRST_CHECK = time(23, 30)  # Eastern, on the day of the draw
DEADLINE = time(12)  # Eastern, on the day after
CHECK_FROM_MINUTE = 30  # of each hour in between
HOURLY_CHECKS = timedelta(days=1)  # by the Eastern calendar, from the first check
SIX_HOURLY = (5, 11, 17, 23)  # Eastern hours of the checks after those


def run_after_draw() -> PipelineRun | None:
    """Accept the run that follows the last draw and return it; None if it is not due or already accepted.

    A late call makes up for the ticks that were missed.
    """
    now = timezone.now()
    draw_date = last_draw(now)
    run_id = f"after-{draw_date}"
    if PipelineRun.objects.filter(pipeline_run_id=run_id).exists():
        _check_for_late_draw(draw_date, now)
        return None
    if not _is_due(draw_date, now):
        return None
    run, created = accept_run(source=settings.DRAWS_SOURCE, pipeline_run_id=run_id)
    return run if created else None


def _is_due(draw_date: date, now: datetime) -> bool:
    """Return True once the draw is stored, and at noon in any case, since the next draw needs its tickets.

    Without a live source there is nothing to wait for: the run is due half an hour after the draw.
    """
    if now < eastern_instant(draw_date, FIRST_CHECK):
        return False
    if settings.DRAWS_SOURCE not in LIVE_SOURCES:
        return True
    deadline_passed = now >= wait_deadline(draw_date)
    if not deadline_passed and now.minute < CHECK_FROM_MINUTE:
        return False
    if _is_published(draw_date):
        return True
    if deadline_passed:
        logger.warning("The draw of %s is still not available; its pipeline runs without it", draw_date)
    return deadline_passed


def _check_for_late_draw(draw_date: date, now: datetime) -> None:
    """Import a draw that its pipeline run did without, if a check is due.

    Storing the draw enqueues the scoring of its tickets. The pipeline does not run again: the tickets for the
    next draw exist and may be claimed already, and a second run would only add more of them.
    """
    if settings.DRAWS_SOURCE not in LIVE_SOURCES or is_stored(draw_date):
        return
    if _is_late_check_due(draw_date, now) and _is_published(draw_date):
        logger.info("The draw of %s arrived after its pipeline run; the next run learns from it", draw_date)


def _is_late_check_due(draw_date: date, now: datetime) -> bool:
    """Return True on one tick per hour in the first day, and on one per six hours after it."""
    if now.minute < CHECK_FROM_MINUTE:
        return False
    last_hourly_check = eastern_instant(draw_date + HOURLY_CHECKS, FIRST_CHECK)
    return now < last_hourly_check or now.astimezone(EASTERN).hour in SIX_HOURLY


def wait_deadline(draw_date: date) -> datetime:
    """Return the instant until which the pipeline waits for a draw: noon Eastern on the following day."""
    return eastern_instant(draw_date + timedelta(days=1), DEADLINE)


def _is_published(draw_date: date) -> bool:
    """Return True if the draw is stored, importing from the source first if it is not."""
    if not is_stored(draw_date):
        try:
            import_source(settings.DRAWS_SOURCE)
        except FeedError as error:
            logger.warning("Could not check for the draw of %s: %s", draw_date, error)
    return is_stored(draw_date)
