"""Results of the modes, per draw and over all scored draws.

The unit of evidence is the draw: all its tickets meet the same numbers.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Sum

from predictions.evaluation.intervals import Interval, mean_interval
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import EXPECTED_WHITE_MATCHES, PRIZE_TIERS, PrizeTier, cost_usd, expected_prize_usd
from tickets.models.scores import TIER_FIELDS, BatchScore, BatchScoreQuerySet

MIN_DRAWS = 30  # minimum for a verdict


@dataclass(frozen=True)
class TierResult:
    tier: PrizeTier
    tickets: int
    expected: float


@dataclass(frozen=True)
class Result:
    """A mode's results. `prize_usd` is the sum of fixed prizes, without jackpots."""

    mode: str
    batches: int
    tickets: int
    white_matches: int
    tier_counts: tuple[int, ...]
    prize_usd: int

    @property
    def tiers(self) -> list[TierResult]:
        return [
            TierResult(tier, count, float(self.tickets / tier.odds_one_in))
            for tier, count in zip(PRIZE_TIERS, self.tier_counts, strict=True)
        ]

    @property
    def cost_usd(self) -> int:
        return cost_usd(self.tickets)

    @property
    def expected_usd(self) -> float:
        return expected_prize_usd(self.tickets)

    @property
    def excess_matches(self) -> float:
        """Return white matches per ticket minus their expectation in a fair draw (25/69)."""
        return self.white_matches / self.tickets - float(EXPECTED_WHITE_MATCHES)


@dataclass(frozen=True)
class ModeResult:
    """A mode's results over all scored draws.

    The test statistic is the mean number of white matches per ticket in a draw, which is bounded. Prize
    money has no interval: 44 % of its expectation comes from the prizes of $50,000 and $1,000,000.
    """

    total: Result
    draws: int
    excess: Interval | None  # of excess_matches; None below MIN_DRAWS

    @property
    def verdict(self) -> str:
        if self.excess is None:
            return "too few to say"
        if self.excess.low > 0:
            return "more white balls than chance on these draws"
        if self.excess.high < 0:
            return "fewer white balls than chance on these draws"
        return "indistinguishable from chance"


def draw_results(draw_date: date) -> list[Result]:
    return load_results(BatchScore.objects.filter(draw_date=draw_date))


def mode_results() -> list[ModeResult]:
    """Return the result of every mode, including those without scores."""
    by_mode: dict[str, list[Result]] = {mode: [] for mode in MODE_NAMES}
    for result in load_results(BatchScore.objects.all()):
        by_mode[result.mode].append(result)
    return [combine_results(mode, results) for mode, results in by_mode.items()]


def load_results(scores: BatchScoreQuerySet) -> list[Result]:
    sums = {name: Sum(name) for name in ("tickets", "white_matches", "prize_usd", *TIER_FIELDS)}
    groups = scores.for_current_numbers().order_by().values("batch__mode", "draw_date")
    rows: Any = groups.annotate(batches=Count("pk"), **sums)
    results = [
        Result(
            mode=row["batch__mode"],
            batches=row["batches"],
            tickets=row["tickets"],
            white_matches=row["white_matches"],
            tier_counts=tuple(row[name] for name in TIER_FIELDS),
            prize_usd=int(row["prize_usd"]),
        )
        for row in rows
    ]
    return sorted(results, key=lambda result: MODE_NAMES.index(result.mode))


def combine_results(mode: str, results: list[Result]) -> ModeResult:
    total = Result(
        mode=mode,
        batches=sum(result.batches for result in results),
        tickets=sum(result.tickets for result in results),
        white_matches=sum(result.white_matches for result in results),
        tier_counts=tuple(
            sum(result.tier_counts[tier] for result in results) for tier in range(len(PRIZE_TIERS))
        ),
        prize_usd=sum(result.prize_usd for result in results),
    )
    has_enough = len(results) >= MIN_DRAWS
    excess = mean_interval([result.excess_matches for result in results]) if has_enough else None
    return ModeResult(total, len(results), excess)
