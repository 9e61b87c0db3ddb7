#!/usr/bin/env python
"""Command-line interface of SHIOL+ batch tickets. `manage.py help` lists the commands."""

import os
import signal
import sys
from threading import Timer
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT  # shell convention


def main() -> None:
    """Run a command. Report a bad setting, a database error or Ctrl-C without a traceback."""
    # Some import code swallows KeyboardInterrupt, and there is nothing to clean up yet.
    signal.signal(signal.SIGINT, _exit_at_once)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import InterfaceError, OperationalError, ProgrammingError

    try:
        if sys.argv[1:2] != ["runserver"]:  # reports import errors itself and waits for a change
            django.setup()
        if sys.argv[1:2] != ["run_cluster"]:  # installs its own handlers
            sys.unraisablehook = _resend_signal
            signal.signal(signal.SIGINT, signal.default_int_handler)
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (OperationalError, ProgrammingError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(
            f"error: database error: {str(error).strip().splitlines()[0]}. If tables are missing, run "
            "`python manage.py migrate`; use --traceback for details."
        )


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _resend_signal(unraisable: "sys.UnraisableHookArgs") -> None:
    """Send a signal again whose exception was raised in a destructor and therefore dropped."""
    numbers = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    if (number := numbers.get(unraisable.exc_type)) is None:
        sys.__unraisablehook__(unraisable)
    else:
        Timer(0.01, os.kill, (os.getpid(), number)).start()


if __name__ == "__main__":
    main()
