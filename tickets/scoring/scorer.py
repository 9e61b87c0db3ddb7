"""Score the batches of a draw: count the winning tickets per prize tier.

Scoring a draw twice changes nothing. A batch cannot be scored again once some of its scored tickets are
purged: its score remains and a warning is logged.
"""

import logging
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from functools import reduce
from operator import add, attrgetter
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
read_state = attrgetter("status", "generated", "stored")


class Verdict(StrEnum):
    SCORED = "scored"
    UNCHANGED = "already scored"
    EMPTY = "without tickets"
    UNFINISHED = "not finished"
    DELETED = "not scored: the draw was deleted meanwhile"
    UNSCORABLE = "cannot be scored again: some of its tickets were purged"


class ScoringOutcome(NamedTuple):
    batch: TicketBatch
    verdict: Verdict
    score: BatchScore | None


ScoringCallback = Callable[[ScoringOutcome], None]
# {(white matches, Powerball matches): tickets}
MatchCounts = dict[tuple[int, int], int]


def score_known_draws(watch: ScoringCallback = lambda outcome: None) -> list[BatchScore]:
    """Score all due draws, oldest first, and return the new scores."""
    return [score for draw in draws_to_score() for score in score_draw(draw, watch)]


def score_if_drawn(day: date) -> list[BatchScore]:
    """Score the batches of a draw if its numbers are stored."""
    draw = Draw.objects.filter(draw_date=day).first()
    return [] if draw is None else score_draw(draw)


def draws_to_score() -> list[Draw]:
    """Return the stored draws with a finished batch that is unscored, has new tickets or other numbers."""
    is_unscored = Q(score=None, stored__gt=0)
    has_new_tickets = Q(generated__gt=F("score__tickets") + F("score__purged"))
    same_numbers = {name: OuterRef(f"score__{name}") for name in DRAWN_FIELDS}
    has_other_numbers = Q(score__isnull=False) & ~Exists(
        Draw.objects.filter(draw_date=OuterRef("draw_date"), **same_numbers)
    )
    finished = TicketBatch.objects.exclude(status__in=TicketBatch.UNFINISHED).order_by()
    due = finished.filter(is_unscored | has_new_tickets | has_other_numbers).values("draw_date")
    return list(Draw.objects.filter(draw_date__in=due).order_by("draw_date"))


def score_draw(draw: Draw, watch: ScoringCallback = lambda outcome: None) -> list[BatchScore]:
    """Score each batch of a draw in its own short transaction and return the new scores."""
    scores = []
    batches = TicketBatch.objects.select_related("run", "score").filter(draw_date=draw.draw_date)
    for batch in batches.order_by("id"):
        outcome = score_batch(batch, draw)
        if outcome.verdict == Verdict.SCORED and outcome.score is not None:
            scores.append(outcome.score)
        elif outcome.verdict == Verdict.UNSCORABLE:
            logger.warning("%s of %s for %s %s", batch, batch.run, draw.draw_date, outcome.verdict)
        watch(outcome)
    if scores:
        logger.info("Draw of %s: %d batches scored", draw.draw_date, len(scores))
    return scores


def score_batch(batch: TicketBatch, draw: Draw) -> ScoringOutcome:
    if outcome := early_outcome(batch, draw):
        return outcome
    counts = count_matches(batch, draw)  # outside the transaction: a million tickets take a second
    with transaction.atomic():
        locked = TicketBatch.objects.select_related("run").select_for_update(of=("self",)).get(pk=batch.pk)
        if read_state(locked) != read_state(batch):
            # Tickets were purged or added meanwhile, which the lock now prevents.
            if outcome := early_outcome(locked, draw):
                return outcome
            counts = count_matches(locked, draw)
        if not counts:
            return ScoringOutcome(locked, Verdict.EMPTY, None)
        if not Draw.objects.select_for_update().filter(pk=draw.pk).first():
            return ScoringOutcome(locked, Verdict.DELETED, None)
        score = build_score(locked, draw, counts)
        score.save()
    return ScoringOutcome(locked, Verdict.SCORED, score)


def early_outcome(batch: TicketBatch, draw: Draw) -> ScoringOutcome | None:
    """Return the outcome if there is nothing to count, or None if the batch is due."""
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


def count_matches(batch: TicketBatch, draw: Draw) -> MatchCounts:
    white = reduce(
        add, (Case(When(**{f"{name}__in": draw.white_balls}, then=1), default=0) for name in WHITE_FIELDS)
    )
    red = Case(When(powerball=draw.powerball, then=1), default=0)
    tickets = PreGeneratedTicket.objects.of_batch(batch).order_by().annotate(white=white, red=red)
    rows = tickets.values_list("white", "red").annotate(count=Count("pk"))
    return {(white, red): count for white, red, count in rows}


def build_score(batch: TicketBatch, draw: Draw, counts: MatchCounts) -> BatchScore:
    tiers = [counts.get((tier.white_matches, int(tier.powerball_match)), 0) for tier in PRIZE_TIERS]
    return BatchScore(
        batch=batch,
        draw_date=draw.draw_date,
        tickets=sum(counts.values()),
        purged=batch.generated - batch.stored,
        white_matches=sum(white * tickets for (white, _), tickets in counts.items()),
        prize_usd=sum(
            tier.prize_usd * tickets
            for tier, tickets in zip(PRIZE_TIERS, tiers, strict=True)
            if tier.prize_usd is not None
        ),
        scored_at=timezone.now(),
        **dict(zip(TIER_FIELDS, tiers, strict=True)),
        **{name: getattr(draw, name) for name in DRAWN_FIELDS},
    )
