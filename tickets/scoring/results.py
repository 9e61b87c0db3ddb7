"""What the modes won, read from the scores of their batches: in one draw, and over all scored draws.

The unit of evidence is the draw. All tickets of one draw meet the same numbers, so a draw shows counts
beside what was expected, and nothing about a mode; a mode is judged by its draws.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Sum

from predictions.evaluation.intervals import Interval, mean_interval
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import EXPECTED_WHITE_MATCHES, PRIZE_TIERS, PrizeTier, cost_usd, expected_prize_usd
from tickets.models.scores import TIER_FIELDS, BatchScore, BatchScoreQuerySet

MIN_DRAWS = 30  # with fewer nothing is said of a mode


@dataclass(frozen=True)
class TierResult:
    """How many tickets won a tier, beside how many of as many tickets do on average."""

    tier: PrizeTier
    tickets: int
    expected: float


@dataclass(frozen=True)
class Result:
    """What the tickets of a mode won. `prize_usd` is by the fixed prizes; jackpots are not counted in."""

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
        """White balls a ticket hit, beyond the exact 25/69 of any law; 0 on average when draws are fair."""
        return self.white_matches / self.tickets - float(EXPECTED_WHITE_MATCHES)


@dataclass(frozen=True)
class ModeResult:
    """A mode over its scored draws.

    What is tested is the number of white balls a ticket hits, first averaged over all of a draw's tickets,
    then compared between draws: it is bounded, so that its interval can be trusted. The money stands beside
    its expectation without an interval: 44 % of what is expected comes from the prizes of $50,000 and
    $1,000,000, which few draws see, and an interval from draws without them would be false.
    """

    total: Result
    draws: int
    excess: Interval | None  # white balls a ticket beyond 25/69; None under MIN_DRAWS

    @property
    def verdict(self) -> str:
        """Plain words for the interval."""
        if self.excess is None:
            return "too few to say"
        if self.excess.low > 0:
            return "more white balls than chance on these draws"
        if self.excess.high < 0:
            return "fewer white balls than chance on these draws"
        return "no more and no fewer white balls than chance"


def draw_results(draw_date: date) -> list[Result]:
    """What each mode's tickets won in one draw; modes without a score are left out."""
    return _results(BatchScore.objects.filter(draw_date=draw_date))


def mode_results() -> list[ModeResult]:
    """Every mode over all its scored draws; one that was never scored has no draws and no tickets."""
    by_mode: dict[str, list[Result]] = {mode: [] for mode in MODE_NAMES}
    for result in _results(BatchScore.objects.all()):
        by_mode[result.mode].append(result)
    return [_mode_result(mode, draws) for mode, draws in by_mode.items()]


def _results(scores: BatchScoreQuerySet) -> list[Result]:
    """One result for each mode and draw, the modes in their usual order."""
    sums = {name: Sum(name) for name in ("tickets", "white_matches", "prize_usd", *TIER_FIELDS)}
    scored = scores.for_current_numbers().order_by().values("batch__mode", "draw_date")
    rows: Any = scored.annotate(batches=Count("pk"), **sums)
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


def _mode_result(mode: str, draws: list[Result]) -> ModeResult:
    total = Result(
        mode=mode,
        batches=sum(draw.batches for draw in draws),
        tickets=sum(draw.tickets for draw in draws),
        white_matches=sum(draw.white_matches for draw in draws),
        tier_counts=tuple(
            sum(draw.tier_counts[place] for draw in draws) for place in range(len(PRIZE_TIERS))
        ),
        prize_usd=sum(draw.prize_usd for draw in draws),
    )
    enough = len(draws) >= MIN_DRAWS
    excess = mean_interval([draw.excess_matches for draw in draws]) if enough else None
    return ModeResult(total, len(draws), excess)
