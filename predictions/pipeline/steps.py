"""The six steps of a pipeline run, from official draws to predictions."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import transaction

from predictions.distributions.components import UNIFORM_LOG_LOSS, components_from_json
from predictions.draws.feeds import FeedError
from predictions.draws.importer import ImportRefused, ImportReport
from predictions.draws.randomness import chi_square_text
from predictions.draws.randomness_reports import create_randomness_report
from predictions.draws.sources import (
    LIVE_SOURCES,
    DrawHistory,
    freshness_text,
    import_source,
    is_stored,
    last_drawn,
    load_draw_history,
    missing_draws,
)
from predictions.evaluation.log_loss import evaluate_predictions
from predictions.models import PipelineRun, PipelineStep, Prediction, TrainedModel
from predictions.modes.registry import MODES
from predictions.modes.v1 import with_shares
from predictions.training.strategy_shares import ADAPTIVE_MODE, current_shares, update_shares
from predictions.training.subprocesses import FitError
from predictions.training.trainer import TrainingOutcome, predict, train_modes
from predictions.workqueue.leases import LeaseLost

logger = logging.getLogger(__name__)

Status = PipelineStep.Status
MAX_LISTED = 100  # rows and dates in a step's detail
FINDING_KEYS = ("statistic", "z", "p", "verdict")  # the randomness report has the other figures


class StepFailed(Exception):
    """A required step could not do its work; the run fails."""


@dataclass(frozen=True)
class StepOutcome:
    """The result of a step: one line for people, and figures for programs."""

    summary: str
    detail: dict[str, Any] = field(default_factory=dict)
    status: str = Status.COMPLETED


@dataclass
class StepContext:
    """Values that steps pass to the steps after them."""

    run: PipelineRun
    draw_history: DrawHistory = field(init=False)
    shares: dict[str, float] | None = None  # of v1's strategies; None: those of its model
    models: dict[str, TrainedModel] = field(default_factory=dict)


def record_progress(run: PipelineRun) -> None:
    """Renew the run's lease and reset its attempts; raise LeaseLost if another worker owns the run."""
    if not PipelineRun.objects.renew(run, attempts=1):
        raise LeaseLost


def _import_step(context: StepContext) -> StepOutcome:
    """Import new draws. A failed import is only a warning: the stored draws are enough to go on."""
    run = context.run
    report: ImportReport | None = None
    problems = []
    if run.source != "none":
        try:
            report = import_source(run.source)
        except ImportRefused as error:
            problems.append(f"{run.source}: {error}")
        except FeedError as error:
            problems.append(f"{run.source} could not be read: {error}")
    draw_history = context.draw_history = load_draw_history(before=run.draw_date)
    if not len(draw_history.history):
        problems.append(f"no draw of the 69/26 era before {run.draw_date} is stored")
        raise StepFailed(f"{'; '.join(problems)}. Run `manage.py import_draws`")
    detail: dict[str, Any] = {"draws": len(draw_history.history), "draws_through": str(draw_history.through)}
    if late_draw := _late_draw(run):
        problems.append(f"the draw of {late_draw} is not available yet")
        detail["late"] = str(late_draw)
    if report is None:
        lines = problems or ["no source requested"]
        status = Status.WARNING if problems else Status.SKIPPED
    else:
        detail |= _import_detail(report)
        lines = [report.summary(), report.warning, *problems]
        status = Status.WARNING if problems or report.is_incomplete else Status.COMPLETED
    summary = "; ".join(filter(None, [*lines, freshness_text(draw_history.through)]))
    return StepOutcome(summary, detail, status)


def _late_draw(run: PipelineRun) -> date | None:
    """Return the last draw before the predicted one if its live source has not published it yet."""
    if run.source not in LIVE_SOURCES:
        return None
    draw_date = last_drawn(before=run.draw_date)
    return None if is_stored(draw_date) else draw_date


def _import_detail(report: ImportReport) -> dict[str, Any]:
    return {
        "read": report.read,
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "rejected": [f"{report.unit} {row.line}: {row.reason}" for row in report.rejected[:MAX_LISTED]],
        "conflicts": [f"{report.unit} {row.line}: {row.reason}" for row in report.conflicts[:MAX_LISTED]],
        "missing": [str(draw_date) for draw_date in missing_draws()[:MAX_LISTED]],
    }


def _analytics_step(context: StepContext) -> StepOutcome:
    """Test the randomness of the era's draws."""
    try:
        report = create_randomness_report(context.draw_history)
    except ValueError as error:
        raise StepFailed(str(error)) from error
    white, powerball = report.figures["white"], report.figures["powerball"]
    summary = (
        f"{report.draws} draws; white balls chi-square {chi_square_text(white)}, "
        f"Powerball {chi_square_text(powerball)}: {report.verdict}"
    )
    findings = {
        name: {key: finding[key] for key in FINDING_KEYS if key in finding}
        for name, finding in report.figures.items()
        if isinstance(finding, dict)
    }
    detail = {
        "draws": report.draws,
        "report": report.pk,
        "white": white["counts"],
        "powerball": powerball["counts"],
        "tests": findings,
    }
    return StepOutcome(summary, detail)


def _evaluation_step(context: StepContext) -> StepOutcome:
    """Compute the exact log-loss of the stored predictions whose draw is now stored."""
    evaluated = evaluate_predictions()
    names = ("mode", "log_loss", "white_log_loss", "powerball_log_loss")
    detail = {
        "uniform_log_loss": UNIFORM_LOG_LOSS,
        "evaluated": [
            {"draw_date": str(prediction.draw_date)} | {name: getattr(prediction, name) for name in names}
            for prediction in evaluated
        ],
    }
    if not evaluated:
        return StepOutcome("no prediction to evaluate", detail)
    losses = [f"{row.mode} {row.draw_date} {row.log_loss:.4f}" for row in evaluated[:5]]
    more = f" and {len(evaluated) - 5} more" if len(evaluated) > 5 else ""
    return StepOutcome(f"log-loss vs. uniform {UNIFORM_LOG_LOSS:.4f}: {', '.join(losses)}{more}", detail)


def _adaptive_weights_step(context: StepContext) -> StepOutcome:
    """Update the shares of v1's strategies by each new draw."""
    updates = update_shares(before=context.run.draw_date)
    context.shares = current_shares(before=context.run.draw_date)
    if context.shares is None:
        return StepOutcome(f"no draw has updated the shares of {ADAPTIVE_MODE} yet; those of its model apply")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in context.shares.items())
    change = f"updated by {len(updates)} draw{'' if len(updates) == 1 else 's'}" if updates else "unchanged"
    detail = {
        "shares": context.shares,
        "moved": [{"draw_date": str(row.draw_date), "log_losses": row.log_losses} for row in updates],
    }
    return StepOutcome(f"shares of {ADAPTIVE_MODE} {change}: {shares}", detail)


def _training_step(context: StepContext) -> StepOutcome:
    """Fit each mode of the run whose draws, code or parameters have changed, in a process of its own."""
    errors, figures, descriptions = {}, {}, {}
    for outcome in train_modes(context.run.modes, context.draw_history):
        mode, model = outcome.mode, outcome.prediction_model
        if model is None:
            errors[mode] = outcome.error
            continue
        if outcome.fitted:
            record_progress(context.run)
        context.models[mode] = model
        descriptions[mode] = _describe(outcome, model)
        figures[mode] = {
            "model": model.pk,
            "fitted": outcome.fitted,
            "pinned": outcome.pinned is not None,
            "seconds": round(model.seconds, 2),
            "peak_memory_kb": model.peak_memory_kb,
            "size_bytes": model.size_bytes,
            "skill": model.skill,
        }
    trained = [descriptions[mode] for mode in context.run.modes if mode in descriptions]
    return _outcome_by_mode("trained", trained, errors, figures)


def _describe(outcome: TrainingOutcome, model: TrainedModel) -> str:
    if outcome.pinned:
        return f"{outcome.mode} pinned to the model through {model.draws_through}"
    return f"{outcome.mode} in {model.seconds:.1f} s" if outcome.fitted else f"{outcome.mode} unchanged"


def _predictions_step(context: StepContext) -> StepOutcome:
    """Store a prediction of every trained model, in the order of MODES: dependencies come first."""
    errors, predictions = {}, []
    for mode in [name for name in MODES if name in context.models]:
        try:
            predictions.append(_get_or_create_prediction(context, mode))
        except (FitError, OSError) as error:
            logger.error("Prediction of %s failed: %s", mode, error)
            errors[mode] = str(error)
    texts = [f"{row.mode} ({row.note})" if row.note else row.mode for row in predictions]
    figures = {row.mode: {"prediction": row.pk} for row in predictions}
    return _outcome_by_mode(f"predicted {context.run.draw_date}", texts, errors, figures)


def _get_or_create_prediction(context: StepContext, mode: str) -> Prediction:
    """Return the mode's prediction of this run; one stored by an earlier attempt stays."""
    run, draw_history, model = context.run, context.draw_history, context.models[mode]
    if stored := Prediction.objects.filter(run=run, mode=mode).first():
        return stored
    components, note = predict(model, draw_history, _dependency_predictions(context, mode))
    if mode == ADAPTIVE_MODE and context.shares is not None:
        mixture = with_shares(components_from_json(components), context.shares)
        components = [component.as_json() for component in mixture]
    with transaction.atomic():
        record_progress(run)
        return Prediction.objects.create(
            mode=mode,
            draw_date=run.draw_date,
            draws_through=draw_history.through or model.draws_through,  # a pinned model's may be older
            model=model,
            run=run,
            components=components,
            note=note,
        )


def _dependency_predictions(context: StepContext, mode: str) -> dict[str, Any]:
    """Return the latest predictions, from the same draws, of the modes that this mode is built from."""
    predictions = {}
    for name in (*MODES[mode].requires, *MODES[mode].optional):
        prediction = Prediction.objects.newest(name, context.run.draw_date)
        if prediction is not None and prediction.draws_through == context.draw_history.through:
            predictions[name] = prediction.components
    return predictions


def _outcome_by_mode(
    action: str, succeeded: Sequence[str], errors: dict[str, str], figures: dict[str, Any]
) -> StepOutcome:
    """Return a warning if some modes failed; raise StepFailed if all of them did."""
    failures = [f"{mode} failed: {error}" for mode, error in errors.items()]
    if not succeeded:
        raise StepFailed("; ".join(failures))
    summary = "; ".join([f"{action}: {', '.join(succeeded)}", *failures])
    status = Status.WARNING if errors else Status.COMPLETED
    return StepOutcome(summary, {"modes": figures, "errors": errors}, status)


def _restore_draws(context: StepContext, detail: dict[str, Any]) -> None:
    # A draw that has arrived since the step belongs to the next run.
    context.draw_history = load_draw_history(through=date.fromisoformat(detail["draws_through"]))


def _restore_shares(context: StepContext, detail: dict[str, Any]) -> None:
    context.shares = detail.get("shares")


def _restore_models(context: StepContext, detail: dict[str, Any]) -> None:
    models = TrainedModel.objects.in_bulk([figures["model"] for figures in detail["modes"].values()])
    context.models = {model.mode: model for model in models.values()}


STEPS: dict[str, Callable[[StepContext], StepOutcome]] = {
    PipelineStep.Name.DATA: _import_step,
    PipelineStep.Name.ANALYTICS: _analytics_step,
    PipelineStep.Name.EVALUATION: _evaluation_step,
    PipelineStep.Name.ADAPTIVE_WEIGHTS: _adaptive_weights_step,
    PipelineStep.Name.TRAINING: _training_step,
    PipelineStep.Name.PREDICTIONS: _predictions_step,
}
# Restore the context of a resumed run from the details of its finished steps.
RESTORERS: dict[str, Callable[[StepContext, dict[str, Any]], None]] = {
    PipelineStep.Name.DATA: _restore_draws,
    PipelineStep.Name.ADAPTIVE_WEIGHTS: _restore_shares,
    PipelineStep.Name.TRAINING: _restore_models,
}
