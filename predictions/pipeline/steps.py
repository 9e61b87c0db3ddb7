"""The six steps from official draws to predictions: what each does, and what it may say of itself."""

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
from predictions.draws.randomness_reports import report_of
from predictions.draws.sources import (
    LIVE_SOURCES,
    DrawHistory,
    freshness_text,
    import_source,
    is_stored,
    known_draws,
    last_held,
    missing_draws,
)
from predictions.evaluation.log_loss import evaluate_predictions
from predictions.models import PipelineRun, PipelineStep, Prediction, TrainedModel
from predictions.modes.registry import MODES
from predictions.modes.v1 import weighed
from predictions.training.strategy_shares import ADAPTIVE_MODE, current_shares, update_shares
from predictions.training.subprocesses import FitError
from predictions.training.trainer import TrainingOutcome, predict, train_modes
from predictions.workqueue.leases import LeaseLost

logger = logging.getLogger(__name__)

Status = PipelineStep.Status


class StepFailed(Exception):
    """A required step that cannot do its work; the run ends here."""


@dataclass(frozen=True)
class StepOutcome:
    """What a step came to: a line for people and figures for programs."""

    summary: str
    detail: dict[str, Any] = field(default_factory=dict)
    status: str = Status.COMPLETED


@dataclass
class StepContext:
    """What one step leaves for the next."""

    run: PipelineRun
    known: DrawHistory = field(init=False)
    shares: dict[str, float] | None = None  # of v1's strategies; None: the model's own
    models: dict[str, TrainedModel] = field(default_factory=dict)


def record_progress(run: PipelineRun) -> None:
    """Renew the run's lease and count its attempts anew; Lost when it is no longer ours."""
    if not PipelineRun.objects.renew(run, attempts=1):
        raise LeaseLost


def _import_step(work: StepContext) -> StepOutcome:
    """Bring in new draws; a feed out of reach is a warning, for the stored draws still serve."""
    source = work.run.source
    report, trouble = None, ""
    if source != "none":
        try:
            report = import_source(source)
        except FeedError as error:
            trouble = f"{source} could not be read: {error}"
            if isinstance(error, ImportRefused):
                trouble = f"the draws of {source} were refused: {error}"
    work.known = known_draws(before=work.run.draw_date)
    known = freshness_text(work.known.through)
    if not len(work.known.history):
        raise StepFailed(
            f"{trouble}; no draw of the 69/26 era before {work.run.draw_date} is stored. "
            "Run `manage.py import_draws`".removeprefix("; ")
        )
    late = _late_draw(work.run)
    detail = {"draws": len(work.known.history), "draws_through": str(work.known.through)}
    if late is not None:
        trouble = f"{trouble}; the draw of {late} is not known yet".removeprefix("; ")
        detail["late"] = str(late)
    if report is None:
        status = Status.WARNING if trouble else Status.SKIPPED
        return StepOutcome(f"{trouble or 'no source asked for'}; {known}", detail, status)
    detail |= _import_detail(report)
    status = Status.WARNING if report.is_incomplete or trouble else Status.COMPLETED
    return StepOutcome(
        "; ".join(filter(None, [report.summary(), report.warning, trouble, known])), detail, status
    )


def _late_draw(run: PipelineRun) -> date | None:
    """The last draw held before the predicted one, where a source that should bring it has not."""
    if run.source not in LIVE_SOURCES:
        return None
    day = last_held(before=run.draw_date)
    return None if is_stored(day) else day


def _import_detail(report: ImportReport) -> dict[str, Any]:
    return {
        "read": report.read,
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "rejected": [f"{report.unit} {row.line}: {row.reason}" for row in report.rejected[:100]],
        "conflicts": [f"{report.unit} {row.line}: {row.reason}" for row in report.conflicts[:100]],
        "missing": [str(day) for day in missing_draws()[:100]],
    }


def _analytics(work: StepContext) -> StepOutcome:
    """Test whether the era's draws look as fair draws would."""
    try:
        report = report_of(work.known)
    except ValueError as error:
        raise StepFailed(str(error)) from error
    white, powerball = report.figures["white"], report.figures["powerball"]
    summary = (
        f"{report.draws} draws; white balls chi-square {chi_square_text(white)}, "
        f"Powerball {chi_square_text(powerball)}: {report.verdict}"
    )
    detail = {
        "draws": report.draws,
        "report": report.pk,
        "white": white["counts"],
        "powerball": powerball["counts"],
        "tests": _main_figures(report.figures),
    }
    return StepOutcome(summary, detail)


def _main_figures(figures: dict[str, Any]) -> dict[str, Any]:
    """Of each test what it came to; all else stays in the report."""
    return {
        name: {key: test[key] for key in ("statistic", "z", "p", "verdict") if key in test}
        for name, test in figures.items()
        if isinstance(test, dict)
    }


def _evaluation(work: StepContext) -> StepOutcome:
    """Take the exact log-loss of stored predictions whose draw has come."""
    evaluated = evaluate_predictions()
    detail = {
        "uniform_log_loss": UNIFORM_LOG_LOSS,
        "evaluated": [
            {
                "mode": prediction.mode,
                "draw_date": str(prediction.draw_date),
                "log_loss": prediction.log_loss,
                "white_log_loss": prediction.white_log_loss,
                "powerball_log_loss": prediction.powerball_log_loss,
            }
            for prediction in evaluated
        ],
    }
    if not evaluated:
        return StepOutcome("no stored prediction's draw has newly become known", detail)
    losses = ", ".join(f"{one.mode} {one.draw_date} {one.log_loss:.4f}" for one in evaluated[:5])
    more = f" and {len(evaluated) - 5} more" if len(evaluated) > 5 else ""
    return StepOutcome(f"log-loss beside uniform's {UNIFORM_LOG_LOSS:.4f}: {losses}{more}", detail)


def _adaptive_weights(work: StepContext) -> StepOutcome:
    """Move the shares of v1's strategies by each draw that has newly become known."""
    moved = update_shares(before=work.run.draw_date)
    work.shares = current_shares(before=work.run.draw_date)
    if work.shares is None:
        return StepOutcome(f"no draw has moved the shares of {ADAPTIVE_MODE} yet; its model's own hold")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in work.shares.items())
    what = f"{len(moved)} new draw{'' if len(moved) == 1 else 's'} moved" if moved else "no new draw moves"
    detail = {
        "shares": work.shares,
        "moved": [{"draw_date": str(one.draw_date), "log_losses": one.log_losses} for one in moved],
    }
    return StepOutcome(f"{what} the shares of {ADAPTIVE_MODE}: {shares}", detail)


def _training(work: StepContext) -> StepOutcome:
    """Fit every mode of the run whose draws, code or parameters have changed, each in its own process."""
    errors, figures, texts = {}, {}, {}
    for training in train_modes(work.run.modes, work.known):
        mode, model = training.mode, training.predicts
        if model is None:
            errors[mode] = training.error
            continue
        if training.fitted:
            record_progress(work.run)
        work.models[mode] = model
        texts[mode] = _describe(training, model)
        figures[mode] = {
            "model": model.pk,
            "fitted": training.fitted,
            "pinned": training.pinned is not None,
            "seconds": round(model.seconds, 2),
            "peak_memory_kb": model.peak_memory_kb,
            "size_bytes": model.size_bytes,
            "skill": model.skill,
        }
    return _outcome_by_mode(
        "trained", [texts[one] for one in work.run.modes if one in texts], errors, figures
    )


def _describe(training: TrainingOutcome, model: TrainedModel) -> str:
    if training.pinned:
        return f"{training.mode} pinned to the model through {model.draws_through}"
    return f"{training.mode} in {model.seconds:.1f} s" if training.fitted else f"{training.mode} unchanged"


def _predictions(work: StepContext) -> StepOutcome:
    """Let every trained model leave its law for the draw, those that others are made of first."""
    errors, made = {}, []
    for mode in [name for name in MODES if name in work.models]:
        try:
            prediction = _prediction(work, mode)
        except (FitError, OSError) as error:
            logger.error("%s did not predict: %s", mode, error)
            errors[mode] = str(error)
            continue
        made.append(prediction)
    texts = [f"{one.mode} ({one.note})" if one.note else one.mode for one in made]
    return _outcome_by_mode(
        f"predicted {work.run.draw_date}", texts, errors, {one.mode: {"prediction": one.pk} for one in made}
    )


def _prediction(work: StepContext, mode: str) -> Prediction:
    """The mode's law of this run: once made, it stays, whoever takes the run up again."""
    if made := Prediction.objects.filter(run=work.run, mode=mode).first():
        return made
    model = work.models[mode]
    components, note = predict(model, work.known, _parts(work, mode))
    if mode == ADAPTIVE_MODE and work.shares is not None:
        components = [one.as_json() for one in weighed(components_from_json(components), work.shares)]
    with transaction.atomic():
        record_progress(work.run)
        return Prediction.objects.create(
            mode=mode,
            draw_date=work.run.draw_date,
            draws_through=work.known.through or model.draws_through,  # a pinned model's may be older
            model=model,
            run=work.run,
            components=components,
            note=note,
        )


def _parts(work: StepContext, mode: str) -> dict[str, Any]:
    """The newest laws of this draw, made of the same draws, of the modes that this one is made of."""
    parts = {}
    for name in (*MODES[mode].requires, *MODES[mode].optional):
        law = Prediction.objects.newest(name, work.run.draw_date)
        if law is not None and law.draws_through == work.known.through:
            parts[name] = law.components
    return parts


def _outcome_by_mode(
    what: str, done: Sequence[str], errors: dict[str, str], figures: dict[str, Any]
) -> StepOutcome:
    """The outcome of a step that goes mode by mode: failed only when no mode got through."""
    failures = "; ".join(f"{mode} failed: {error}" for mode, error in errors.items())
    if not done:
        raise StepFailed(failures)
    summary = f"{what}: {', '.join(done)}" + (f"; {failures}" if failures else "")
    return StepOutcome(
        summary, {"modes": figures, "errors": errors}, Status.WARNING if errors else Status.COMPLETED
    )


STEPS: dict[str, Callable[[StepContext], StepOutcome]] = {
    PipelineStep.Name.DATA: _import_step,
    PipelineStep.Name.ANALYTICS: _analytics,
    PipelineStep.Name.EVALUATION: _evaluation,
    PipelineStep.Name.ADAPTIVE_WEIGHTS: _adaptive_weights,
    PipelineStep.Name.TRAINING: _training,
    PipelineStep.Name.PREDICTIONS: _predictions,
}


# What a step that has ended left for the next, for a run that is taken up again.


def _recall_draws(work: StepContext, detail: dict[str, Any]) -> None:
    """The draws as the run first knew them: one that has arrived since is the next run's."""
    work.known = known_draws(through=date.fromisoformat(detail["draws_through"]))


def _recall_shares(work: StepContext, detail: dict[str, Any]) -> None:
    work.shares = detail.get("shares")


def _recall_models(work: StepContext, detail: dict[str, Any]) -> None:
    models = TrainedModel.objects.in_bulk([figures["model"] for figures in detail["modes"].values()])
    work.models = {model.mode: model for model in models.values()}


RESTORERS: dict[str, Callable[[StepContext, dict[str, Any]], None]] = {
    PipelineStep.Name.DATA: _recall_draws,
    PipelineStep.Name.ADAPTIVE_WEIGHTS: _recall_shares,
    PipelineStep.Name.TRAINING: _recall_models,
}
