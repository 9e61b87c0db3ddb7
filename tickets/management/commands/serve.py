"""Management command that runs the web server and both clusters on one machine."""

import secrets
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shiolplus.cli import configure_console_logging, write_line
from tickets.cluster.local_stack import StartError, run_local_stack


class Command(BaseCommand):
    help = (
        "Starts the web server and both clusters on this machine and stops them on Ctrl-C. If no superuser "
        "exists, creates the account `admin` and prints its password once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port",
            type=int,
            default=8000,
            help="Port on 127.0.0.1. Defaults to 8000; 0 selects any available port.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        if not 0 <= options["port"] <= 65535:
            raise CommandError(f"--port {options['port']} is not in the range 0 to 65535.")
        try:
            with run_local_stack(options["port"]) as stack:
                self._create_admin_account()
                for line in (
                    f"API      {stack.url}/api/v1/tickets/cached",
                    f"Admin    {stack.url}/admin/dashboard/",
                    "Tickets  run `manage.py run_pipeline` in another terminal to generate them",
                    "Quit with Ctrl-C.",
                ):
                    write_line(self.stdout, verbosity, line)
                self.stdout.flush()
                while not (failure := stack.find_exited()):
                    time.sleep(1)
                raise CommandError(failure)
        except StartError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            write_line(self.stdout, verbosity, "Stopped the web server and both clusters.")

    def _create_admin_account(self) -> None:
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self.stdout.write(f"Account  admin, password {password} (shown only once)")
