"""Fits in real child processes, on real draws."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictions.draws import KnownDraws, import_source, known_draws
from predictions.features import History
from predictions.models import TrainedModel
from predictions.modes import MODES
from predictions.training import FitError, predict, train

LIBRARIES = {"random_forest": ["scikit-learn", "skops"], "lstm": ["keras"]}
SIZES = {"random_forest": 10_000_000, "lstm": 5_000_000}


@pytest.fixture(scope="module", params=list(MODES))
def trained(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: pytest.FixtureRequest
) -> Iterator[TrainedModel]:
    """One fit on all the era's draws, for the tests that only look at it; its rows are taken back."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        import_source("bundled")
        model = train(request.param, known_draws())
        yield model
        from django.core.management import call_command

        call_command("flush", "--no-input", verbosity=0)


@pytest.fixture
def known(trained: TrainedModel, db: None) -> KnownDraws:
    return known_draws()


def artefact(model: TrainedModel) -> Path:
    from django.conf import settings

    return Path(settings.MODELS_DIR / model.file)


def test_a_fit_records_where_it_came_from_and_what_it_cost(trained: TrainedModel, known: KnownDraws) -> None:
    assert trained.draws_used == 1288
    assert str(trained.draws_through) == "2025-12-22"
    assert trained.draws_fingerprint == known.fingerprint()
    assert trained.seed == 1
    assert set(trained.versions) >= {"python", "numpy", *LIBRARIES[trained.mode]}
    assert 0 < trained.seconds < 120
    assert 50_000 < trained.peak_memory_kb < 2_000_000
    assert artefact(trained).stat().st_size == trained.size_bytes < SIZES[trained.mode]


def test_the_skill_stands_beside_uniform_and_within_the_promise(trained: TrainedModel) -> None:
    assert trained.skill["uniform_log_loss"] == pytest.approx(19.4930, abs=1e-4)
    assert trained.skill["draws_tested"] == 200
    assert trained.skill["log_loss"] <= 19.4930 + 0.03
    assert trained.skill["skill_se"] > 0


def test_the_same_seed_and_draws_give_the_same_law_in_another_process(
    trained: TrainedModel, known: KnownDraws
) -> None:
    again = train(trained.mode, known)

    assert again.file != trained.file
    assert predict(again, known) == predict(trained, known)


def test_another_seed_gives_another_law(trained: TrainedModel, known: KnownDraws) -> None:
    other = train(trained.mode, known, seed=2)

    assert predict(other, known) != predict(trained, known)


def test_a_law_is_one_component_of_69_and_26_weights_that_differ(
    trained: TrainedModel, known: KnownDraws
) -> None:
    (component,) = predict(trained, known)

    assert component["strategy"] == trained.mode
    assert component["share"] == 1.0
    assert len(set(component["white"])) > 20
    assert len(set(component["powerball"])) > 5


@pytest.mark.parametrize("damage", ["tampered", "truncated", "missing"])
def test_a_damaged_artefact_is_refused_before_it_is_opened(
    trained: TrainedModel, known: KnownDraws, damage: str
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
            predict(trained, known)
    finally:
        aside.rename(path)


def test_a_fit_that_takes_too_long_is_ended_and_leaves_no_row(
    trained: TrainedModel, known: KnownDraws, settings: pytest.FixtureRequest
) -> None:
    settings.FIT_TIME_LIMIT = 1  # type: ignore[attr-defined]
    before = TrainedModel.objects.count()

    with pytest.raises(FitError, match=f"{trained.mode}: its fit was ended after 1 seconds"):
        train(trained.mode, known)

    assert TrainedModel.objects.count() == before


def test_too_few_draws_are_a_named_error(trained: TrainedModel, known: KnownDraws) -> None:
    few = KnownDraws(
        History(known.history.white[:300], known.history.powerball[:300]), known.first, known.through
    )

    with pytest.raises(FitError, match=rf"{trained.mode} learns from at least \d+ draws.*there are 300"):
        train(trained.mode, few)


def test_no_draws_at_all_are_a_named_error(db: None) -> None:
    with pytest.raises(FitError, match="import_draws"):
        train("random_forest", known_draws(before=known_draws().first))
