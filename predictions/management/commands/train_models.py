"""`manage.py train_models`: fit modes on the stored draws, without predicting."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws.sources import known_draws
from predictions.models import TrainedModel
from predictions.modes.registry import MODE_NAMES
from predictions.training.trainer import DEFAULT_SEED, TrainingOutcome, train_modes
from shiolplus.cli import (
    add_modes_argument,
    configure_console_logging,
    iso_date,
    positive_int,
    progress,
    write_line,
)


class Command(BaseCommand):
    help = (
        "Fit models on the stored draws of the 69/26 era, each in a process of its own, and measure each on "
        "held-out draws beside the uniform baseline. Tickets come from run_pipeline, which also predicts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes_argument(parser, MODE_NAMES, "modes to fit (default: all)")
        parser.add_argument(
            "--through", type=iso_date, metavar="DATE", help="learn from draws up to and with this date only"
        )
        parser.add_argument(
            "--seed", type=positive_int, default=DEFAULT_SEED, help="of the fit's random numbers (default: 1)"
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="fit even a mode whose draws, code version, parameters and seed are unchanged",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        modes = options["modes"] or list(MODE_NAMES)
        known = known_draws(through=options["through"])
        trainings: list[TrainingOutcome] = []
        with progress(verbosity, "modes") as bar:
            task = bar.add_task("fitting", total=len(modes))
            for training in train_modes(modes, known, options["seed"], force=options["force"]):
                trainings.append(training)
                bar.advance(task)
                if training.model is not None:
                    write_line(self.stdout, verbosity, _described(training.model, training))
        errors = [training.error for training in trainings if training.error]
        fitted = sum(training.fitted for training in trainings)
        pinned = sum(training.pinned is not None and not training.fitted for training in trainings)
        unchanged = len(modes) - fitted - pinned - len(errors)
        kept = f"{unchanged} unchanged" + (f", {pinned} pinned" if pinned else "")
        summary = (
            f"{fitted} of {len(modes)} models trained, {kept}, "
            f"on {len(known.history)} draws through {known.through}"
        )
        if errors:
            raise CommandError(f"{summary}: {'; '.join(errors)}")
        write_line(self.stdout, verbosity, summary)


def _described(model: TrainedModel, training: TrainingOutcome) -> str:
    skill = model.skill
    return (
        f"{model.mode}: {_state(training)}{model.seconds:.1f} s, {model.peak_memory_kb / 1024:.0f} MB peak, "
        f"{model.size_bytes / 1000:.1f} kB file; log-loss {skill['log_loss']:.4f} on {skill['draws_tested']} "
        f"held-out draws, uniform {skill['uniform_log_loss']:.4f} "
        f"(gain {skill['skill_nats']:+.4f} ± {skill['skill_se']:.4f})"
    )


def _state(training: TrainingOutcome) -> str:
    if training.pinned and training.fitted:
        return f"stored, but pinned to the model through {training.pinned.draws_through}, which predicts; "
    if training.pinned:
        return f"pinned to the model through {training.pinned.draws_through}, not fitted again; "
    return "" if training.fitted else "unchanged, not fitted again; "
