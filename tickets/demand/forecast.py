"""Forecast the tickets of a mode that will be claimed before sales close.

Claims are gamma-Poisson, so their number is negative binomial (Greenwood & Yule 1920). They arrive at rate x
profile: a gamma distributed rate per draw, around a mean per weekday, and the relative demand of each hour
before the close. The claims of the current draw update its rate; older hours are discounted (West, Harrison &
Migon 1985; Smith & Miller 1986). The overdispersion of hours is added to the variance. The number of tickets
per claim is assumed to be geometric.
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
PAST_DRAWS = 52  # four months

SMOOTHING = 2.0  # pseudo-claims of a flat profile, per hour of the profile
SHRINKAGE = 8.0  # pseudo-draws of the common rate, per weekday
# Prior of a mode without history; it weighs as much as three minutes of claims.
PRIOR_RATE, PRIOR_SHAPE = 20.0, 1.0
PRIOR_DRAWS = 4.0  # pseudo-draws with PRIOR_SHAPE
SHAPE_RANGE = 0.1, 4.0
PRIOR_OVERDISPERSION, PRIOR_SQUARES = 0.25, 100.0  # value, and its weight in squared claims
ITERATIONS = 30  # of the alternating fit
DISCOUNTS = 0.7 ** np.arange(8)  # weights of the current draw's hours, latest first
EFFECTIVE_WINDOW = float((DISCOUNTS**2).sum() / DISCOUNTS.sum() ** 2)  # 1 / effective number of hours
PRIOR_CLAIMS = 50.0  # pseudo-claims of the past mean size
EXACT_UP_TO = 50.0  # mean claims up to which the quantile is summed exactly


@dataclass(frozen=True)
class Demand:
    """Distribution of the tickets claimed within a window.

    `claims` is their mean number, `shape` the gamma shape of their rate, `size` the mean tickets per claim.
    """

    claims: float
    shape: float
    size: float

    @property
    def mean(self) -> float:
        return self.claims * self.size

    @property
    def dispersion(self) -> float:
        """Return the negative binomial shape of tickets / size (variance 2 claims + claims^2 / shape)."""
        return 1 / (1 / self.shape + 1 / self.claims) if self.claims else self.shape

    def quantile(self, probability: float) -> int:
        """Return the tickets that are not exceeded with this probability."""
        return math.ceil(self.size * claims_quantile(probability, self.claims, self.dispersion))


@dataclass(frozen=True)
class RateDistribution:
    """Gamma distribution of a draw's rate, in claims per hour where the profile is 1."""

    shape: float
    inverse_scale: float

    @property
    def mean(self) -> float:
        return self.shape / self.inverse_scale


@dataclass(frozen=True)
class DemandModel:
    """A mode's demand, fitted to past draws.

    `profile` (HOURS,) has a mean of 1 over the hours on sale; `weekday_rates` are in claims per hour;
    `shape` is the gamma shape of rates; `overdispersion` the squared coefficient of variation of an hour;
    `size` the mean tickets per claim.
    """

    profile: NDArray[np.float64]
    weekday_rates: tuple[float, ...]
    shape: float
    overdispersion: float
    size: float | None
    is_known: bool

    @cached_property
    def _cumulative(self) -> tuple[float, ...]:
        return 0.0, *np.cumsum(self.profile).tolist()

    def weight(self, start: float, end: float) -> float:
        """Return the sum of the profile from `start` down to `end`, in hours before the close."""
        return self._weight_to_close(start) - self._weight_to_close(end) if start > end else 0.0

    def _weight_to_close(self, hours_left: float) -> float:
        hour = min(int(hours_left), HOURS - 1)
        before, after = self._cumulative[hour], self._cumulative[hour + 1]
        return before + (after - before) * (hours_left - hour)

    def hours_left_after(self, start: float, weight: float) -> float:
        """Return the hours left once `weight` has passed since `start`; negative if sales close first."""
        remaining = self._weight_to_close(start) - weight
        return float(np.interp(remaining, self._cumulative, range(HOURS + 1))) if remaining >= 0 else -1.0

    def rate(self, history: SalesHistory, hours_left: float) -> RateDistribution:
        """Return the posterior rate of a draw at `hours_left`."""
        first = math.ceil(hours_left) - 1
        last = min(first + len(DISCOUNTS), math.ceil(history.opened))
        discounts = DISCOUNTS[: last - first]
        # The first and last hour may be only partly on sale.
        exposure = self.profile[first:last] @ discounts - self.profile[first] * (hours_left - first)
        if last > history.opened:
            exposure -= self.profile[last - 1] * discounts[-1] * (last - history.opened)
        claims = history.requested[first:last] @ discounts
        prior_exposure = self.shape / self.weekday_rates[history.weekday]
        return RateDistribution(self.shape + float(claims), prior_exposure + float(exposure))

    def claim_size(self, history: SalesHistory) -> float:
        """Return the mean number of tickets per claim, or 1 if none was granted."""
        if self.size is None:
            return history.tickets / history.granted if history.granted else 1.0
        return (PRIOR_CLAIMS * self.size + history.tickets) / (PRIOR_CLAIMS + history.granted)

    def forecast(self, history: SalesHistory, hours_left: float, hours: float) -> Demand:
        """Return the demand of the next `hours`, at most until sales close."""
        start = max(hours_left, history.closed)
        end = max(start - hours, history.closed)
        rate = self.rate(history, start)
        overdispersion = self.overdispersion * (self._herfindahl(start, end) + EFFECTIVE_WINDOW)
        return Demand(
            claims=rate.mean * self.weight(start, end),
            shape=1 / (1 / rate.shape + overdispersion),
            size=self.claim_size(history),
        )

    def _herfindahl(self, start: float, end: float) -> float:
        """Return the sum of squared hourly shares of a window, such as 1/n for n equal hours."""
        if start - end <= 1:
            return 1.0
        hours = np.arange(HOURS)
        weights = self.profile * np.clip(np.minimum(hours + 1, start) - np.maximum(hours, end), 0, 1)
        return float((weights**2).sum() / weights.sum() ** 2)


def fit(past: Sequence[SalesHistory]) -> DemandModel:
    """Fit a model to past draws; without any, it is flat with a wide distribution."""
    requested = np.array([history.requested for history in past]).reshape(-1, HOURS)
    exposure = np.array([history.exposure for history in past]).reshape(-1, HOURS)
    weekdays = [history.weekday for history in past]
    profile, rates = _fit_rates_and_profile(requested, exposure)
    weekday_rates = _shrink_weekday_rates(rates, weekdays)
    granted = sum(history.granted for history in past)
    return DemandModel(
        profile=profile,
        weekday_rates=tuple(weekday_rates.tolist()),
        shape=_estimate_shape(rates, weekday_rates[weekdays]),
        overdispersion=_estimate_overdispersion(requested, rates[:, None] * profile * exposure),
        size=sum(history.tickets for history in past) / granted if granted else None,
        is_known=bool(requested.any()),
    )


def _fit_rates_and_profile(
    requested: NDArray[np.float64], exposure: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the profile (HOURS,) and rates (draws,) whose products best fit the claims (draws, HOURS).

    Alternating maximum likelihood with negative binomial weights of the cells.
    """
    profile, rates = np.ones(HOURS), requested.sum(axis=1)
    if not requested.any():
        return profile, rates
    for _ in range(ITERATIONS):
        weights = 1 / (1 + PRIOR_OVERDISPERSION * rates[:, None] * profile * exposure)
        rates = (weights * requested).sum(axis=1) / (weights * profile * exposure).sum(axis=1)
        expected = (weights * rates[:, None] * exposure).sum(axis=0)
        profile = (SMOOTHING + (weights * requested).sum(axis=0)) / (SMOOTHING + expected)
        scale = exposure.sum() / (exposure @ profile).sum()
        profile, rates = profile * scale, rates / scale
    return profile, rates


def _shrink_weekday_rates(rates: NDArray[np.float64], weekdays: Sequence[int]) -> NDArray[np.float64]:
    common = float(rates.mean()) if rates.any() else PRIOR_RATE
    sums = np.bincount(weekdays, weights=rates, minlength=WEEKDAYS) if len(rates) else np.zeros(WEEKDAYS)
    counts = np.bincount(np.array(weekdays, dtype=int), minlength=WEEKDAYS)
    return (SHRINKAGE * common + sums) / (SHRINKAGE + counts)


def _estimate_shape(rates: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Estimate the gamma shape from the variance of rates around their expectation.

    Poisson noise is not subtracted: a slightly wider distribution adapts faster.
    """
    squares = float(((rates / expected - 1) ** 2).sum())
    variance = (PRIOR_DRAWS / PRIOR_SHAPE + squares) / (PRIOR_DRAWS + len(rates))
    return float(np.clip(1 / variance, *SHAPE_RANGE))


def _estimate_overdispersion(requested: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Estimate the variance of claims (draws, HOURS) beyond Poisson, in units of the squared mean."""
    weights = 1 / (1 + PRIOR_OVERDISPERSION * expected) ** 2
    excess = float((weights * ((requested - expected) ** 2 - expected)).sum())
    squares = float((weights * expected**2).sum())
    return max(0.0, PRIOR_OVERDISPERSION * PRIOR_SQUARES + excess) / (PRIOR_SQUARES + squares)


def claims_quantile(probability: float, mean: float, shape: float) -> int:
    """Return the smallest k with P(K <= k) >= probability, where K is negative binomial.

    The variance of K is mean + mean^2 / shape. Above EXACT_UP_TO, the Wilson-Hilferty approximation is
    within 3 % for shapes of at least 1. Raise ValueError unless 0 <= probability < 1.
    """
    if not 0 <= probability < 1:
        raise ValueError(f"probability {probability}: must be at least 0 and below 1")
    if mean <= 0:
        return 0
    if mean > EXACT_UP_TO:
        return _wilson_hilferty_quantile(probability, mean, shape)
    odds = mean / (mean + shape)
    term = cumulative = math.exp(-shape * math.log1p(mean / shape))
    claims = 0
    while cumulative < probability and term > 0:
        term *= (claims + shape) / (claims + 1) * odds
        cumulative += term
        claims += 1
    return claims


def _wilson_hilferty_quantile(probability: float, mean: float, shape: float) -> int:
    """Treat the cube root of a gamma variable as normal (Wilson & Hilferty 1931)."""
    k = 1 / (1 / mean + 1 / shape)
    root = 1 - 1 / (9 * k) + NormalDist().inv_cdf(max(probability, 1e-9)) / (3 * math.sqrt(k))
    return max(0, math.ceil(mean * max(root, 0.0) ** 3 - 0.5))
