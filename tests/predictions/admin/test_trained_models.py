"""Tests of activating, pinning and unpinning models: in the admin, in training and in pipeline runs."""

from datetime import date
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from predictions.draws.sources import load_draw_history
from predictions.models import PipelineRun, Prediction, TrainedModel
from predictions.modes.v1 import V1
from predictions.pipeline.runner import accept_run
from predictions.pipeline.steps import STEPS, StepContext
from predictions.training import fit_leases, trainer
from predictions.training.artefacts import compute_digest
from predictions.training.subprocesses import FitResult
from predictions.training.trainer import activate, activate_by_hand, delete_old_artefacts, train_modes
from tests.factories import make_model, store_fair_draws
from tests.staff import staff_who_may, superuser, text_of

pytestmark = pytest.mark.django_db

MODELS = "/admin/predictions/trainedmodel/"
ACTIVATE = f"{MODELS}activate/"
SKILL = {
    "log_loss": 19.49,
    "uniform_log_loss": 19.493,
    "skill_nats": 0.003,
    "skill_se": 0.002,
    "draws_tested": 200,
}


@pytest.fixture
def admin() -> Client:
    return superuser()


def stored_model(name: str, mode: str = "v1", **values: object) -> TrainedModel:
    """Create a model with a valid file."""
    path = Path(settings.MODELS_DIR / f"test-{name}.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
    defaults = {
        "file": path.name,
        "sha256": compute_digest(path),
        "parameters": V1().parameters(),
        "code_version": V1.code_version,
        "skill": SKILL,
    }
    return make_model(mode, **(defaults | values))


@pytest.fixture
def old() -> TrainedModel:
    return stored_model("old", draws_through=date(2025, 12, 20))


@pytest.fixture
def new(old: TrainedModel) -> TrainedModel:
    """Return the newest model, which is active."""
    model = stored_model("new", seed=7)
    activate(model)
    return model


def states() -> list[tuple[bool, bool]]:
    """Return (active, pinned) of each model."""
    return list(TrainedModel.objects.order_by("id").values_list("active", "pinned"))


# On the page


def test_preview_compares_both_models_and_lists_consequences(
    old: TrainedModel, new: TrainedModel, admin: Client
) -> None:
    page = text_of(admin.get(ACTIVATE, {"model": old.pk}))

    assert f"Mode v1 will use <strong>model {old.pk}</strong> and be <strong>pinned</strong> to it" in page
    assert '<th scope="row">Draws through</th><td>2025-12-22</td><td>2025-12-20</td>' in page
    assert f'<th scope="row">Seed</th><td>{new.seed}</td><td>{old.seed}</td>' in page
    assert page.count("+0.0030 ± 0.0020") == 2
    assert "Existing predictions and tickets are kept" in page
    assert "/admin/predictions/pipelinerun/run/?source=none&amp;modes=v1" in page
    assert states() == [(False, False), (True, False)]


def test_older_model_stays_pinned_until_the_newest_is_activated(
    old: TrainedModel, new: TrainedModel, admin: Client
) -> None:
    back = text_of(admin.post(ACTIVATE, {"model": old.pk}, follow=True))
    assert states() == [(True, True), (False, False)]
    again = text_of(admin.post(ACTIVATE, {"model": old.pk}, follow=True))
    forward = text_of(admin.get(ACTIVATE, {"model": new.pk}))
    admin.post(ACTIVATE, {"model": new.pk})

    model = f"Model {old.pk}, v1 through 2025-12-20, is"
    assert f"{model} now active; pinned until another model is activated." in back
    assert f"{model} already active; nothing was changed." in again
    assert ('class="field-predicts">yes, pinned</td>' in back, 'class="field-predicts">no</td>' in back) == (
        True,
        True,
    )
    assert "its newest, and be unpinned" in forward
    assert states() == [(False, False), (True, False)]
    entries = [(entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.order_by("id")]
    assert entries == [
        (str(old.pk), "Activated; pinned until another model is activated."),
        (str(new.pk), "Activated; the next training replaces it."),
    ]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"file_retained": False}, "its file was deleted"),
        ({"file": "v1-gone.json"}, "the model file v1-gone.json is missing"),
        ({"sha256": "1" * 64}, "the model file test-old.json is not the one that was trained"),
        ({"code_version": 99}, "it was fitted by version 99 of v1; the current version is"),
        ({"parameters": {"speed": 1}}, "its parameters are invalid in this version"),
    ],
)
def test_a_model_that_could_not_predict_is_refused_with_the_reason(
    damage: dict[str, object], reason: str, old: TrainedModel, new: TrainedModel, admin: Client
) -> None:
    TrainedModel.objects.filter(pk=old.pk).update(**damage)

    for response in (admin.get(ACTIVATE, {"model": old.pk}), admin.post(ACTIVATE, {"model": old.pk})):
        page = text_of(response)
        assert f"Model {old.pk}, v1 through 2025-12-20, cannot be activated: {reason}" in page
        assert "Activate model" not in page
    assert states() == [(False, False), (True, False)]


def test_the_list_and_a_models_page_lead_to_the_preview_of_exactly_one(
    old: TrainedModel, new: TrainedModel, admin: Client
) -> None:
    data = {"action": "activate_selected", "_selected_action": [old.pk]}
    assert admin.post(MODELS, data)["Location"] == f"{ACTIVATE}?model={old.pk}"
    two = admin.post(MODELS, data | {"_selected_action": [old.pk, new.pk]}, follow=True)
    assert "Select exactly one model to activate." in text_of(two)
    assert f"{ACTIVATE}?model={old.pk}" in admin.get(f"{MODELS}{old.pk}/change/").content.decode()
    for model in ("", "x", 10**9):
        assert "Model: " in text_of(admin.get(ACTIVATE, {"model": model}))


def test_activation_needs_permission_to_change_models(old: TrainedModel, new: TrainedModel) -> None:
    other = staff_who_may("add_pipelinerun")

    for response in (other.get(ACTIVATE), other.post(ACTIVATE, {"model": old.pk})):
        assert response.status_code == 403
    for page in (MODELS, f"{MODELS}{old.pk}/change/"):
        assert "activate" not in other.get(page).content.decode()
    assert states() == [(False, False), (True, False)]


# In training


def fit_result() -> FitResult:
    """Return what the process of a fit reports."""
    payload = {
        "sha256": "0" * 64,
        "size_bytes": 1,
        "parameters": {},
        "code_version": V1.code_version,
        "versions": {},
        "skill": SKILL,
    }
    return FitResult(payload=payload, seconds=0.1, peak_memory_kb=1)


def test_pinned_mode_is_not_fitted_and_train_models_says_so(
    old: TrainedModel, new: TrainedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    store_fair_draws(10)
    activate_by_hand(old)

    (trainer,) = train_modes(["v1"], load_draw_history())
    call_command("train_models", modes=["v1"])

    assert (trainer.model, trainer.pinned, trainer.prediction_model, trainer.fitted) == (old, old, old, False)
    output = capsys.readouterr().out
    assert "v1: pinned to the model through 2025-12-20, not trained" in output
    assert "Trained 0 of 1 models on 10 draws through 2025-12-22; 0 unchanged, 1 pinned." in output


def test_a_forced_fit_is_stored_and_the_pinned_model_still_predicts(
    old: TrainedModel, new: TrainedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trainer, "_fit", lambda mode, draw_history, seed: ("forced.json", fit_result()))
    store_fair_draws(10)
    activate_by_hand(old)

    call_command("train_models", modes=["v1"], force=True)

    assert states() == [(True, True), (False, False), (False, False)]
    assert "v1: trained, but pinned to the model through 2025-12-20;" in capsys.readouterr().out
    assert TrainedModel.objects.first().file == "forced.json"
    activate_by_hand(stored_model("newest"))
    (unpinned,) = train_modes(["v1"], load_draw_history(), force=True)
    assert (unpinned.pinned, unpinned.prediction_model, unpinned.model.active) == (None, unpinned.model, True)


def test_model_activated_during_a_fit_is_not_replaced(old: TrainedModel, new: TrainedModel) -> None:
    store_fair_draws(10)
    draw_history = load_draw_history()
    fit = fit_leases.acquire_fit("v1", draw_history, 1)
    activate_by_hand(old)

    trainer._store(fit, draw_history, 1, "late.json", fit_result())

    assert states() == [(True, True), (False, False), (False, False)]


@pytest.mark.django_db(transaction=True)
def test_finished_fit_waits_for_a_concurrent_activation(old: TrainedModel, new: TrainedModel) -> None:
    store_fair_draws(10)
    draw_history = load_draw_history()
    fit = fit_leases.acquire_fit("v1", draw_history, 1)

    def end_fit() -> None:
        trainer._store(fit, draw_history, 1, "late.json", fit_result())
        connection.close()

    ending = Thread(target=end_fit)
    with transaction.atomic():
        activate_by_hand(old)
        ending.start()
        ending.join(0.3)
        assert ending.is_alive()
    ending.join()

    assert states() == [(True, True), (False, False), (False, False)]


def test_file_of_a_pinned_model_is_retained(
    old: TrainedModel, new: TrainedModel, settings: pytest.FixtureRequest
) -> None:
    settings.KEEP_MODELS = 1  # type: ignore[attr-defined]
    activate_by_hand(old)
    stored_model("newest")

    assert delete_old_artefacts("v1") == 1
    retained = TrainedModel.objects.order_by("id").values_list("file_retained", flat=True)
    assert list(retained) == [True, False, True]


# In a run


def test_a_run_predicts_from_the_pinned_model_with_the_draws_that_are_known_now() -> None:
    store_fair_draws(V1.minimum_draws + 10)
    through = load_draw_history(before=date(2025, 12, 20)).through
    path = Path(settings.MODELS_DIR / "test-pinned.json")
    path.parent.mkdir(exist_ok=True)
    V1().fit(load_draw_history(through=through).history, 1, measure=False).save(path)
    pinned = stored_model("x", file=path.name, sha256=compute_digest(path), draws_through=through)
    stored_model("newer")
    activate_by_hand(pinned)
    run, _ = accept_run(source="none", modes=["v1"], draw_date=date(2025, 12, 24))

    assert PipelineRun.objects.acquire(run.pk, "here")
    run.refresh_from_db()
    context = StepContext(run)
    context.draw_history = load_draw_history(before=run.draw_date)

    trained, predicted = STEPS["training"](context), STEPS["predictions"](context)

    assert (trained.status, trained.summary) == (
        "completed",
        f"trained: v1 pinned to the model through {through}",
    )
    assert trained.detail["modes"]["v1"]["pinned"]
    assert (predicted.status, TrainedModel.objects.count()) == ("completed", 2)
    prediction = Prediction.objects.get(run=run)
    assert (prediction.model, prediction.draws_through) == (pinned, date(2025, 12, 22))
