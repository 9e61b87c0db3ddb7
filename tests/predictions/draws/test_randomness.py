"""The randomness report on real draws, on simulated fair draws and on biased draws."""

import json
import subprocess
import sys

import numpy as np
import pytest
from django.conf import settings
from scipy import stats

from predictions.distributions.components import Component, uniform_component
from predictions.distributions.sampling import generator_for, sample
from predictions.draws import feeds
from predictions.draws.bundled import BUNDLED_FILES
from predictions.draws.randomness import (
    BALLS,
    Finding,
    Randomness,
    chi_square_text,
    overall_verdict,
    p_text,
    randomness_report,
)
from predictions.modes.features import History
from predictions.powerball import CURRENT_ERA
from tests.factories import component_with

DRAWS = 300  # of each simulated history
HISTORIES = 2000
LOADED = component_with(white=[3.0] + [1.0] * 68)


def histories_of(component: Component, count: int, draws: int = DRAWS, seed: int = 1) -> list[History]:
    """Fair histories from the sampler, whose distribution `test_distribution` verifies."""
    drawn = sample(component, count * draws, generator_for(seed)).astype(np.int64).reshape(count, draws, 6)
    return [History(draws[:, :5], draws[:, 5]) for draws in drawn]


@pytest.fixture(scope="module")
def real() -> Randomness:
    """The report of the 1,288 real draws of the era."""
    rows = feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled")
    draws = sorted(
        (row.draw for row in rows if row.draw and row.draw.draw_date >= CURRENT_ERA.since),
        key=lambda draw: draw.draw_date,
    )
    white, powerball = [draw.white_balls for draw in draws], [draw.powerball for draw in draws]
    return randomness_report(History(np.array(white), np.array(powerball)))


@pytest.fixture(scope="module")
def fair() -> list[Randomness]:
    """Reports of thousands of fair histories."""
    return [randomness_report(history) for history in histories_of(uniform_component(), HISTORIES)]


# The real draws


def test_the_real_draws_frequencies_are_those_of_fair_draws(real: Randomness) -> None:
    assert real.draws == 1288
    assert sum(real.white.counts) == 5 * 1288
    assert sum(real.powerball.counts) == 1288
    assert (real.white.degrees_of_freedom, real.powerball.degrees_of_freedom) == (68, 25)
    assert chi_square_text(real.white.as_json()) == "85.42 (p 0.075)"
    assert chi_square_text(real.powerball.as_json()) == "20.84 (p 0.70)"
    assert real.white.statistic == pytest.approx(85.4174, abs=1e-4)
    assert real.white.p == pytest.approx(0.075175, abs=1e-6)
    assert real.powerball.statistic == pytest.approx(20.8416, abs=1e-4)
    assert real.powerball.p == pytest.approx(0.701407, abs=1e-6)


def test_the_real_draws_repeats_are_those_of_fair_draws(real: Randomness) -> None:
    white, powerball = real.white_repeats, real.powerball_repeats
    assert (white.pairs, white.repeats, powerball.pairs, powerball.repeats) == (1287, 448, 1287, 45)
    assert white.expected == pytest.approx(1287 * 25 / 69)
    assert white.z == pytest.approx(-0.907, abs=1e-3)
    assert white.p == pytest.approx(2 * stats.norm.sf(0.9072324), abs=1e-6)
    assert powerball.expected == pytest.approx(1287 / 26)
    assert powerball.p == pytest.approx(2 * stats.binom.cdf(45, 1287, 1 / 26))


def test_the_real_draws_extreme_ball_is_none_too_many_among_95(real: Randomness) -> None:
    extreme = real.extreme_ball
    assert (extreme.name, extreme.count, extreme.balls) == ("the count of white ball 13", 70, BALLS)
    assert extreme.z == pytest.approx(-2.5078, abs=1e-4)
    assert extreme.p_alone == pytest.approx(2 * stats.binom.cdf(70, 1288, 5 / 69))
    assert extreme.p == 1  # 95 times 0.011 is more than that
    assert extreme.z == real.white.ball_z[12]
    assert real.white.limits[0] <= extreme.count <= real.white.limits[1]


def test_verdict_on_the_real_draws_claims_only_what_was_tested(real: Randomness) -> None:
    assert real.verdict == "no test differs from fair draws at the 5 % level after correction for 5 tests"
    assert {finding["verdict"] for finding in real.as_json().values() if isinstance(finding, dict)} == {
        "indistinguishable from fair draws"
    }


def test_the_stored_form_survives_json(real: Randomness) -> None:
    stored = json.loads(json.dumps(real.as_json()))
    assert stored["white"]["counts"] == list(real.white.counts)
    assert stored["extreme_ball"]["p"] == real.extreme_ball.p


# Fair draws: the p-values are calibrated


@pytest.mark.parametrize(("kind", "degrees"), [("white", 68), ("powerball", 25)])
def test_the_statistic_of_fair_draws_is_chi_square(fair: list[Randomness], kind: str, degrees: int) -> None:
    statistics = np.array([getattr(report, kind).statistic for report in fair])
    p_values = [getattr(report, kind).p for report in fair]

    standard_error = np.sqrt(2 * degrees / HISTORIES)
    assert statistics.mean() == pytest.approx(degrees, abs=4 * standard_error)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


@pytest.mark.parametrize("kind", ["white_repeats", "powerball_repeats"])
def test_the_repeats_of_fair_draws_have_the_variance_they_are_given(
    fair: list[Randomness], kind: str
) -> None:
    z = np.array([getattr(report, kind).z for report in fair])
    p_values = np.array([getattr(report, kind).p for report in fair])

    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(HISTORIES))
    assert z.var() == pytest.approx(1, abs=4 * np.sqrt(2 / HISTORIES))
    assert 0.02 < (p_values < 0.05).mean() < 0.07


def test_repeats_of_overlapping_pairs_of_fair_draws_do_not_correlate_so_variances_add_up() -> None:
    (history,) = histories_of(uniform_component(), 1, draws=100_000)
    hits = history.white_hits()
    repeats = (hits[1:] * hits[:-1]).sum(axis=1)

    reported = randomness_report(history).white_repeats

    assert np.corrcoef(repeats[1:], repeats[:-1])[0, 1] == pytest.approx(0, abs=4 / np.sqrt(100_000))
    assert reported.standard_deviation**2 == pytest.approx(reported.pairs * repeats.var(), rel=0.02)


def test_a_balls_z_has_mean_zero_and_variance_one_in_fair_draws(fair: list[Randomness]) -> None:
    for kind in ("white", "powerball"):
        z = np.array([getattr(report, kind).ball_z for report in fair])
        assert z.mean() == pytest.approx(0, abs=1e-9)  # counts of a kind have one sum
        assert z.var() == pytest.approx(1, abs=0.02)


def test_fair_draws_are_found_unlike_fair_ones_no_more_often_than_the_level(fair: list[Randomness]) -> None:
    extreme = np.array([report.extreme_ball.p for report in fair])
    flagged = np.array(["these differ" in report.verdict for report in fair])

    assert extreme.max() == 1
    assert 0.01 < (extreme < 0.05).mean() < 0.05
    assert 0.01 < flagged.mean() < 0.06


# Biased draws


def test_a_ball_that_comes_too_often_is_found_and_named() -> None:
    (history,) = histories_of(LOADED, 1, draws=1288)

    report = randomness_report(history)

    assert report.extreme_ball.name == "the count of white ball 1"
    assert report.extreme_ball.p is not None
    assert report.extreme_ball.p < 1e-6
    assert report.white.counts[0] > report.white.limits[1]
    assert report.white.verdict == "differs from fair draws at the 5 % level, taken alone"
    assert report.powerball.verdict == "indistinguishable from fair draws"
    assert "these differ from fair draws: white-ball counts (p " in report.verdict
    assert "the count of white ball 1 (p below 0.0001)" in report.verdict
    assert "Powerball" not in report.verdict


def test_a_powerball_that_comes_too_often_is_found_and_named() -> None:
    (history,) = histories_of(component_with(powerball=[1.0] * 25 + [3.0]), 1, draws=1288)

    assert randomness_report(history).extreme_ball.name == "the count of Powerball 26"


def test_balls_that_come_again_too_often_are_found_though_each_is_as_frequent_as_it_should_be() -> None:
    (history,) = histories_of(uniform_component(), 1, draws=650)
    twice = History(np.repeat(history.white, 2, axis=0), np.repeat(history.powerball, 2))

    report = randomness_report(twice)

    assert report.white_repeats.repeats > 650 * 5
    assert "white-ball repeats (p below 0.0001)" in report.verdict
    assert "Powerball repeats (p below 0.0001)" in report.verdict


def test_a_ball_alone_differs_exactly_where_its_count_leaves_the_limits(fair: list[Randomness]) -> None:
    low, high = fair[0].white.limits
    distribution = stats.binom(DRAWS, 5 / 69)

    assert BALLS * 2 * distribution.cdf(low) >= 0.05 > BALLS * 2 * distribution.cdf(low - 1)
    assert BALLS * 2 * distribution.sf(high - 1) >= 0.05 > BALLS * 2 * distribution.sf(high)


# Few draws


@pytest.mark.parametrize(
    ("draws", "untested"),
    [
        (14, ["white-ball counts", "Powerball counts", "white-ball repeats", "Powerball repeats"]),
        (68, ["white-ball counts", "Powerball counts", "Powerball repeats"]),
        (69, ["Powerball counts", "Powerball repeats"]),
        (129, ["Powerball counts", "Powerball repeats"]),
        (130, ["Powerball repeats"]),  # 129 pairs
        (131, []),
    ],
)
def test_with_too_few_draws_a_test_is_not_taken_and_the_verdict_names_it(
    draws: int, untested: list[str]
) -> None:
    (history,) = histories_of(uniform_component(), 1, draws=draws)

    report = randomness_report(history)

    findings = (report.white, report.powerball, report.white_repeats, report.powerball_repeats)
    assert [finding.name for finding in findings if finding.p is None] == untested
    for name in untested if draws > 14 else []:
        assert name in report.verdict.partition("too few draws to test")[2]
    for finding in findings:
        assert ("too few draws" in finding.verdict) == (finding.name in untested)


def test_one_draw_is_too_few_for_everything() -> None:
    (history,) = histories_of(uniform_component(), 1, draws=1)

    report = randomness_report(history)

    assert report.verdict == "too few draws to test anything"
    assert chi_square_text(report.white.as_json()).endswith("(too few draws for a p-value)")
    assert report.extreme_ball.p is None


def test_no_draw_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no draw to report on"):
        randomness_report(History(np.empty((0, 5), dtype=np.int64), np.empty(0, dtype=np.int64)))


# Verdicts


def test_a_finding_counts_only_after_correction_for_the_tests_that_were_taken() -> None:
    low, other, none = Finding("one", 0.02), Finding("two", 0.5), Finding("three", None)

    assert "taken alone" in low.verdict
    assert overall_verdict([low, other]).startswith("at the 5 % level after correction for 2 tests, these")
    assert "one (p 0.040)" in overall_verdict([low, other, none])
    assert overall_verdict([low, other, other]).startswith("no test differs")
    assert "after correction for 1 test;" in overall_verdict([other, none])


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0751747, "p 0.075"),
        (0.7014, "p 0.70"),
        (1.0, "p 1.0"),
        (0.00012, "p 0.00012"),
        (0, "p below 0.0001"),
    ],
)
def test_a_p_value_is_written_with_two_digits(p: float, text: str) -> None:
    assert p_text(p) == text


def test_scipy_is_loaded_by_the_report_and_not_by_its_module() -> None:
    code = (
        "import sys, numpy as np\n"
        "from predictions.modes.features import History\n"
        "from predictions.draws.randomness import randomness_report\n"
        "print('scipy' in sys.modules)\n"
        "randomness_report(History(np.arange(1, 6)[None, :], np.array([1])))\n"
        "print('scipy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["False", "True"]
