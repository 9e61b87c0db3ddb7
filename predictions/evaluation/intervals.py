"""Means over draws with standard errors and Student's 95 % intervals.

The web process uses these and must not load SciPy, so Student's quantile is computed here.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.95
MIN_FREEDOM = 4  # with fewer degrees of freedom the expansion gives intervals that are too narrow


@dataclass(frozen=True)
class Interval:
    """A mean over draws with its 95 % interval. The arrays may have any shape, including ()."""

    draws: int
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def mean_interval(values: ArrayLike) -> Interval:
    """Return the mean of one value per draw and Student's 95 % interval.

    `values` has shape (…, draws); the mean is over the last axis. Draws are independent, so the standard
    error is s / sqrt(n), with n - 1 in the variance. Raise ValueError for fewer than MIN_FREEDOM + 1 draws.
    """
    sample = np.asarray(values, dtype=np.float64)
    draws = sample.shape[-1]
    if draws <= MIN_FREEDOM:
        raise ValueError(f"{draws} draws are too few: an interval needs at least {MIN_FREEDOM + 1}")
    mean = sample.mean(axis=-1)
    standard_error = sample.std(axis=-1, ddof=1) / np.sqrt(draws)
    margin = student_quantile((1 + COVERAGE) / 2, draws - 1) * standard_error
    return Interval(draws, mean, standard_error, mean - margin, mean + margin)


def student_quantile(probability: float, freedom: int) -> float:
    """Return Student's t quantile by its Cornish-Fisher expansion in 1/freedom.

    Source: Abramowitz & Stegun 1964, 26.7.5. At 97.5 % the error is below 1e-6 from 20 degrees of freedom and
    below 1e-3 from 4. Raise ValueError for fewer, or if the probability is not between 0 and 1.
    """
    if freedom < MIN_FREEDOM:
        raise ValueError(f"{freedom} degrees of freedom: allowed is an integer from {MIN_FREEDOM}")
    if not 0 < probability < 1:
        raise ValueError(f"probability {probability}: allowed is a number between 0 and 1")
    x = NormalDist().inv_cdf(probability)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / freedom**order for order, term in enumerate(terms, start=1))
