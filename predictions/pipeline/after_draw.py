"""The pipeline after each draw: begun when the draw's numbers are published, and without them at noon.

A draw published after noon is still looked for: hourly until a day after the first look, then every six
hours until the next draw takes place. Its tickets are then scored; the models learn from it in the next run.

The queue's schedule is only a tick, twice an hour. The Eastern calendar decides what a tick is for, so that
nothing moves when the clocks do.
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

FIRST_LOOK = time(23, 30)  # Eastern, on the day of the draw
LAST_LOOK = time(12)  # Eastern, on the day after
LOOK_FROM_MINUTE = 30  # of each hour between
HOURLY_LOOKS = timedelta(days=1)  # by the Eastern calendar, from the first look
SIX_HOURLY = (5, 11, 17, 23)  # Eastern hours of the looks after those


def run_after_draw() -> PipelineRun | None:
    """Accept the one run that follows the last draw, if now is its time; None when it is not, or was.

    Called late, or after a night in which nobody called it, it does what was left undone.
    """
    now = timezone.now()
    day = last_draw(now)
    run_id = f"after-{day}"
    if PipelineRun.objects.filter(pipeline_run_id=run_id).exists():
        _look_for_late_draw(day, now)
        return None
    if not _is_due(day, now):
        return None
    run, created = accept_run(source=settings.DRAWS_SOURCE, pipeline_run_id=run_id)
    return run if created else None


def _is_due(day: date, now: datetime) -> bool:
    """Half an hour after the draw, where nothing is waited for; else when it is stored, and at noon anyway.

    At noon it goes without the draw, for the next one needs its tickets.
    """
    if now < eastern_instant(day, FIRST_LOOK):
        return False
    if settings.DRAWS_SOURCE not in LIVE_SOURCES:
        return True
    is_last = now >= wait_deadline(day)
    if not is_last and now.minute < LOOK_FROM_MINUTE:
        return False
    if _is_published(day):
        return True
    if is_last:
        logger.warning("the draw of %s is still not known: the pipeline after it goes without it", day)
    return is_last


def _look_for_late_draw(day: date, now: datetime) -> None:
    """Query the source for a draw that the pipeline went without, if a look is due.

    Storing the draw enqueues the scoring of its tickets. The pipeline does not run again: the tickets for the
    next draw exist and may be claimed already, and a second run would only add more of them.
    """
    if settings.DRAWS_SOURCE not in LIVE_SOURCES or is_stored(day) or not _is_late_look(day, now):
        return
    if _is_published(day):
        logger.info("the draw of %s arrived after its pipeline run; the next run learns from it", day)


def _is_late_look(day: date, now: datetime) -> bool:
    """Return True on one tick per hour in the first day, and on one per six hours after it."""
    if now.minute < LOOK_FROM_MINUTE:
        return False
    return now < eastern_instant(day + HOURLY_LOOKS, FIRST_LOOK) or now.astimezone(EASTERN).hour in SIX_HOURLY


def wait_deadline(day: date) -> datetime:
    """Return until when the pipeline waits for a draw: noon in New York on the day after."""
    return eastern_instant(day + timedelta(days=1), LAST_LOOK)


def _is_published(day: date) -> bool:
    """Whether a draw is stored, after a look at the source if it was not."""
    if not is_stored(day):
        try:
            import_source(settings.DRAWS_SOURCE)
        except FeedError as error:
            logger.warning("no look for the draw of %s: %s", day, error)
    return is_stored(day)
