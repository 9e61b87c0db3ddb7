"""Score batches once their draw is known: how many of their tickets won in each prize tier.

The database counts, in one grouped query a batch; no ticket is loaded. A score is one row a batch, so the
same draw scored twice changes nothing. One whose tickets have since been purged in part cannot be made
again, after a correction of the draw or with tickets added: then it stays as it is, and that is said.
"""

import logging
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from functools import reduce
from operator import add
from typing import NamedTuple

from django.db import transaction
from django.db.models import Case, Count, Exists, F, OuterRef, Q, When
from django.utils import timezone

from predictions.models import Draw
from predictions.powerball import PRIZE_TIERS
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.scores import DRAWN_FIELDS, TIER_FIELDS, BatchScore

logger = logging.getLogger(__name__)

WHITE_FIELDS = DRAWN_FIELDS[:-1]


class Verdict(StrEnum):
    """What came of scoring a batch."""

    SCORED = "scored"
    UNCHANGED = "scored before"
    EMPTY = "without tickets"
    UNFINISHED = "not finished"
    DELETED = "not scored, since the draw was deleted meanwhile"
    UNSCORABLE = "cannot be scored again, since some of its tickets were purged"


class ScoringOutcome(NamedTuple):
    """A batch, what came of scoring it, and the score that it has now."""

    batch: TicketBatch
    verdict: Verdict
    score: BatchScore | None


Watcher = Callable[[ScoringOutcome], None]


def score_known_draws(watch: Watcher = lambda outcome: None) -> list[BatchScore]:
    """Score whatever is due, oldest draw first; returns the scores that were made."""
    return [score for draw in draws_to_score() for score in score_draw(draw, watch)]


def score_if_drawn(day: date) -> list[BatchScore]:
    """Score the batches for a draw that is known already, such as one made for an earlier draw."""
    draw = Draw.objects.filter(draw_date=day).first()
    return [] if draw is None else score_draw(draw)


def draws_to_score() -> list[Draw]:
    """The stored draws that have a batch with no score, or not with all its tickets against these numbers.

    A batch that is not finished is not due, nor is one that never had a score and has no tickets.
    """
    never = Q(score=None, stored__gt=0)
    grown = Q(generated__gt=F("score__tickets") + F("score__purged"))
    same_numbers = {name: OuterRef(f"score__{name}") for name in DRAWN_FIELDS}
    corrected = Q(score__isnull=False) & ~Exists(
        Draw.objects.filter(draw_date=OuterRef("draw_date"), **same_numbers)
    )
    ended = TicketBatch.objects.exclude(status__in=TicketBatch.UNFINISHED).order_by()
    due = ended.filter(never | grown | corrected).values("draw_date")
    return list(Draw.objects.filter(draw_date__in=due).order_by("draw_date"))


def score_draw(draw: Draw, watch: Watcher = lambda outcome: None) -> list[BatchScore]:
    """Score each batch for a draw, in a short transaction of its own; returns the scores that were made.

    `watch` is called with what came of each batch.
    """
    made = []
    batches = TicketBatch.objects.select_related("run", "score").filter(draw_date=draw.draw_date)
    for batch in batches.order_by("id"):
        outcome = _score_batch(batch, draw)
        if outcome.verdict == Verdict.SCORED and outcome.score is not None:
            made.append(outcome.score)
        elif outcome.verdict == Verdict.UNSCORABLE:
            logger.warning("%s of %s for %s %s", batch, batch.run, draw.draw_date, outcome.verdict)
        watch(outcome)
    if made:
        logger.info("batches of the draw of %s scored: %d", draw.draw_date, len(made))
    return made


def _score_batch(batch: TicketBatch, draw: Draw) -> ScoringOutcome:
    if outcome := _early_outcome(batch, draw):
        return outcome
    counted = _count(batch, draw)  # outside the transaction: a million tickets take a second
    with transaction.atomic():
        locked = TicketBatch.objects.select_related("run").select_for_update(of=("self",)).get(pk=batch.pk)
        if not _unchanged(locked, batch):
            # Its tickets were purged or added to meanwhile; under the lock they stay as they are.
            if outcome := _early_outcome(locked, draw):
                return outcome
            counted = _count(locked, draw)
        if not counted:
            return ScoringOutcome(locked, Verdict.EMPTY, None)
        if not Draw.objects.select_for_update().filter(pk=draw.pk).first():
            return ScoringOutcome(locked, Verdict.DELETED, None)
        score = _score(locked, draw, counted)
        score.save()
    return ScoringOutcome(locked, Verdict.SCORED, score)


def _early_outcome(batch: TicketBatch, draw: Draw) -> ScoringOutcome | None:
    """The outcome where nothing is to be counted; None where the batch is due."""
    score: BatchScore | None = getattr(batch, "score", None)
    if batch.status in TicketBatch.UNFINISHED:
        return ScoringOutcome(batch, Verdict.UNFINISHED, score)
    if score is None:
        return None if batch.stored else ScoringOutcome(batch, Verdict.EMPTY, None)
    if score.matches(draw) and batch.generated <= score.tickets + score.purged:
        return ScoringOutcome(batch, Verdict.UNCHANGED, score)
    if batch.generated - batch.stored > score.purged:
        return ScoringOutcome(batch, Verdict.UNSCORABLE, score)
    return None


def _unchanged(now: TicketBatch, then: TicketBatch) -> bool:
    """Whether no ticket came or went and it was not taken up again; every door to the table counts them."""
    return (now.status, now.generated, now.stored) == (then.status, then.generated, then.stored)


# How many tickets hit so many white balls (0 to 5) and the Powerball (0 or 1).
Counted = dict[tuple[int, int], int]


def _count(batch: TicketBatch, draw: Draw) -> Counted:
    white = reduce(
        add, (Case(When(**{f"{name}__in": draw.white_balls}, then=1), default=0) for name in WHITE_FIELDS)
    )
    red = Case(When(powerball=draw.powerball, then=1), default=0)
    matched = PreGeneratedTicket.objects.of_batch(batch).order_by().annotate(white=white, red=red)
    rows = matched.values_list("white", "red").annotate(tickets=Count("pk"))
    return {(white, red): tickets for white, red, tickets in rows}


def _score(batch: TicketBatch, draw: Draw, counted: Counted) -> BatchScore:
    tiers = [counted.get((tier.white_matches, int(tier.powerball_match)), 0) for tier in PRIZE_TIERS]
    return BatchScore(
        batch=batch,
        draw_date=draw.draw_date,
        tickets=sum(counted.values()),
        purged=batch.generated - batch.stored,
        white_matches=sum(white * tickets for (white, _), tickets in counted.items()),
        prize_usd=sum(
            tier.prize_usd * tickets
            for tier, tickets in zip(PRIZE_TIERS, tiers, strict=True)
            if tier.prize_usd is not None
        ),
        scored_at=timezone.now(),
        **dict(zip(TIER_FIELDS, tiers, strict=True)),
        **{name: getattr(draw, name) for name in DRAWN_FIELDS},
    )
