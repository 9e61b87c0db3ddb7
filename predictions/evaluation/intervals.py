"""What a sample of draws says of a mean: the mean, its standard error and a 95 % interval, without SciPy.

The web process shows these and must stay small, so Student's quantile is expanded here.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.95
LEAST_FREEDOM = 4  # of the expansion: with fewer degrees of freedom it makes intervals too narrow


@dataclass(frozen=True)
class Interval:
    """A mean over n draws and where the truth lies in 95 of 100 cases; each a number or an array of them."""

    draws: int
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def mean_interval(values: ArrayLike) -> Interval:
    """The mean of one value a draw, along the last axis (… , draws), with Student's 95 % interval.

    The draws are independent, so the standard error is that between draws: s / sqrt(n), s with n - 1.
    ValueError for too few draws.
    """
    sample = np.asarray(values, dtype=np.float64)
    draws = sample.shape[-1]
    if draws <= LEAST_FREEDOM:
        raise ValueError(f"{draws} draws are too few: an interval needs {LEAST_FREEDOM + 1}")
    mean = sample.mean(axis=-1)
    standard_error = sample.std(axis=-1, ddof=1) / np.sqrt(draws)
    reach = student_quantile((1 + COVERAGE) / 2, draws - 1) * standard_error
    return Interval(draws, mean, standard_error, mean - reach, mean + reach)


def student_quantile(probability: float, freedom: int) -> float:
    """Student's t quantile by its Cornish-Fisher expansion in 1/freedom.

    Abramowitz & Stegun 1964, 26.7.5. At 97.5 % it is right to 1e-6 from 20 degrees of freedom on and to
    1e-3 from 4 on. ValueError for fewer, or for a probability that is not between 0 and 1.
    """
    if freedom < LEAST_FREEDOM:
        raise ValueError(f"{freedom} degrees of freedom: allowed is an integer from {LEAST_FREEDOM}")
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
