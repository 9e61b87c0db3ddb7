"""Run management commands in this process, or in a new one where the exit code matters."""

import subprocess
import sys
from io import StringIO

from django.conf import settings
from django.core.management import call_command

from tests.processes import environment


def call(command: str, *arguments: str) -> tuple[str, str]:
    """Run a command in this process. Return its stdout and stderr."""
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def manage(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process on the test database."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=60,
    )
