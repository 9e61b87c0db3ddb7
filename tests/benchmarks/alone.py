"""A temporary database for a benchmark."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


@contextmanager
def own_database(kept: str = "", **extra: str) -> Iterator[None]:
    """Set up Django on SQLite without logs; `extra` are further environment variables.

    With `kept`, use the database in that folder. Enter this before importing anything of Django.
    """
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="shiol-bench-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
            "SHIOL_VAR": folder,
            "SHIOL_SECRET_KEY": "only-for-benchmarks",
            **extra,
        }
        os.environ.pop("DATABASE_URL", None)
        import django

        django.setup()
        from django.core.management import call_command

        from shiolplus.cli import configure_console_logging

        configure_console_logging(0)
        call_command("migrate", verbosity=0, skip_checks=True)
        yield
