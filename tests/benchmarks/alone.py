"""A benchmark's own world: an empty migrated database in a temporary folder, gone when the block ends."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


@contextmanager
def own_database(kept: str = "", **extra: str) -> Iterator[None]:
    """Django set up on SQLite, its logs silent; `extra` are further environment variables.

    With a `kept` folder, the database that lies there. To be entered before anything of Django's is imported.
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
