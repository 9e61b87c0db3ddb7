"""What batches won, kept when their tickets are purged. Scores are made by `tickets.scoring.scorer` only."""

from functools import reduce
from operator import add

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from predictions.models import Draw
from predictions.powerball import PRIZE_TIERS, WHITE_BALLS, cost_usd, expected_prize_usd

# One column a tier, in the order of PRIZE_TIERS, so that SQL can add them up over batches.
TIER_FIELDS = tuple(f"tier_{number}" for number in range(1, len(PRIZE_TIERS) + 1))
DRAWN_FIELDS = ("n1", "n2", "n3", "n4", "n5", "powerball")
_TIERS = reduce(add, map(F, TIER_FIELDS))
_PRIZE = reduce(
    add,
    (F(name) * tier.prize_usd for name, tier in zip(TIER_FIELDS, PRIZE_TIERS, strict=True) if tier.prize_usd),
)


class BatchScoreQuerySet(models.QuerySet["BatchScore"]):
    def for_current_numbers(self) -> "BatchScoreQuerySet":
        """Scores against the draw as it is stored now; one against numbers corrected since does not count."""
        same = {name: OuterRef(name) for name in ("draw_date", *DRAWN_FIELDS)}
        return self.filter(Exists(Draw.objects.filter(**same)))


class BatchScore(models.Model):
    """What a batch's tickets won: how many in each prize tier. It outlives the tickets.

    The jackpot is counted and not priced, for it is shared and differs from draw to draw.
    """

    batch = models.OneToOneField(
        "tickets.TicketBatch", on_delete=models.PROTECT, primary_key=True, related_name="score"
    )
    draw_date = models.DateField()
    n1 = models.PositiveSmallIntegerField(help_text="With the five after it: the draw it was scored against.")
    n2 = models.PositiveSmallIntegerField()
    n3 = models.PositiveSmallIntegerField()
    n4 = models.PositiveSmallIntegerField()
    n5 = models.PositiveSmallIntegerField()
    powerball = models.PositiveSmallIntegerField()
    tickets = models.PositiveIntegerField(help_text="In the table when they were scored.")
    purged = models.PositiveIntegerField(help_text="Gone from the table before that.")
    white_matches = models.PositiveIntegerField(help_text="White balls hit, over all its tickets.")
    tier_1 = models.PositiveIntegerField(help_text="Tickets with 5 white balls and the Powerball: jackpot.")
    tier_2 = models.PositiveIntegerField(help_text="5 white balls.")
    tier_3 = models.PositiveIntegerField(help_text="4 white balls and the Powerball.")
    tier_4 = models.PositiveIntegerField(help_text="4 white balls.")
    tier_5 = models.PositiveIntegerField(help_text="3 white balls and the Powerball.")
    tier_6 = models.PositiveIntegerField(help_text="3 white balls.")
    tier_7 = models.PositiveIntegerField(help_text="2 white balls and the Powerball.")
    tier_8 = models.PositiveIntegerField(help_text="1 white ball and the Powerball.")
    tier_9 = models.PositiveIntegerField(help_text="The Powerball alone.")
    prize_usd = models.PositiveBigIntegerField(help_text="By the fixed prizes, jackpots not counted in.")
    scored_at = models.DateTimeField(default=timezone.now)

    objects = BatchScoreQuerySet.as_manager()

    class Meta:
        ordering = ["-draw_date", "-batch"]
        indexes = [
            # `/draws/{date}`: what was won in one draw; and the filter of the admin.
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
        """Of the draw it was scored against."""
        return [self.n1, self.n2, self.n3, self.n4, self.n5]

    @property
    def tiers(self) -> list[int]:
        """How many tickets won, in the order of PRIZE_TIERS."""
        return [getattr(self, name) for name in TIER_FIELDS]

    @property
    def won(self) -> str:
        """The tiers that tickets won, with how many: 3+1: 2, 0+1: 17."""
        tiers = zip(PRIZE_TIERS, self.tiers, strict=True)
        return ", ".join(f"{tier}: {count:,}" for tier, count in tiers if count) or "nothing"

    @property
    def cost_usd(self) -> int:
        return cost_usd(self.tickets)

    @property
    def expected_usd(self) -> float:
        """What as many tickets win on average, whatever made them, without the jackpot."""
        return expected_prize_usd(self.tickets)

    def matches(self, draw: Draw) -> bool:
        """Whether it was scored against these numbers."""
        return all(getattr(self, name) == getattr(draw, name) for name in DRAWN_FIELDS)
