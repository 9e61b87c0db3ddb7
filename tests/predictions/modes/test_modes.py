"""The contract that every mode keeps, the baseline too: fitted in this process on real draws."""

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
from predictions.modes.v1 import STRATEGIES, V1, cooccurrences, frequencies
from predictions.powerball import CURRENT_ERA
from tests.factories import tilted_component

# Smaller than the defaults where only the contract is looked at, not the figures.
CHEAP: dict[str, Mode] = {"lstm": Lstm(units=4, epochs=1)}
TILTED = [tilted_component("v2")]


@pytest.fixture(scope="module")
def history() -> History:
    rows = feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled")
    draws = [row.draw for row in rows if row.draw and row.draw.draw_date >= CURRENT_ERA.since]
    draws.sort(key=lambda draw: draw.draw_date)
    return History(np.array([one.white_balls for one in draws]), np.array([one.powerball for one in draws]))


@pytest.fixture(scope="module", params=list(MEASURED))
def fitted(request: pytest.FixtureRequest, history: History) -> Mode:
    mode = CHEAP.get(request.param) or MEASURED[request.param]()
    return mode.fit(history, seed=1)


def parts_of(mode: Mode) -> dict[str, Mixture]:
    """Some law of each mode that this one is made of."""
    laws = {"v2": TILTED, "v1": mixed(0.25)}
    return {name: laws[name] for name in (*mode.requires, *mode.optional)}


def mixed(share: float) -> Mixture:
    rest = uniform_component("random_baseline").as_json() | {"share": 1 - share}
    return [tilted_component("frequency_weighted", share), Component.from_json(rest)]


def test_every_name_has_its_mode_and_each_comes_after_those_it_is_made_of() -> None:
    assert sorted(MODES) == sorted(MODE_NAMES)
    assert [*MEASURED] == [*MODES, "uniform"]
    for place, (name, mode) in enumerate(MODES.items()):
        assert mode.name == name
        assert {*mode.requires, *mode.optional} <= {*list(MODES)[:place]}


@pytest.mark.parametrize("name", MEASURED)
def test_the_constructor_only_stores_its_parameters(name: str) -> None:
    mode = MEASURED[name]()

    asked = {key: one.default for key, one in inspect.signature(MEASURED[name]).parameters.items()}
    assert mode.parameters() == asked
    assert not [attribute for attribute in vars(mode) if attribute.endswith("_")]


def test_a_law_is_a_sound_mixture_under_known_names(fitted: Mode, history: History) -> None:
    law = fitted.predict(history, parts_of(fitted))

    assert components_from_json([one.as_json() for one in law]) == law
    strategies = {one.strategy for one in law}
    assert strategies <= {fitted.name, *STRATEGIES, "v2"}


def test_no_law_knows_its_draw_or_a_later_one(fitted: Mode, history: History) -> None:
    draws = range(len(history) - 3, len(history))
    changed = History(history.white.copy(), history.powerball.copy())
    changed.white[draws.start + 1 :] = [1, 2, 3, 4, 5]
    changed.powerball[draws.start + 1 :] = 26
    parts = {name: [law] * 3 for name, law in parts_of(fitted).items()}

    before, after = (fitted.predict_many(one, draws, parts) for one in (history, changed))

    assert before[:2] == after[:2]
    if fitted.name not in ("uniform", "hybrid"):  # these two have no eyes of their own
        assert before[2] != after[2]


def test_the_walk_of_a_fit_is_what_a_fit_on_the_past_alone_foretells(history: History) -> None:
    known = history.before(700)
    walk = V1().fit(known, seed=1).walk_
    changed = History(history.white[:700].copy(), history.powerball[:700].copy())
    changed.white[-1], changed.powerball[-1] = [1, 2, 3, 4, 5], 26

    again = V1().fit(changed, seed=1).walk_

    assert again == walk  # the last law was made before the draw that was changed


def test_what_is_saved_is_what_is_read_back(fitted: Mode, history: History, tmp_path: Path) -> None:
    path = tmp_path / f"model{fitted.suffix}"
    fitted.save(path)

    again = type(fitted).load(path)

    assert again.predict(history, parts_of(fitted)) == fitted.predict(history, parts_of(fitted))
    assert (again.parameters(), again.skill_) == (fitted.parameters(), fitted.skill_)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\x80\x04K\x01.", b"PK\x05\x06" + bytes(18)])
def test_a_foreign_file_is_refused_with_its_name(fitted: Mode, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"foreign{fitted.suffix}"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=f"foreign.*{fitted.name}|foreign.* is not a model"):
        type(fitted).load(path)


def test_a_file_of_another_mode_or_version_is_refused(
    fitted: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"other{fitted.suffix}"
    fitted.save(path)

    monkeypatch.setattr(type(fitted), "code_version", 99)
    with pytest.raises(ValueError, match=f"other.*is not a model that {fitted.name} version 99 has saved"):
        type(fitted).load(path)
    monkeypatch.setattr(type(fitted), "code_version", fitted.code_version)
    monkeypatch.setattr(type(fitted), "name", "another")
    with pytest.raises(ValueError, match=r"other.*is not a model that another"):
        type(fitted).load(path)


def test_the_skill_is_of_held_out_draws_and_within_the_promise(fitted: Mode) -> None:
    skill = fitted.skill_

    assert skill is not None
    assert (skill.draws_tested, len(fitted.walk_)) == (HELD_OUT, HELD_OUT)
    assert skill.log_loss <= UNIFORM_LOG_LOSS + 0.03
    assert skill.skill_nats == pytest.approx(UNIFORM_LOG_LOSS - skill.log_loss)


def test_too_few_draws_are_an_error_that_says_how_many(fitted: Mode, history: History) -> None:
    with pytest.raises(ValueError, match=rf"{fitted.name} learns from at least \d+ draws.*there are 150"):
        type(fitted)().fit(history.before(150), seed=1)


# What modes are made of


def test_hybrid_is_seven_tenths_of_v2s_law_and_three_of_v1s_each_ticket_under_its_makers_name() -> None:
    history = History(np.array([[1, 2, 3, 4, 5]]), np.array([1]))

    law = Hybrid().predict(history, {"v2": TILTED, "v1": mixed(0.25)})

    shares = {one.strategy: one.share for one in law}
    assert shares == pytest.approx({"v2": 0.7, "frequency_weighted": 0.075, "random_baseline": 0.225})
    assert law[0].white == TILTED[0].white


@pytest.mark.parametrize("missing", ["v1", "v2"])
def test_hybrid_without_a_part_is_an_error_that_names_it(missing: str) -> None:
    history = History(np.array([[1, 2, 3, 4, 5]]), np.array([1]))
    parts = {"v2": TILTED, "v1": mixed(0.25)}
    del parts[missing]

    with pytest.raises(ValueError, match=f"hybrid is made of v2 and v1: {missing} has no law"):
        Hybrid().predict(history, parts)


@pytest.mark.parametrize("share", [0.0, 1.0, -1, 2, float("nan")])
def test_hybrids_share_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="v2_share"):
        Hybrid(share)


@pytest.fixture(scope="module")
def v1(history: History) -> V1:
    return V1().fit(history, seed=1)


def test_v1_has_its_six_strategies_or_five_where_v2_has_no_law(v1: V1, history: History) -> None:
    six, five = v1.predict(history, {"v2": TILTED}), v1.predict(history)

    assert [one.strategy for one in six] == list(STRATEGIES)
    assert [one.strategy for one in five] == [name for name in STRATEGIES if name != "ai_guided"]
    assert sum(one.share for one in five) == pytest.approx(1)
    assert (v1.note(["v2"]), v1.note([])) == ("", "ai_guided is left out, for v2 has no law of this draw")


def test_ai_guided_is_v2s_law_with_more_of_its_opinion(v1: V1, history: History) -> None:
    (ai,) = [one for one in v1.predict(history, {"v2": TILTED}) if one.strategy == "ai_guided"]

    spread = np.log(TILTED[0].white[-1] / TILTED[0].white[0])
    assert np.log(ai.white[-1] / ai.white[0]) == pytest.approx(2 * spread)


def test_strategies_of_one_law_have_equal_shares_and_others_only_by_evidence(v1: V1) -> None:
    shares = v1.shares_

    assert shares["coverage_optimizer"] == shares["random_baseline"]
    assert len({round(share, 12) for share in shares.values()}) == 5
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0.01 / 6


def test_counting_sees_the_balls_that_fell_more_often() -> None:
    white = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6]] * 300)
    history = History(white, np.tile([7, 8], 300))
    often, red = frequencies(history, range(600, 601))
    together, beside = cooccurrences(history, range(600, 601))

    assert set(often[0].argsort()[-4:]) == {0, 1, 2, 3}
    assert set(red[0].argsort()[-2:]) == {6, 7}
    # The latest draw was 1 2 3 4 6: ball 5 never fell with 6, but with each of the others.
    assert together[0][4] > together[0][10]
    assert together[0][0] > together[0][4]
    assert beside[0][7] > beside[0][6] > beside[0][0]
