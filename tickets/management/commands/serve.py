"""`manage.py serve`: the web server and both clusters, until Ctrl-C."""

import secrets
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shiolplus.cli import configure_console_logging, write_line
from tickets.cluster.local_stack import StartError, run_local_stack


class Command(BaseCommand):
    help = (
        "Serve the API and the admin on this machine, with the clusters that make tickets, until Ctrl-C. "
        "The first time an admin account is made and its password is printed once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default: 8000; 0: any)")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        if not 0 <= options["port"] <= 65535:
            raise CommandError(f"--port {options['port']}: allowed is 0 to 65535")
        try:
            with run_local_stack(options["port"]) as stack:
                self._admin_account()
                write_line(self.stdout, verbosity, f"API    {stack.url}/api/v1/tickets/cached")
                write_line(self.stdout, verbosity, f"admin  {stack.url}/admin/dashboard/")
                write_line(
                    self.stdout, verbosity, "tickets  `manage.py run_pipeline` in another terminal makes some"
                )
                write_line(self.stdout, verbosity, "Ctrl-C stops everything.")
                self.stdout.flush()
                while not (ended := stack.ended()):
                    time.sleep(1)
                raise CommandError(ended)
        except StartError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            write_line(self.stdout, verbosity, "stopped")

    def _admin_account(self) -> None:
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self.stdout.write(f"account  admin, password {password} (shown this once)")
