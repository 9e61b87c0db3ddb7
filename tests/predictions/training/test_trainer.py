"""Fits in real child processes, on real draws."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError

from predictions.distributions.components import uniform_component
from predictions.draws.sources import DrawHistory, import_source, load_draw_history
from predictions.models import TrainedModel
from predictions.modes.features import History
from predictions.modes.registry import MODES
from predictions.training.trainer import (
    FitError,
    activate,
    delete_old_artefacts,
    predict,
    train,
    train_modes,
    unchanged_model,
)
from tests.conftest import ON_GIVEN_DATABASE
from tests.factories import make_model

LIBRARIES = {"random_forest": ["scikit-learn", "skops"], "lstm": ["keras"]}
SIZES = {"random_forest": 10_000_000, "lstm": 5_000_000}
MAX_SIZE = 100_000  # of the other modes
# Any predictions will do as dependencies of v1 and hybrid.
DEPENDENCIES = {name: [uniform_component(name).as_json()] for name in ("v1", "v2")}


def predicted_components(model: TrainedModel, draw_history: DrawHistory) -> list[dict[str, Any]]:
    return predict(model, draw_history, DEPENDENCIES)[0]


@pytest.fixture(scope="module", params=list(MODES)[-1:] if ON_GIVEN_DATABASE else list(MODES))
def trained(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: pytest.FixtureRequest
) -> Iterator[TrainedModel]:
    """One fit on all the era's draws, shared by the tests that only read it; its rows are deleted afterwards.

    A fit does not depend on the database, so on a given database only the last mode is tested.
    """
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        import_source("bundled")
        model = train(request.param, load_draw_history())
        yield model
        from django.core.management import call_command

        call_command("flush", "--no-input", verbosity=0)


@pytest.fixture
def draw_history(trained: TrainedModel, db: None) -> DrawHistory:
    return load_draw_history()


def artefact(model: TrainedModel) -> Path:
    from django.conf import settings

    return Path(settings.MODELS_DIR / model.file)


def test_a_fit_records_where_it_came_from_and_what_it_cost(
    trained: TrainedModel, draw_history: DrawHistory
) -> None:
    assert trained.draws_used == 1396
    assert str(trained.draws_through) == "2026-08-19"
    assert trained.draws_fingerprint == draw_history.fingerprint()
    assert trained.seed == 1
    assert set(trained.versions) >= {"python", "numpy", *LIBRARIES.get(trained.mode, [])}
    assert 0 < trained.seconds < 120
    assert 20_000 < trained.peak_memory_kb < 2_000_000
    assert artefact(trained).stat().st_size == trained.size_bytes < SIZES.get(trained.mode, MAX_SIZE)
    assert TrainedModel.objects.active(trained.mode) == trained


def test_skill_is_relative_to_uniform_and_within_the_limit(trained: TrainedModel) -> None:
    assert trained.skill["uniform_log_loss"] == pytest.approx(19.4930, abs=1e-4)
    assert trained.skill["draws_tested"] == 200
    assert trained.skill["log_loss"] <= 19.4930 + 0.03
    assert trained.skill["skill_se"] > 0


def test_same_seed_and_draws_give_the_same_prediction_in_another_process(
    trained: TrainedModel, draw_history: DrawHistory
) -> None:
    again = train(trained.mode, draw_history)

    assert again.file != trained.file
    assert predicted_components(again, draw_history) == predicted_components(trained, draw_history)


def test_another_seed_changes_every_prediction_except_hybrids(
    trained: TrainedModel, draw_history: DrawHistory
) -> None:
    other = train(trained.mode, draw_history, seed=2)

    assert (predicted_components(other, draw_history) == predicted_components(trained, draw_history)) == (
        trained.mode == "hybrid"
    )


def test_learned_prediction_is_one_component_with_differing_weights(
    trained: TrainedModel, draw_history: DrawHistory
) -> None:
    component = predicted_components(trained, draw_history)[0]

    if trained.mode in ("random_forest", "lstm", "v2"):
        assert (component["strategy"], component["share"]) == (trained.mode, 1.0)
        assert len(set(component["white"])) > 20
        assert len(set(component["powerball"])) > 5
    else:
        assert component["strategy"] in ("frequency_weighted", "v2")


# Unchanged models


def test_a_mode_is_unchanged_while_draws_seed_code_and_parameters_are(
    trained: TrainedModel, draw_history: DrawHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = MODES[trained.mode]
    assert unchanged_model(trained.mode, draw_history) == trained

    assert unchanged_model(trained.mode, draw_history, seed=2) is None
    assert unchanged_model(trained.mode, load_draw_history(before=draw_history.through)) is None
    with monkeypatch.context() as changed:
        changed.setattr(mode, "code_version", 99)
        assert unchanged_model(trained.mode, draw_history) is None
    with monkeypatch.context() as changed:
        changed.setattr(mode, "parameters", lambda self: {"other": 1})
        assert unchanged_model(trained.mode, draw_history) is None
    assert unchanged_model(trained.mode, draw_history) == trained


def test_unchanged_mode_is_returned_without_a_fit(trained: TrainedModel, draw_history: DrawHistory) -> None:
    before = TrainedModel.objects.count()

    (training,) = train_modes([trained.mode], draw_history)

    assert (training.model, training.fitted, training.error) == (trained, False, "")
    assert TrainedModel.objects.count() == before


def test_mode_with_a_damaged_file_is_not_unchanged(trained: TrainedModel, draw_history: DrawHistory) -> None:
    path = artefact(trained)
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"x")
        assert unchanged_model(trained.mode, draw_history) is None
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("damage", ["tampered", "truncated", "missing"])
def test_a_damaged_artefact_is_refused_before_it_is_opened(
    trained: TrainedModel, draw_history: DrawHistory, damage: str
) -> None:
    path = artefact(trained)
    aside = path.with_suffix(".aside")
    shutil.copy(path, aside)
    try:
        if damage == "tampered":
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        elif damage == "truncated":
            os.truncate(path, path.stat().st_size // 2)
        else:
            path.unlink()
        with pytest.raises(FitError, match=path.name):
            predicted_components(trained, draw_history)
    finally:
        aside.rename(path)


def test_fit_past_its_time_limit_is_killed_and_leaves_no_row(
    trained: TrainedModel, draw_history: DrawHistory, settings: pytest.FixtureRequest
) -> None:
    settings.FIT_TIME_LIMIT = 1  # type: ignore[attr-defined]
    before = TrainedModel.objects.count()

    with pytest.raises(FitError, match=f"{trained.mode}: fit timed out after 1 seconds"):
        train(trained.mode, draw_history)

    assert TrainedModel.objects.count() == before


def test_too_few_draws_are_a_named_error(trained: TrainedModel, draw_history: DrawHistory) -> None:
    few = DrawHistory(
        History(draw_history.history.white[:300], draw_history.history.powerball[:300]),
        draw_history.first,
        draw_history.through,
    )

    with pytest.raises(FitError, match=rf"{trained.mode} learns from at least \d+ draws.*there are 300"):
        train(trained.mode, few)


def test_no_draws_at_all_are_a_named_error(db: None) -> None:
    with pytest.raises(FitError, match="import_draws"):
        train("random_forest", load_draw_history(before=load_draw_history().first))


# Activation and old artefacts


def test_new_model_becomes_active_and_the_old_one_is_unchanged(db: None) -> None:
    old, new = make_model("v1", active=True), make_model("v1")
    other = make_model("v2", active=True)

    activate(new)

    assert TrainedModel.objects.active("v1") == new
    assert TrainedModel.objects.active("v2") == other
    old.refresh_from_db()
    assert (old.active, old.file_retained) == (False, True)


def test_two_models_of_a_mode_cannot_both_be_active(db: None) -> None:
    make_model("v1", active=True)

    with pytest.raises(IntegrityError):
        make_model("v1", active=True)


def test_files_of_newest_and_active_models_are_retained(db: None, settings: pytest.FixtureRequest) -> None:
    settings.KEEP_MODELS = 2  # type: ignore[attr-defined]
    settings.MODELS_DIR.mkdir(exist_ok=True)  # type: ignore[attr-defined]
    models = [make_model("v1", file=f"v1-{number}.json", active=number == 1) for number in range(5)]
    other = make_model("v2", file="v2-0.zip")
    for model in (*models, other):
        artefact(model).write_text("model")

    assert delete_old_artefacts("v1") == 2

    assert [artefact(model).exists() for model in models] == [False, True, False, True, True]
    assert artefact(other).exists()
    kept = TrainedModel.objects.filter(mode="v1").order_by("id").values_list("file_retained", flat=True)
    assert list(kept) == [False, True, False, True, True]
    assert delete_old_artefacts("v1") == 0
    for model in (*models, other):
        artefact(model).unlink(missing_ok=True)
