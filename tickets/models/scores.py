"""Scores of ticket batches, created by `tickets.scoring.scorer`. They outlive the tickets."""

from functools import reduce
from operator import add

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from predictions.models import Draw
from predictions.powerball import PRIZE_TIERS, WHITE_BALLS, cost_usd, expected_prize_usd

# One column per tier, in the order of PRIZE_TIERS, so that SQL can sum them.
TIER_FIELDS = tuple(f"tier_{number}" for number in range(1, len(PRIZE_TIERS) + 1))
DRAWN_FIELDS = ("n1", "n2", "n3", "n4", "n5", "powerball")
_TIERS = reduce(add, map(F, TIER_FIELDS))
_PRIZE = reduce(
    add,
    (F(name) * tier.prize_usd for name, tier in zip(TIER_FIELDS, PRIZE_TIERS, strict=True) if tier.prize_usd),
)


class BatchScoreQuerySet(models.QuerySet["BatchScore"]):
    def for_current_numbers(self) -> "BatchScoreQuerySet":
        """Exclude scores for numbers of a draw that have since been corrected."""
        same = {name: OuterRef(name) for name in ("draw_date", *DRAWN_FIELDS)}
        return self.filter(Exists(Draw.objects.filter(**same)))


class BatchScore(models.Model):
    """Winning tickets of a batch per prize tier.

    Jackpots are counted but not included in the prize, as their amount varies and is shared.
    """

    batch = models.OneToOneField(
        "tickets.TicketBatch", on_delete=models.PROTECT, primary_key=True, related_name="score"
    )
    draw_date = models.DateField()
    n1 = models.PositiveSmallIntegerField(
        help_text="Winning numbers of the draw it was scored against (with the next five fields)."
    )
    n2 = models.PositiveSmallIntegerField()
    n3 = models.PositiveSmallIntegerField()
    n4 = models.PositiveSmallIntegerField()
    n5 = models.PositiveSmallIntegerField()
    powerball = models.PositiveSmallIntegerField()
    tickets = models.PositiveIntegerField(help_text="Tickets in the table when scored.")
    purged = models.PositiveIntegerField(help_text="Tickets purged before scoring.")
    white_matches = models.PositiveIntegerField(help_text="Matching white balls, over all tickets.")
    tier_1 = models.PositiveIntegerField(help_text="Tickets with 5 white balls and the Powerball: jackpot.")
    tier_2 = models.PositiveIntegerField(help_text="5 white balls.")
    tier_3 = models.PositiveIntegerField(help_text="4 white balls and the Powerball.")
    tier_4 = models.PositiveIntegerField(help_text="4 white balls.")
    tier_5 = models.PositiveIntegerField(help_text="3 white balls and the Powerball.")
    tier_6 = models.PositiveIntegerField(help_text="3 white balls.")
    tier_7 = models.PositiveIntegerField(help_text="2 white balls and the Powerball.")
    tier_8 = models.PositiveIntegerField(help_text="1 white ball and the Powerball.")
    tier_9 = models.PositiveIntegerField(help_text="The Powerball alone.")
    prize_usd = models.PositiveBigIntegerField(help_text="Fixed prizes, without jackpots.")
    scored_at = models.DateTimeField(default=timezone.now)

    objects = BatchScoreQuerySet.as_manager()

    class Meta:
        ordering = ["-draw_date", "-batch"]
        indexes = [
            # For `/draws/{date}` and the admin's filter.
            models.Index(fields=["draw_date"], name="idx_batch_score_draw"),
        ]
        constraints = [
            models.CheckConstraint(name="batch_score_has_tickets", condition=Q(tickets__gte=1)),
            models.CheckConstraint(
                name="batch_score_tiers_agree",
                condition=Q(tickets__gte=_TIERS),
            ),
            models.CheckConstraint(
                name="batch_score_white_matches_agree",
                condition=Q(white_matches__lte=F("tickets") * WHITE_BALLS),
            ),
            models.CheckConstraint(name="batch_score_prize_agrees", condition=Q(prize_usd=_PRIZE)),
        ]

    def __str__(self) -> str:
        return f"score of {self.batch}"

    @property
    def white_balls(self) -> list[int]:
        return [self.n1, self.n2, self.n3, self.n4, self.n5]

    @property
    def tiers(self) -> list[int]:
        """Winning tickets per tier, in the order of PRIZE_TIERS."""
        return [getattr(self, name) for name in TIER_FIELDS]

    @property
    def won(self) -> str:
        """Winning tiers with their counts, such as "3+1: 2, 0+1: 17"."""
        tiers = zip(PRIZE_TIERS, self.tiers, strict=True)
        return ", ".join(f"{tier}: {count:,}" for tier, count in tiers if count) or "nothing"

    @property
    def cost_usd(self) -> int:
        return cost_usd(self.tickets)

    @property
    def expected_usd(self) -> float:
        """Expected fixed prizes of the same number of tickets."""
        return expected_prize_usd(self.tickets)

    def matches(self, draw: Draw) -> bool:
        return all(getattr(self, name) == getattr(draw, name) for name in DRAWN_FIELDS)
