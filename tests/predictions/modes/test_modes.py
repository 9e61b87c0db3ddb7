"""The contract of all modes, including the baseline, fitted in this process on real draws."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from predictions.distributions.components import (
    UNIFORM_LOG_LOSS,
    Component,
    components_from_json,
    uniform_component,
)
from predictions.draws import feeds
from predictions.draws.bundled import BUNDLED_FILES
from predictions.modes.base import HELD_OUT, Mixture
from predictions.modes.features import History
from predictions.modes.hybrid import Hybrid
from predictions.modes.lstm import Lstm
from predictions.modes.registry import MEASURED, MODE_NAMES, MODES, Mode
from predictions.modes.v1 import STRATEGIES, V1, cooccurrence_weights, frequency_weights
from predictions.powerball import CURRENT_ERA
from tests.factories import tilted_component

# Smaller than the defaults, because these tests check only the contract.
CHEAP: dict[str, Mode] = {"lstm": Lstm(units=4, epochs=1)}
TILTED = [tilted_component("v2")]


@pytest.fixture(scope="module")
def history() -> History:
    rows = feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled")
    draws = [row.draw for row in rows if row.draw and row.draw.draw_date >= CURRENT_ERA.since]
    draws.sort(key=lambda draw: draw.draw_date)
    return History(
        np.array([draw.white_balls for draw in draws]), np.array([draw.powerball for draw in draws])
    )


@pytest.fixture(scope="module", params=list(MEASURED))
def fitted(request: pytest.FixtureRequest, history: History) -> Mode:
    mode = CHEAP.get(request.param) or MEASURED[request.param]()
    return mode.fit(history, seed=1)


def dependencies_of(mode: Mode) -> dict[str, Mixture]:
    """Return an arbitrary prediction of each mode that this one depends on."""
    predictions = {"v2": TILTED, "v1": two_strategies(0.25)}
    return {name: predictions[name] for name in (*mode.requires, *mode.optional)}


def two_strategies(share: float) -> Mixture:
    rest = uniform_component("random_baseline").as_json() | {"share": 1 - share}
    return [tilted_component("frequency_weighted", share), Component.from_json(rest)]


def test_every_name_has_its_mode_and_each_comes_after_those_it_depends_on() -> None:
    assert sorted(MODES) == sorted(MODE_NAMES)
    assert [*MEASURED] == [*MODES, "uniform"]
    for index, (name, mode) in enumerate(MODES.items()):
        assert mode.name == name
        assert {*mode.requires, *mode.optional} <= {*list(MODES)[:index]}


@pytest.mark.parametrize("name", MEASURED)
def test_the_constructor_only_stores_its_parameters(name: str) -> None:
    mode = MEASURED[name]()

    signature = inspect.signature(MEASURED[name])
    assert mode.parameters() == {key: parameter.default for key, parameter in signature.parameters.items()}
    assert not [attribute for attribute in vars(mode) if attribute.endswith("_")]


def test_a_prediction_is_a_valid_mixture_under_known_names(fitted: Mode, history: History) -> None:
    mixture = fitted.predict(history, dependencies_of(fitted))

    assert components_from_json([component.as_json() for component in mixture]) == mixture
    strategies = {component.strategy for component in mixture}
    assert strategies <= {fitted.name, *STRATEGIES, "v2"}


def test_no_prediction_depends_on_its_draw_or_later_ones(fitted: Mode, history: History) -> None:
    draws = range(len(history) - 3, len(history))
    changed = History(history.white.copy(), history.powerball.copy())
    changed.white[draws.start + 1 :] = [1, 2, 3, 4, 5]
    changed.powerball[draws.start + 1 :] = 26
    dependencies = {name: [mixture] * 3 for name, mixture in dependencies_of(fitted).items()}

    before, after = (fitted.predict_many(known, draws, dependencies) for known in (history, changed))

    assert before[:2] == after[:2]
    if fitted.name not in ("uniform", "hybrid"):  # these two do not read the history
        assert before[2] != after[2]


def test_the_walk_of_a_fit_is_what_a_fit_on_the_past_alone_predicts(history: History) -> None:
    known = history.before(700)
    walk = V1().fit(known, seed=1).walk_
    changed = History(history.white[:700].copy(), history.powerball[:700].copy())
    changed.white[-1], changed.powerball[-1] = [1, 2, 3, 4, 5], 26

    again = V1().fit(changed, seed=1).walk_

    assert again == walk  # the last prediction was made before the changed draw


def test_what_is_saved_is_what_is_read_back(fitted: Mode, history: History, tmp_path: Path) -> None:
    path = tmp_path / f"model{fitted.suffix}"
    fitted.save(path)

    again = type(fitted).load(path)

    assert again.predict(history, dependencies_of(fitted)) == fitted.predict(history, dependencies_of(fitted))
    assert (again.parameters(), again.skill_) == (fitted.parameters(), fitted.skill_)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\x80\x04K\x01.", b"PK\x05\x06" + bytes(18)])
def test_a_foreign_file_is_refused_with_its_name(fitted: Mode, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"foreign{fitted.suffix}"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=f"foreign.*{fitted.name}|foreign.* is not a (saved )?model"):
        type(fitted).load(path)


def test_a_file_of_another_mode_or_version_is_refused(
    fitted: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"other{fitted.suffix}"
    fitted.save(path)

    monkeypatch.setattr(type(fitted), "code_version", 99)
    with pytest.raises(ValueError, match=f"other.*is not a saved model of {fitted.name} version 99"):
        type(fitted).load(path)
    monkeypatch.setattr(type(fitted), "code_version", fitted.code_version)
    monkeypatch.setattr(type(fitted), "name", "another")
    with pytest.raises(ValueError, match=r"other.*is not a saved model of another"):
        type(fitted).load(path)


def test_skill_is_of_held_out_draws_and_within_the_limit(fitted: Mode) -> None:
    skill = fitted.skill_

    assert skill is not None
    assert (skill.draws_tested, len(fitted.walk_)) == (HELD_OUT, HELD_OUT)
    assert skill.log_loss <= UNIFORM_LOG_LOSS + 0.03
    assert skill.skill_nats == pytest.approx(UNIFORM_LOG_LOSS - skill.log_loss)


def test_too_few_draws_are_an_error_with_the_minimum(fitted: Mode, history: History) -> None:
    with pytest.raises(ValueError, match=rf"{fitted.name} learns from at least \d+ draws.*there are 150"):
        type(fitted)().fit(history.before(150), seed=1)


# Dependencies


def test_hybrid_is_seven_tenths_of_v2_and_three_tenths_of_v1_under_the_names_of_their_strategies() -> None:
    history = History(np.array([[1, 2, 3, 4, 5]]), np.array([1]))

    mixture = Hybrid().predict(history, {"v2": TILTED, "v1": two_strategies(0.25)})

    shares = {component.strategy: component.share for component in mixture}
    assert shares == pytest.approx({"v2": 0.7, "frequency_weighted": 0.075, "random_baseline": 0.225})
    assert mixture[0].white == TILTED[0].white


@pytest.mark.parametrize("missing", ["v1", "v2"])
def test_hybrid_without_a_dependency_is_an_error_that_names_it(missing: str) -> None:
    history = History(np.array([[1, 2, 3, 4, 5]]), np.array([1]))
    dependencies = {"v2": TILTED, "v1": two_strategies(0.25)}
    del dependencies[missing]

    with pytest.raises(ValueError, match=f"hybrid requires v2 and v1: {missing} has no prediction"):
        Hybrid().predict(history, dependencies)


@pytest.mark.parametrize("share", [0.0, 1.0, -1, 2, float("nan")])
def test_hybrids_share_is_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match="v2_share"):
        Hybrid(share)


@pytest.fixture(scope="module")
def v1(history: History) -> V1:
    return V1().fit(history, seed=1)


def test_v1_has_its_six_strategies_or_five_where_v2_has_no_prediction(v1: V1, history: History) -> None:
    six, five = v1.predict(history, {"v2": TILTED}), v1.predict(history)

    assert [component.strategy for component in six] == list(STRATEGIES)
    assert [component.strategy for component in five] == [name for name in STRATEGIES if name != "ai_guided"]
    assert sum(component.share for component in five) == pytest.approx(1)
    assert v1.note(["v2"]) == ""
    assert v1.note([]) == "ai_guided is left out: v2 has no prediction for this draw"


def test_ai_guided_sharpens_the_prediction_of_v2(v1: V1, history: History) -> None:
    mixture = v1.predict(history, {"v2": TILTED})
    (ai_guided,) = [component for component in mixture if component.strategy == "ai_guided"]

    log_ratio = np.log(TILTED[0].white[-1] / TILTED[0].white[0])
    assert np.log(ai_guided.white[-1] / ai_guided.white[0]) == pytest.approx(2 * log_ratio)


def test_strategies_with_the_same_distribution_have_equal_shares_and_others_differ(v1: V1) -> None:
    shares = v1.shares_

    assert shares["coverage_optimizer"] == shares["random_baseline"]
    assert len({round(share, 12) for share in shares.values()}) == 5
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0.01 / 6


def test_counting_strategies_prefer_the_balls_that_were_drawn_more_often() -> None:
    white = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6]] * 300)
    history = History(white, np.tile([7, 8], 300))
    frequency, red = frequency_weights(history, range(600, 601))
    together, red_together = cooccurrence_weights(history, range(600, 601))

    assert set(frequency[0].argsort()[-4:]) == {0, 1, 2, 3}
    assert set(red[0].argsort()[-2:]) == {6, 7}
    # The latest draw was 1 2 3 4 6: ball 5 was never drawn with 6, but with each of the others.
    assert together[0][4] > together[0][10]
    assert together[0][0] > together[0][4]
    assert red_together[0][7] > red_together[0][6] > red_together[0][0]
