"""Management command that creates API keys and their clients."""

import argparse
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from predictions.modes.registry import MODE_NAMES
from shiolplus.cli import add_modes_argument, configure_console_logging, iso_date, write_line
from tickets.claims.api_keys import MAX_DAYS, create_key, key_expiry
from tickets.models.clients import MAX_NAME, MAX_QUOTA, MAX_RATE, ApiClient, ApiKey

CLIENT_FIELD_BY_OPTION = {"quota": "daily_quota", "rate": "rate", "modes": "modes"}


class Command(BaseCommand):
    help = (
        "Creates an API key for the client NAME, and the client if it does not exist. Prints the key once, "
        "on a line of its own; only its hash is stored. The last line is a summary, which -v 0 omits. Quota, "
        "rate and modes of an existing client can only be changed in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", type=client_name, metavar="NAME", help="Name of the client.")
        parser.add_argument(
            "--quota",
            type=bounded_int(0, MAX_QUOTA),
            metavar="N",
            help="Maximum number of tickets per day. Defaults to 100.",
        )
        parser.add_argument(
            "--rate",
            type=bounded_int(1, MAX_RATE),
            metavar="N",
            help="Maximum number of requests per minute. Defaults to 600.",
        )
        add_modes_argument(parser, MODE_NAMES, "Modes the client may claim. Defaults to all modes.")
        parser.add_argument(
            "--expires",
            type=expiry,
            metavar="DATE|DAYS",
            help="Last date on which the key is valid (US Eastern time), or its validity in DAYS times 24 "
            "hours. By default, the key never expires.",
        )
        parser.add_argument(
            "--key-name", default="", metavar="TEXT", help="Label of the key. Defaults to today's date."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        try:
            with transaction.atomic():
                client, created = get_or_create_client(options)
                key, key_text = create_key(client, options["key_name"], options["expires"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key_text)
        write_line(self.stdout, verbosity, _summary(client, created, key))


def get_or_create_client(options: dict[str, Any]) -> tuple[ApiClient, bool]:
    """Return the named client and whether it was created.

    Raise CommandError if the client exists and an option would change it.
    """
    values = {
        field: options[option]
        for option, field in CLIENT_FIELD_BY_OPTION.items()
        if options[option] is not None
    }
    client = ApiClient.objects.filter(name=options["name"]).first()
    if client is None:
        client = ApiClient(name=options["name"], **values)
        client.full_clean()
        client.save(force_insert=True)
        return client, True
    if values:
        changes = ", ".join(f"--{option}" for option in CLIENT_FIELD_BY_OPTION if options[option] is not None)
        raise CommandError(
            f"Client {client} already exists; {changes} cannot change it. Use the admin (API clients)."
        )
    return client, False


def _summary(client: ApiClient, created: bool, key: ApiKey) -> str:
    expires = "never expires" if key.expiry_date is None else f"expires {key.expiry_date:%Y-%m-%d %H:%M} UTC"
    inactive = "" if client.active else "; the client is inactive, so the key is not accepted"
    return (
        f"Created key {key.prefix} for {'new ' if created else ''}client {client} "
        f"({client.daily_quota} tickets per day, {client.rate} requests per minute, "
        f"{', '.join(client.modes)}); it {expires}{inactive}."
    )


def client_name(text: str) -> str:
    if not 1 <= len(text) <= MAX_NAME or not text.isprintable() or not text.strip():
        raise argparse.ArgumentTypeError(
            f"must have 1 to {MAX_NAME} printable characters, not all blank: {text[:MAX_NAME]!r}"
        )
    return text


def bounded_int(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return an argument type that accepts the integers of a range."""

    def convert(text: str) -> int:
        # int() refuses a text of many thousand digits with a message of its own.
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(maximum))
        if not is_number or not minimum <= int(text) <= maximum:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an integer from {minimum} to {maximum}")
        return int(text)

    return convert


def expiry(text: str) -> datetime:
    """Convert a date, or a number of days from now, to the instant when a key expires."""
    try:
        if text.isascii() and text.isdigit():
            return timezone.now() + timedelta(days=bounded_int(1, MAX_DAYS)(text))
        return key_expiry(iso_date(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
