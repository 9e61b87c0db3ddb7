"""Management command that prepares a new installation."""

import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shiolplus.cli import write_line


class Command(BaseCommand):
    help = (
        "Creates the var/ directory and the secret key in var/secret-key, which the web server and the "
        "clusters share and only its owner can read. Does not replace an existing key."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
            (settings.VAR / "logs").mkdir(exist_ok=True)
            created = self._create_key(settings.VAR / "secret-key")
        except OSError as error:
            raise CommandError(f"{settings.VAR} cannot be initialized: {error}") from error
        key = "a new secret key" if created else "the existing secret key"
        write_line(self.stdout, options["verbosity"], f"Initialized {settings.VAR} with {key}.")

    def _create_key(self, key_file: os.PathLike[str]) -> bool:
        """Create the key file atomically with its final permissions. Return False if it already exists."""
        try:
            descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        return True
