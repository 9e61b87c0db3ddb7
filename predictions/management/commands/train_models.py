"""`manage.py train_models`: fit modes on the stored draws, without predicting."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws import KnownDraws, known_draws
from predictions.models import TrainedModel
from predictions.modes import MODES
from predictions.terminal import add_modes, console, day, positive, quiet_logs, say
from predictions.training import DEFAULT_SEED, FitError, train


class Command(BaseCommand):
    help = (
        "Fit models on the stored draws of the 69/26 era, each in a process of its own, and measure each on "
        "held-out draws beside the uniform baseline. Tickets come from run_pipeline, which also predicts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes(parser, MODES, "modes to fit (default: all that this version trains)")
        parser.add_argument(
            "--through", type=day, metavar="DATE", help="learn from draws up to and with this date only"
        )
        parser.add_argument(
            "--seed", type=positive, default=DEFAULT_SEED, help="of the fit's random numbers (default: 1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        quiet_logs(verbosity)
        modes = options["modes"] or list(MODES)
        known = known_draws(through=options["through"])
        errors = [error for mode in modes if (error := self._train(mode, known, options["seed"], verbosity))]
        done = len(modes) - len(errors)
        summary = (
            f"{done} of {len(modes)} models trained on {len(known.history)} draws through {known.through}"
        )
        if errors:
            raise CommandError(f"{summary}: {'; '.join(errors)}")
        say(self.stdout, verbosity, summary)

    def _train(self, mode: str, known: KnownDraws, seed: int, verbosity: int) -> str:
        """Fit one mode and tell of it; returns what went wrong."""
        try:
            with console(verbosity).status(f"fitting {mode} …"):
                model = train(mode, known, seed)
        except (FitError, OSError) as error:
            return str(error)
        say(self.stdout, verbosity, _described(model))
        return ""


def _described(model: TrainedModel) -> str:
    skill = model.skill
    return (
        f"{model.mode}: {model.seconds:.1f} s, {model.peak_memory_kb / 1024:.0f} MB peak, "
        f"{model.size_bytes / 1e6:.2f} MB file; log-loss {skill['log_loss']:.4f} on {skill['draws_tested']} "
        f"held-out draws, uniform {skill['uniform_log_loss']:.4f} "
        f"(gain {skill['skill_nats']:+.4f} ± {skill['skill_se']:.4f})"
    )
