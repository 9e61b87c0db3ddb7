"""Argument types, logging and progress bars shared by the management commands.

Progress is written to stderr, and only to a terminal. `-v 0` and NO_COLOR are respected.
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
    """Set the level of console logging: errors at -v 0, warnings by default, info at -v 2, debug at -v 3."""
    level = LOG_LEVELS[verbosity]
    for handler in logging.getLogger().handlers:
        if handler.name == "console":
            handler.setLevel(level)
    for name in APPS:
        logging.getLogger(name).setLevel(min(level, logging.INFO))


def console(verbosity: int) -> Console:
    return Console(stderr=True, quiet=verbosity == 0)


def make_progress(verbosity: int, *columns: ProgressColumn, **options: Any) -> Progress:
    screen = console(verbosity)
    disable = verbosity == 0 or not screen.is_terminal
    description = TextColumn("{task.description}")
    return Progress(description, BarColumn(), *columns, console=screen, disable=disable, **options)


def progress(verbosity: int, unit: str) -> Progress:
    return make_progress(verbosity, MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())


def eta_progress(verbosity: int) -> Progress:
    """Return a progress bar with the remaining time, for steps of different duration."""
    return make_progress(
        verbosity,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        speed_estimate_period=600,  # seconds
    )


class _Rate(ProgressColumn):
    """Show a rate such as 1,234 tickets/s: the task's field `rate` if set, else the observed speed."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        rate = task.fields.get("rate") or task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.0f} {self.unit}/s")


def rate_progress(verbosity: int, unit: str) -> Progress:
    return make_progress(
        verbosity,
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        _Rate(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )


def write_line(stdout: OutputWrapper, verbosity: int, line: str) -> None:
    if verbosity > 0:
        stdout.write(line)


class _Modes(argparse.Action):
    """Parse `--modes a b` or `--modes a,b`."""

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
    parser.add_argument("--modes", nargs="+", action=_Modes, allowed=allowed, metavar="MODE", help=help)


def iso_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-25") from error


def positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)
