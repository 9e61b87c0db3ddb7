"""`manage.py init`: what must be there before anything else runs."""

import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shiolplus.cli import write_line


class Command(BaseCommand):
    help = (
        "Make the var/ folder and, unless it is there, the secret key in var/secret-key (readable by you "
        "only) that web and clusters share. Safe to run again: an existing key is kept."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        key_file = settings.VAR / "secret-key"
        try:
            settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
            (settings.VAR / "logs").mkdir(exist_ok=True)
            created = self._write_key(key_file)
        except OSError as error:
            raise CommandError(f"{settings.VAR} cannot be prepared: {error}") from error
        state = "a new secret key" if created else "the secret key that was there"
        write_line(self.stdout, options["verbosity"], f"{settings.VAR} is ready, with {state}")

    def _write_key(self, key_file: os.PathLike[str]) -> bool:
        """Create the key with its final mode in one step; False when there is one already."""
        try:
            descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        return True
