#!/usr/bin/env python
"""The command line of SHIOL+ batch tickets: `manage.py help` lists what it can do."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import InterfaceError, OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # the message says it all; where it was raised helps nobody
        sys.exit(f"error: {error}")
    except (OperationalError, ProgrammingError, InterfaceError) as error:  # it is away, or has no tables
        if "--traceback" in sys.argv:
            raise
        sys.exit(
            f"error: the database cannot serve this: {str(error).strip().splitlines()[0]}. If tables are "
            "missing, run `python manage.py migrate`; --traceback shows where it happened."
        )
