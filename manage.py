#!/usr/bin/env python
"""The command line of SHIOL+ batch tickets: `manage.py help` lists what it can do."""

import os
import signal
import sys
from threading import Timer
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT  # the exit code that shells use


def main() -> None:
    """Run a command; an outage, a bad setting and Ctrl-C are one line or none, and no traceback."""
    # Nothing runs yet that has to be stopped, and some importers drop a KeyboardInterrupt.
    signal.signal(signal.SIGINT, _exit_at_once)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import InterfaceError, OperationalError, ProgrammingError

    try:
        if sys.argv[1:2] != ["runserver"]:  # which reports errors of the code itself, and waits for a change
            django.setup()
        if sys.argv[1:2] != ["run_cluster"]:  # whose handler sets its own
            sys.unraisablehook = _send_again
            signal.signal(signal.SIGINT, signal.default_int_handler)
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # the message says it all; where it was raised helps nobody
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (OperationalError, ProgrammingError, InterfaceError) as error:  # it is away, or has no tables
        if "--traceback" in sys.argv:
            raise
        sys.exit(
            f"error: the database cannot serve this: {str(error).strip().splitlines()[0]}. If tables are "
            "missing, run `python manage.py migrate`; --traceback shows where it happened."
        )


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _send_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a signal whose exception was dropped, as it was raised within a destructor."""
    numbers = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    if (number := numbers.get(unraisable.exc_type)) is None:
        sys.__unraisablehook__(unraisable)
    else:
        Timer(0.01, os.kill, (os.getpid(), number)).start()


if __name__ == "__main__":
    main()
