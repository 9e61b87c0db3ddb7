"""How many tickets of a mode will be claimed until sales close: a law, from past draws and the running one.

The method: claims are gamma-Poisson, so their number is negative binomial (Greenwood & Yule 1920). Claims of
a draw come at the rate level x profile. The level is the draw's own; over draws it follows a gamma law whose
mean goes by the draw's weekday, shrunk towards that of all draws. The profile is what each hour before the
close has of it, the rush at the end too: learned over all draws at once by the likelihood of a table of
rows x columns, and smoothed by a few claims of a flat one, so that no hour is nought. While a draw is
sold, its level is updated by its claims beside those that the profile lets expect: the gamma law is
conjugate, so the posterior is gamma again. Earlier hours count less and less, as in power-discounted Poisson
models (West, Harrison & Migon 1985; Smith & Miller 1986), so the level follows a draw that goes as none
before it.

An hour differs from its draw's level more than by chance; how much, is estimated by moments over past draws
and added to the variance of what is to come: for the hours that the level is known by, and for those of the
window, the less the more they are, as they even out.

A claim is of several tickets. How their numbers vary is not kept; they are taken to vary as much as their
mean, as a geometric law does.

Places and hours are those of `sales`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tickets.demand.sales_window import HOURS, SalesHistory

WEEKDAYS = 7
PAST_DRAWS = 52  # that are learned from: four months

SMOOTHING = 2.0  # claims of a flat profile that stand beside an hour's own
SHRINKAGE = 8.0  # draws of the common level that stand beside a weekday's own
FIRST_LEVEL, FIRST_SHAPE = 20.0, 1.0  # of a mode without a past; worth three minutes of its first claims
FIRST_DRAWS = 4.0  # draws of FIRST_SHAPE that stand beside those known
SHAPES = 0.1, 4.0  # the law of levels is never taken for wider than that, or for narrower
FIRST_UNREST, FIRST_SQUARES = 0.25, 100.0  # unrest, and squared claims of it, that stand beside those known
ITERATIONS = 30  # of fitting rows and columns in turn
DISCOUNTS = 0.7 ** np.arange(8)  # of the running draw's claims, those of this hour, the one before it, ...
EFFECTIVE_WINDOW = float(
    (DISCOUNTS**2).sum() / DISCOUNTS.sum() ** 2
)  # 1 over the hours that a level is known by
KNOWN_CLAIMS = 50.0  # of the past that stand beside the running draw's, where a claim's size is taken
EXACT_UP_TO = 50.0  # claims on average: below it the law is summed, above it a formula is as good


@dataclass(frozen=True)
class Demand:
    """The law of the tickets claimed within a window; `claims` is the mean number of claims.

    `shape` is that of the level. As sizes vary as much as their mean, the variance in units of `size` is
    2 claims + claims^2 / shape: that of a negative binomial law with `spread` for its shape.
    """

    claims: float
    shape: float
    size: float

    @property
    def mean(self) -> float:
        """Tickets, on average."""
        return self.claims * self.size

    @property
    def spread(self) -> float:
        return 1 / (1 / self.shape + 1 / self.claims) if self.claims else self.shape

    def quantile(self, chance: float) -> int:
        """The least number of tickets that is not exceeded with this chance."""
        return math.ceil(self.size * claims_quantile(chance, self.claims, self.spread))


@dataclass(frozen=True)
class Level:
    """The gamma law of a draw's level, in claims an hour where the profile is 1."""

    shape: float
    rate: float

    @property
    def mean(self) -> float:
        return self.shape / self.rate


@dataclass(frozen=True)
class DemandModel:
    """What past draws say of the next one.

    `profile` has shape (HOURS,) and is 1 on average over what was for sale; `levels` has one entry a weekday,
    in claims an hour; `shape` is that of the gamma law of levels; `unrest` is the squared coefficient of
    variation of an hour around its draw's level; `size` is the tickets of a claim, None where none was
    granted; `is_known` says whether there was any claim.
    """

    profile: NDArray[np.float64]
    levels: tuple[float, ...]
    shape: float
    overdispersion: float
    size: float | None
    is_known: bool

    @cached_property
    def _sums(self) -> tuple[float, ...]:
        return 0.0, *np.cumsum(self.profile).tolist()

    def weight(self, begin: float, end: float) -> float:
        """The profile's share of a window between two places, `begin` being the earlier, in hours of it."""
        return self._weight_to(begin) - self._weight_to(end) if begin > end else 0.0

    def _weight_to(self, place: float) -> float:
        hour = min(int(place), HOURS - 1)
        return self._sums[hour] + (self._sums[hour + 1] - self._sums[hour]) * (place - hour)

    def place_after(self, begin: float, weight: float) -> float:
        """The place at which so much of the profile has passed since `begin`; below nought: never."""
        wanted = self._weight_to(begin) - weight
        return float(np.interp(wanted, self._sums, range(HOURS + 1))) if wanted >= 0 else -1.0

    def rate(self, sale: SalesHistory, place: float) -> Level:
        """The level of a draw that is sold up to a place, by what was known before it and by its claims."""
        first = math.ceil(place) - 1
        last = min(first + len(DISCOUNTS), math.ceil(sale.opened))
        counts = DISCOUNTS[: last - first]
        passed = self.profile[first:last] @ counts - self.profile[first] * (place - first)
        if last > sale.opened:
            passed -= self.profile[last - 1] * counts[-1] * (last - sale.opened)
        claims = sale.asked[first:last] @ counts
        return Level(self.shape + float(claims), self.shape / self.levels[sale.weekday] + float(passed))

    def claim_size(self, sale: SalesHistory) -> float:
        """Tickets a claim: those of the past, moved by the running draw's; 1 where none was granted."""
        if self.size is None:
            return sale.tickets / sale.granted if sale.granted else 1.0
        return (KNOWN_CLAIMS * self.size + sale.tickets) / (KNOWN_CLAIMS + sale.granted)

    def forecast(self, sale: SalesHistory, place: float, hours: float) -> Demand:
        """The demand of so many hours from a place on, at most until the sale closes."""
        place = max(place, sale.closed)
        level, size = self.rate(sale, place), self.claim_size(sale)
        end = max(place - hours, sale.closed)
        unrest = self.overdispersion * (self._herfindahl(place, end) + EFFECTIVE_WINDOW)
        shape = 1 / (1 / level.shape + unrest)
        return Demand(claims=level.mean * self.weight(place, end), shape=shape, size=size)

    def _herfindahl(self, begin: float, end: float) -> float:
        """Of a window's hours, the sum of their squared shares: 1 for a single hour, 1/n for n equal ones."""
        if begin - end <= 1:
            return 1.0
        starts = np.arange(HOURS)
        weights = self.profile * np.clip(np.minimum(starts + 1, begin) - np.maximum(starts, end), 0, 1)
        return float((weights**2).sum() / weights.sum() ** 2)


def fit(past: Sequence[SalesHistory]) -> DemandModel:
    """The pattern of past draws' sales; without any, a flat one of which next to nothing is known."""
    asked = np.array([one.asked for one in past]).reshape(-1, HOURS)
    exposure = np.array([one.exposure for one in past]).reshape(-1, HOURS)
    profile, levels = _fit_rates_and_profile(asked, exposure)
    of_weekdays = _weekday_levels(levels, [one.weekday for one in past])
    granted = sum(one.granted for one in past)
    return DemandModel(
        profile=profile,
        levels=tuple(of_weekdays.tolist()),
        shape=_shape(levels, of_weekdays[[one.weekday for one in past]]),
        overdispersion=_unrest(asked, levels[:, None] * profile * exposure),
        size=sum(one.tickets for one in past) / granted if granted else None,
        is_known=bool(asked.any()),
    )


def _fit_rates_and_profile(
    asked: NDArray[np.float64], exposure: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The profile (HOURS,) and the levels (draws,) whose products fit the claims (draws, HOURS) best.

    Each is the likelihood's maximum given the other and the cells' weights, in turn. The weights are those of
    a negative binomial law with FIRST_UNREST: a draw of ten times the claims does not know ten times better.
    """
    profile, levels = np.ones(HOURS), asked.sum(axis=1)
    if not asked.any():
        return profile, levels
    for _ in range(ITERATIONS):
        weights = 1 / (1 + FIRST_UNREST * levels[:, None] * profile * exposure)
        levels = (weights * asked).sum(axis=1) / (weights * profile * exposure).sum(axis=1)
        expected = (weights * levels[:, None] * exposure).sum(axis=0)
        profile = (SMOOTHING + (weights * asked).sum(axis=0)) / (SMOOTHING + expected)
        scale = exposure.sum() / (exposure @ profile).sum()
        profile, levels = profile * scale, levels / scale
    return profile, levels


def _weekday_levels(levels: NDArray[np.float64], weekdays: Sequence[int]) -> NDArray[np.float64]:
    """The mean level of each weekday (WEEKDAYS,), shrunk towards the mean of all."""
    common = float(levels.mean()) if levels.any() else FIRST_LEVEL
    sums = np.bincount(weekdays, weights=levels, minlength=WEEKDAYS) if len(levels) else np.zeros(WEEKDAYS)
    counts = np.bincount(np.array(weekdays, dtype=int), minlength=WEEKDAYS)
    return (SHRINKAGE * common + sums) / (SHRINKAGE + counts)


def _shape(levels: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """The gamma law's shape by the variance of levels around what was expected of them.

    The Poisson noise in them is not taken off: the law is a little too wide, and learns the faster.
    """
    squares = float(((levels / expected - 1) ** 2).sum())
    variance = (FIRST_DRAWS / FIRST_SHAPE + squares) / (FIRST_DRAWS + len(levels))
    return float(np.clip(1 / variance, *SHAPES))


def _unrest(asked: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """The variance of claims (draws, HOURS) beyond the Poisson law's, in units of the squared expectation.

    By moments, over cells weighted as for the profile.
    """
    weights = 1 / (1 + FIRST_UNREST * expected) ** 2
    beyond = float((weights * ((asked - expected) ** 2 - expected)).sum())
    squares = float((weights * expected**2).sum())
    return max(0.0, FIRST_UNREST * FIRST_SQUARES + beyond) / (FIRST_SQUARES + squares)


def claims_quantile(chance: float, mean: float, shape: float) -> int:
    """The least k with P(K <= k) >= chance, of a negative binomial law with variance mean + mean^2 / shape.

    Summed where the mean is small; else by the Wilson-Hilferty cube of the gamma law with the same mean and
    variance, continuity corrected: within 3 % for shapes from 1 on. ValueError unless 0 <= chance < 1.
    """
    if not 0 <= chance < 1:
        raise ValueError(f"chance {chance}: allowed is from 0 to below 1")
    if mean <= 0:
        return 0
    if mean > EXACT_UP_TO:
        return _cube_quantile(chance, mean, shape)
    odds = mean / (mean + shape)
    part = below = math.exp(-shape * math.log1p(mean / shape))
    claims = 0
    while below < chance and part > 0:
        part *= (claims + shape) / (claims + 1) * odds
        below += part
        claims += 1
    return claims


def _cube_quantile(chance: float, mean: float, shape: float) -> int:
    """Wilson & Hilferty 1931: the cube root of a gamma variable is nearly normal."""
    k = 1 / (1 / mean + 1 / shape)
    root = 1 - 1 / (9 * k) + NormalDist().inv_cdf(max(chance, 1e-9)) / (3 * math.sqrt(k))
    return max(0, math.ceil(mean * max(root, 0.0) ** 3 - 0.5))
