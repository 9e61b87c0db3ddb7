"""Leases of fits: concurrent requests share one fit, and a fit that kills its parent is abandoned."""

from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from predictions.draws.sources import DrawHistory, load_draw_history
from predictions.models import TrainedModel, Training
from predictions.training import fit_leases
from predictions.training import trainer as training
from predictions.training.subprocesses import FitResult
from predictions.training.trainer import DEFAULT_SEED, train_modes

MODE = "random_forest"

pytestmark = pytest.mark.usefixtures("small_models")


def lease_runs_out() -> None:
    Training.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def train_here(**options: bool) -> training.TrainingOutcome:
    (trained,) = train_modes([MODE], load_draw_history(), **options)
    return trained


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_for_a_fit_run_it_once(real_draws: None) -> None:
    draw_history, results = load_draw_history(), []

    def trainer() -> None:
        results.extend(train_modes([MODE], draw_history))
        connection.close()

    threads = [Thread(target=trainer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(result.fitted for result in results) == [False, True]
    model = TrainedModel.objects.get()
    assert {result.model for result in results} == {model}
    assert (Training.objects.get().status, Training.objects.get().model) == ("completed", model)


@pytest.mark.usefixtures("real_draws")
def test_fit_of_a_dead_process_is_repeated_after_its_lease() -> None:
    assert fit_leases.acquire_fit(MODE, load_draw_history(), DEFAULT_SEED).token
    until = timezone.now() + timedelta(seconds=2)
    Training.objects.update(lease_until=until)

    trained = train_here()

    assert (trained.fitted, trained.error) == (True, "")
    assert Training.objects.get().started_at < until < trained.model.created_at
    assert Training.objects.get().status == "completed"


@pytest.mark.usefixtures("real_draws")
def test_fit_whose_parent_is_always_killed_is_abandoned_and_can_be_repeated() -> None:
    for _ in range(Training.MAX_ATTEMPTS):
        assert fit_leases.acquire_fit(MODE, load_draw_history(), DEFAULT_SEED).token
        lease_runs_out()

    trained = train_here()

    assert trained.model is None
    assert (
        "the fit of random_forest was abandoned after 2 attempts: its parent process was killed"
        in trained.error
    )
    assert Training.objects.get().status == "failed"
    assert train_here().fitted  # a new request starts a new fit


@pytest.mark.usefixtures("real_draws")
def test_a_fit_that_was_lost_leaves_no_model_and_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def stolen(
        of: Training, draw_history: DrawHistory, seed: int, file: str, result: FitResult
    ) -> TrainedModel:
        files.append(settings.MODELS_DIR / file)
        Training.objects.update(status="failed", token=None)
        return real(of, draw_history, seed, file, result)

    files: list[Path] = []
    real = training._store
    monkeypatch.setattr(training, "_store", stolen)

    class Waited(Exception):
        """It waits for the other process."""

    def wait(*args: object) -> None:
        raise Waited

    monkeypatch.setattr(training, "_wait_for_other_process", wait)
    with pytest.raises(Waited):
        train_here()

    assert not TrainedModel.objects.exists()
    assert [file.exists() for file in files] == [False]


@pytest.mark.usefixtures("real_draws")
def test_interrupted_training_releases_its_lease() -> None:
    for trained in train_modes([MODE, "v1"], load_draw_history()):
        assert trained.model is not None
        break  # as Ctrl-C does

    assert sorted(Training.objects.values_list("status", flat=True)) == ["completed", "failed"]
    assert not Training.objects.leased().exists()
    assert Training.objects.get(status="failed").error == "stopped"
