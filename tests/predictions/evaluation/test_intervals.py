"""Student's quantile against SciPy's, and the coverage of the interval of a mean."""

import numpy as np
import pytest
from scipy import stats

from predictions.distributions.components import uniform_component
from predictions.distributions.sampling import generator_for, sample
from predictions.evaluation.intervals import mean_interval, student_quantile
from predictions.powerball import EXPECTED_WHITE_MATCHES
from tests.factories import component_with, tilted_component

SEASONS, DRAWS, TICKETS = 2_000, 40, 25


@pytest.mark.parametrize(("freedom", "error"), [(4, 1e-3), (5, 1e-3), (20, 1e-6), (29, 1e-6), (500, 1e-6)])
@pytest.mark.parametrize("probability", [0.025, 0.5, 0.9, 0.975])
def test_the_quantile_is_scipys(probability: float, freedom: int, error: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(
        stats.t.ppf(probability, freedom), abs=error
    )


@pytest.mark.parametrize(
    ("probability", "freedom", "message"),
    [
        (0.975, 3, "3 degrees of freedom: allowed is an integer from 4"),
        (0.0, 30, "probability 0.0"),
        (1, 30, "1"),
    ],
)
def test_invalid_quantile_arguments_are_rejected(probability: float, freedom: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        student_quantile(probability, freedom)


def test_the_interval_of_a_sample_is_the_textbooks() -> None:
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]

    interval = mean_interval(values)

    low, high = stats.t.interval(0.95, 7, np.mean(values), stats.sem(values))
    assert (interval.draws, interval.mean) == (8, 5.0)
    assert interval.standard_error == pytest.approx(stats.sem(values))
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_four_draws_are_too_few_for_an_interval() -> None:
    with pytest.raises(ValueError, match="4 draws are too few: an interval needs at least 5"):
        mean_interval([1.0, 2.0, 3.0, 4.0])


def excess_of_fair_seasons() -> np.ndarray:
    """Return mean hits minus 25/69, shape (seasons, draws), for tilted tickets in fair draws."""
    count = SEASONS * DRAWS
    drawn = sample(uniform_component(), count, generator_for(1))[:, :5]
    tickets = sample(tilted_component(), count * TICKETS, generator_for(2))[:, :5]
    is_drawn = np.zeros((count, 70), dtype=bool)
    is_drawn[np.arange(count)[:, None], drawn] = True
    hits = is_drawn[np.repeat(np.arange(count), TICKETS)[:, None], tickets].sum(axis=1)
    return (hits.reshape(SEASONS, DRAWS, TICKETS).mean(axis=2)) - float(EXPECTED_WHITE_MATCHES)


def test_the_interval_of_tilted_tickets_in_fair_draws_has_its_nominal_coverage() -> None:
    interval = mean_interval(excess_of_fair_seasons())

    covered = np.mean((interval.low <= 0) & (interval.high >= 0))
    assert 0.93 <= covered <= 0.97
    assert np.mean(interval.low > 0) > 0.01  # it misses on both sides
    assert np.mean(interval.high < 0) > 0.01


def test_an_interval_over_tickets_instead_of_draws_would_say_far_too_much() -> None:
    """One fixed set of tickets meets the same draw, so the tickets are not independent."""
    tickets = sample(tilted_component(), 20_000, generator_for(2))[:, :5]
    drawn = sample(uniform_component(), 200, generator_for(1))[:, :5]
    contains = (tickets[:, :, None] == np.arange(1, 70)).any(axis=1)
    hits = np.array([contains[:, balls - 1].sum(axis=1) for balls in drawn], dtype=float)

    interval = mean_interval(hits - float(EXPECTED_WHITE_MATCHES))  # one row per draw, over its tickets

    assert np.mean((interval.low <= 0) & (interval.high >= 0)) < 0.5


def test_a_distribution_that_the_draws_follow_is_detected() -> None:
    """If draws and tickets prefer the same balls, the interval excludes zero."""
    component = component_with(white=[20.0] * 10 + [1.0] * 59)
    drawn = sample(component, DRAWS, generator_for(3))[:, :5]
    tickets = sample(component, DRAWS * TICKETS, generator_for(4))[:, :5].reshape(DRAWS, TICKETS, 5)
    hits = (tickets[:, :, :, None] == drawn[:, None, None, :]).sum(axis=(2, 3)).mean(axis=1)

    assert mean_interval(hits - float(EXPECTED_WHITE_MATCHES)).low > 0
