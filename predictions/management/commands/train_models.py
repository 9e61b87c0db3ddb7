"""Management command that trains models on the stored draws."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws.sources import load_draw_history
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
        "Trains models on the stored draws of the 69/26 era, each in its own process, and measures them on "
        "held-out draws against the uniform baseline. Use run_pipeline to also store predictions and "
        "generate tickets."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes_argument(parser, MODE_NAMES, "Modes to train. Defaults to all modes.")
        parser.add_argument("--through", type=iso_date, metavar="DATE", help="Ignore draws after DATE.")
        parser.add_argument(
            "--seed",
            type=positive_int,
            default=DEFAULT_SEED,
            help=f"Random seed of the fits. Defaults to {DEFAULT_SEED}.",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Also train modes whose draws, code version, parameters and seed are unchanged.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        modes = options["modes"] or list(MODE_NAMES)
        draw_history = load_draw_history(through=options["through"])
        outcomes: list[TrainingOutcome] = []
        with progress(verbosity, "modes") as bar:
            task = bar.add_task("Training", total=len(modes))
            for outcome in train_modes(modes, draw_history, options["seed"], force=options["force"]):
                outcomes.append(outcome)
                bar.advance(task)
                if outcome.model is not None:
                    write_line(self.stdout, verbosity, _describe(outcome.model, outcome))
        errors = [outcome.error for outcome in outcomes if outcome.error]
        fitted = sum(outcome.fitted for outcome in outcomes)
        pinned = sum(outcome.pinned is not None and not outcome.fitted for outcome in outcomes)
        unchanged = len(modes) - fitted - pinned - len(errors)
        summary = (
            f"Trained {fitted} of {len(modes)} models on {len(draw_history.history)} draws through "
            f"{draw_history.through}; {unchanged} unchanged" + (f", {pinned} pinned" if pinned else "")
        )
        if errors:
            raise CommandError(f"{summary}: {'; '.join(errors)}")
        write_line(self.stdout, verbosity, f"{summary}.")


def _describe(model: TrainedModel, outcome: TrainingOutcome) -> str:
    skill = model.skill
    return (
        f"{model.mode}: {_describe_state(outcome)}{model.seconds:.1f} s, "
        f"{model.peak_memory_kb / 1024:.0f} MB peak, {model.size_bytes / 1000:.1f} kB file; "
        f"log-loss {skill['log_loss']:.4f} on {skill['draws_tested']} held-out draws, "
        f"uniform {skill['uniform_log_loss']:.4f} (gain {skill['skill_nats']:+.4f} ± {skill['skill_se']:.4f})"
    )


def _describe_state(outcome: TrainingOutcome) -> str:
    if outcome.pinned and outcome.fitted:
        return f"trained, but pinned to the model through {outcome.pinned.draws_through}; "
    if outcome.pinned:
        return f"pinned to the model through {outcome.pinned.draws_through}, not trained; "
    return "" if outcome.fitted else "unchanged, not trained; "
