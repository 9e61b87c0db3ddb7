"""The forecast: quantiles vs. SciPy, fitting to past draws, and updating during a draw."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from tests.tickets.demand.past_sales import BY_WEEKDAY, gamma_past, known, sold, surge, up_to, windows
from tickets.demand.forecast import PAST_DRAWS, Demand, claims_quantile, fit
from tickets.demand.sales_window import HOURS

# The quantile


@pytest.mark.parametrize("chance", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("shape", [0.1, 0.5, 1, 3, 20, 1e6])
@pytest.mark.parametrize("mean", [0.001, 0.3, 2, 17.5, 49])
def test_a_small_quantile_is_exact(mean: float, shape: float, chance: float) -> None:
    assert claims_quantile(chance, mean, shape) == nbinom.ppf(chance, shape, shape / (shape + mean))


@pytest.mark.parametrize("chance", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("shape", [1, 2, 5, 20, 400, 1e6])
@pytest.mark.parametrize("mean", [51, 120, 3000, 1e6])
def test_a_large_one_is_exact_to_three_percent(mean: float, shape: float, chance: float) -> None:
    exact = nbinom.ppf(chance, shape, shape / (shape + mean))

    assert claims_quantile(chance, mean, shape) == pytest.approx(exact, rel=0.03)


def test_nothing_expected_is_nothing_and_a_chance_of_one_is_none() -> None:
    assert claims_quantile(0.999, 0.0, 3.0) == 0
    assert Demand(claims=0.0, shape=3.0, size=5.0).quantile(0.999) == 0
    for chance in (1.0, -0.1):
        with pytest.raises(ValueError, match="must be at least 0 and below 1"):
            claims_quantile(chance, 10, 1)


@given(mean=st.floats(0, 1e7), shape=st.floats(0.1, 1e6), low=st.floats(0, 0.999), high=st.floats(0, 0.999))
def test_a_higher_chance_never_needs_fewer(mean: float, shape: float, low: float, high: float) -> None:
    low, high = sorted((low, high))

    assert claims_quantile(low, mean, shape) <= claims_quantile(high, mean, shape)


@pytest.mark.parametrize("shape", [4.0, 1000.0])
def test_ticket_distribution_includes_the_variance_of_claim_sizes(shape: float) -> None:
    generator, demand = np.random.default_rng(1), Demand(claims=30.0, shape=shape, size=6.0)
    claims = generator.poisson(generator.gamma(shape, 30 / shape, 20_000))
    tickets = np.array([generator.geometric(1 / 6, count).sum() for count in claims])

    assert tickets.mean() == pytest.approx(demand.mean, rel=0.02)
    for chance in (0.5, 0.9, 0.99):
        assert np.quantile(tickets, chance) == pytest.approx(demand.quantile(chance), rel=0.05)


# Fitting


def test_forecast_without_history_is_small_and_uncertain() -> None:
    model, history = fit([]), windows(1)[0].history([])

    assert not model.is_known
    assert model.profile.tolist() == [1.0] * HOURS
    assert model.forecast(history, history.opened, 24).claims == pytest.approx(24 * 20)
    assert model.forecast(history, history.opened, 1).quantile(0.999) > 5 * 20
    requested = np.zeros(HOURS)
    requested[46] = 100.0  # in the first three minutes
    busy = replace(windows(3)[1].history([]), requested=requested)
    assert model.forecast(busy, busy.opened - 0.05, 1).claims == pytest.approx(1000, rel=0.1)


def test_the_profile_and_the_weekdays_levels_are_found_again_though_saturday_sells_longer() -> None:
    past = [
        sold(window, 30 * BY_WEEKDAY[window.draw_date.weekday()], surge()) for window in windows(PAST_DRAWS)
    ]

    model = fit(past)

    assert model.is_known
    assert model.size == 4
    assert model.profile[:3] / model.profile[10] == pytest.approx([5.0] * 3, rel=0.05)
    assert model.profile[3:47] / model.profile[10] == pytest.approx([1.0] * 44, rel=0.05)
    assert model.weekday_rates[5] / model.weekday_rates[0] == pytest.approx(2, rel=0.25)  # both are shrunk
    assert model.weekday_rates[0] == pytest.approx(model.weekday_rates[2], rel=0.01)
    assert (
        model.weekday_rates[0] < model.weekday_rates[6] < model.weekday_rates[5]
    )  # no draws on Sunday: the common rate


def test_a_draw_of_a_hundred_times_the_claims_does_not_make_the_profile_alone() -> None:
    usual = [sold(window, 30.0, surge()) for window in windows(20)]
    strange = sold(windows(21)[-1], 3000.0, surge(times=1.0))

    profile = fit([*usual, strange]).profile

    assert profile[:3] / profile[10] == pytest.approx([5.0] * 3, rel=0.15)


def test_single_observation_of_a_weekday_is_shrunk() -> None:
    saturday, monday, wednesday = windows(3)

    rates = fit([sold(saturday, 300.0), sold(monday, 30.0), sold(wednesday, 30.0)]).weekday_rates

    assert rates[0] == pytest.approx(rates[2])
    assert 30 < rates[0] < rates[5] < 160  # the mean of all is 120


def test_few_claims_change_the_profile_little_and_leave_no_hour_at_zero() -> None:
    window = windows(1)[0]
    requested = np.zeros(HOURS)
    requested[7] = 3.0

    model = fit([replace(window.history([]), requested=requested, granted=3, tickets=3)])

    assert model.profile.min() > 0.5
    assert 1 < model.profile[7] < 3  # by its own claims alone it would be 70


@pytest.mark.parametrize("shape", [0.7, 2.0])
def test_distribution_of_levels_is_as_wide_as_the_past(shape: float) -> None:
    fitted = fit(gamma_past(seed=1, draws=PAST_DRAWS, shape=shape)).shape

    assert shape / 2 < fitted < shape * 2


def test_overdispersion_is_zero_for_regular_hours_only() -> None:
    calm = gamma_past(seed=2, draws=PAST_DRAWS, shape=4.0)
    generator = np.random.default_rng(3)
    restless = [
        replace(
            history,
            requested=generator.poisson(history.requested * generator.gamma(5, 1 / 5, HOURS)).astype(float),
        )
        for history in calm
    ]

    assert fit(calm).overdispersion < 0.02
    assert fit(restless).overdispersion == pytest.approx(1 / 5, rel=0.35)


def test_forecast_allows_variation_after_equal_draws() -> None:
    assert known().shape == 4


# The current draw


def test_the_surge_before_the_close_is_in_the_forecast_before_it_comes() -> None:
    history = sold(windows(1)[0], 30.0, surge())

    quiet = known().forecast(up_to(history, 6), 6.0, 1.0).claims
    late = known().forecast(up_to(history, 3), 3.0, 1.0).claims

    assert quiet == pytest.approx(30, rel=0.03)
    assert late == pytest.approx(150, rel=0.05)


def test_a_window_ends_with_the_sale_and_windows_add_up() -> None:
    history, model = up_to(sold(windows(1)[0], 30.0, surge()), 5), known()
    rest = model.forecast(history, 5.0, 5.0)

    assert model.forecast(history, 5.0, 99.0).claims == rest.claims
    assert model.forecast(history, history.closed, 1.0).claims == 0
    two = model.forecast(history, 5.0, 2.0).claims
    weight = model.weight(3.0, history.closed) / model.weight(5.0, history.closed)
    assert two + rest.claims * weight == pytest.approx(rest.claims)


@pytest.mark.parametrize("times", [0.1, 1.0, 10.0])
def test_forecast_adapts_to_a_draw_within_three_hours(times: float) -> None:
    model = fit(gamma_past(seed=1, draws=PAST_DRAWS, shape=4.0))
    history = sold(windows(1)[0], 30.0 * times, surge())
    hours = np.floor(history.opened)

    at_once = model.forecast(windows(1)[0].history([]), history.opened, 24.0)
    later = model.forecast(up_to(history, hours - 3), hours - 3, 24.0)

    assert at_once.claims == pytest.approx(30 * 24, rel=0.3)
    assert later.claims == pytest.approx(30 * 24 * times, rel=0.15 if times >= 1 else 0.8)


def test_the_present_hour_counts_for_as_much_of_it_as_is_over() -> None:
    model, history = fit([]), windows(1)[0].history([])
    requested = np.where(np.arange(HOURS) >= 20, 60.0, 0.0)
    requested[20] = 15.0  # a quarter of the hour from 21 to 20 is over

    steady = model.rate(replace(history, requested=requested), 20.75).mean

    assert steady == pytest.approx(60, rel=0.05)
    assert model.rate(replace(history, requested=requested), 20.001).mean < 0.85 * steady


def test_a_claim_s_size_follows_the_running_draw_and_is_one_where_none_was_granted() -> None:
    history = windows(1)[0].history([])

    assert known().claim_size(history) == 4
    assert known().claim_size(replace(history, granted=50, tickets=1000)) == 12
    assert fit([]).claim_size(history) == 1
    assert fit([]).claim_size(replace(history, granted=2, tickets=14)) == 7


def test_hours_to_close_match_the_cumulative_profile() -> None:
    model = known()

    for begin, end in ((30.5, 7.25), (3.0, 2.5), (40.0, 39.0)):
        assert model.hours_left_after(begin, model.weight(begin, end)) == pytest.approx(end)
    assert model.hours_left_after(2.0, 1e9) < 0


@given(
    seed=st.integers(0, 1000),
    draws=st.integers(0, 8),
    hours_left=st.floats(0.02, 71),
    hours=st.floats(0, 80),
    scale=st.sampled_from([0.0, 0.01, 1.0, 1e5]),
)
def test_whatever_was_claimed_a_forecast_is_finite_and_no_less_for_more_time(
    seed: int, draws: int, hours_left: float, hours: float, scale: float
) -> None:
    generator = np.random.default_rng(seed)
    past = [
        replace(draw, requested=np.floor(draw.requested * scale)) for draw in gamma_past(seed, draws + 1, 0.5)
    ]
    model = fit(past[:-1])
    history = replace(past[-1], requested=past[-1].requested * generator.integers(0, 2, HOURS))
    hours_left = min(hours_left, history.opened)

    less, more = (model.forecast(history, hours_left, duration) for duration in (hours / 2, hours))

    assert np.isfinite([less.mean, more.mean, more.shape]).all()
    assert 0 <= less.mean <= more.mean
    assert more.quantile(0.999) >= more.quantile(0.5) >= 0
