"""What every command shares on a terminal: modes and dates as arguments, verbosity, progress.

Progress goes to stderr and only to a terminal; `-v 0` and NO_COLOR are honoured. The last line on stdout is
the summary.
"""

import argparse
import logging
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.management.base import CommandParser, OutputWrapper
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

APPS = ("predictions", "tickets", "django-q")
LOG_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


def configure_console_logging(verbosity: int) -> None:
    """Let a command speak for itself: log lines are shown from -v 2 on, warnings always but at -v 0.

    The log file has them all the same.
    """
    shown = LOG_LEVELS[verbosity]
    for handler in logging.getLogger().handlers:
        if handler.name == "console":
            handler.setLevel(shown)
    for name in APPS:
        logging.getLogger(name).setLevel(min(shown, logging.INFO))


def console(verbosity: int) -> Console:
    """Where progress and tables for people go."""
    return Console(stderr=True, quiet=verbosity == 0)


def _progress(verbosity: int, *columns: ProgressColumn, **options: Any) -> Progress:
    """What it is, and how far it is, then these columns; plain nothing when stderr is not a terminal."""
    screen = console(verbosity)
    disable = verbosity == 0 or not screen.is_terminal
    description = TextColumn("{task.description}")
    return Progress(description, BarColumn(), *columns, console=screen, disable=disable, **options)


def progress(verbosity: int, unit: str) -> Progress:
    """A bar that counts `unit`."""
    return _progress(verbosity, MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())


def eta_progress(verbosity: int) -> Progress:
    """A bar over work whose parts differ in length, with the time that is left of it."""
    return _progress(
        verbosity,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        speed_estimate_period=600,  # seconds: a part may take half a minute
    )


class _Rate(ProgressColumn):
    """How fast a bar goes: as its task's field `rate` says, else as it was seen to go; 1,234 tickets/s."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        rate = task.fields.get("rate") or task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.0f} {self.unit}/s")


def rate_progress(verbosity: int, unit: str) -> Progress:
    """A bar that counts `unit`, with how many a second, and the time that is left of them."""
    return _progress(
        verbosity,
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        _Rate(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )


def write_line(stdout: OutputWrapper, verbosity: int, line: str) -> None:
    """One line for people, unless they asked for silence."""
    if verbosity > 0:
        stdout.write(line)


class _Modes(argparse.Action):
    """`--modes a b` and `--modes a,b`, each checked against the allowed names."""

    def __init__(self, *args: Any, allowed: Iterable[str], **kwargs: Any) -> None:
        self.allowed = list(allowed)
        super().__init__(*args, **kwargs)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        modes = list(dict.fromkeys(mode for value in values for mode in value.split(",") if mode))
        unknown = [mode for mode in modes if mode not in self.allowed]
        if unknown or not modes:
            raise argparse.ArgumentError(
                self,
                f"{', '.join(unknown) or 'nothing'} is not allowed; choose from {', '.join(self.allowed)}",
            )
        setattr(namespace, self.dest, modes)


def add_modes_argument(parser: CommandParser, allowed: Iterable[str], help: str) -> None:
    """Add `--modes`, restricted to the allowed names."""
    parser.add_argument("--modes", nargs="+", action=_Modes, allowed=allowed, metavar="MODE", help=help)


def iso_date(text: str) -> date:
    """An argument that is a date, written 2026-11-25."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-25") from error


def positive_int(text: str) -> int:
    """An argument that is an integer from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 1")
    return int(text)
