"""`manage.py create_api_key`: make a key of an API client, and the client where there is none."""

import argparse
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

OF_CLIENT = {"quota": "daily_quota", "rate": "rate", "modes": "modes"}  # options, and the fields they set


class Command(BaseCommand):
    help = (
        "Make a key with which the client NAME claims tickets, and the client where there is none. The key "
        "is written once, to stdout on a line of its own; it is not stored and cannot be shown again. The "
        "last line is a summary; with -v 0 there is only the key, for a script to take. Of a client that "
        "exists, quota, rate and modes are changed in the admin only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", type=_name, metavar="NAME", help="the client's name")
        parser.add_argument(
            "--quota", type=_whole(0, MAX_QUOTA), metavar="N", help="tickets a day (default: 100)"
        )
        parser.add_argument(
            "--rate", type=_whole(1, MAX_RATE), metavar="N", help="requests a minute (default: 600)"
        )
        add_modes_argument(parser, MODE_NAMES, "modes that it may claim (default: all)")
        parser.add_argument(
            "--expires",
            type=_end,
            metavar="DATE|DAYS",
            help="the last day in New York on which the key is accepted, or for so many times 24 hours "
            "(default: it never expires)",
        )
        parser.add_argument("--key-name", default="", metavar="TEXT", help="to know it by (default: the day)")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        try:
            with transaction.atomic():
                client, is_new = _client(options)
                key, text = create_key(client, options["key_name"], options["expires"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
        write_line(self.stdout, verbosity, _summary(client, is_new, key))


def _client(options: dict[str, Any]) -> tuple[ApiClient, bool]:
    """The client of that name, and whether it is made here; CommandError for one that is to be changed."""
    given = {field: options[name] for name, field in OF_CLIENT.items() if options[name] is not None}
    client = ApiClient.objects.filter(name=options["name"]).first()
    if client is None:
        client = ApiClient(name=options["name"], **given)
        client.full_clean()
        client.save(force_insert=True)
        return client, True
    if given:
        named = ", ".join(f"--{name}" for name in OF_CLIENT if options[name] is not None)
        raise CommandError(
            f"the client {client} exists already, and {named} would change it: "
            "that is done in the admin (API clients)"
        )
    return client, False


def _summary(client: ApiClient, is_new: bool, key: ApiKey) -> str:
    who = f"new client {client}" if is_new else f"client {client}"
    until = "never expires" if key.expiry_date is None else f"expires {key.expiry_date:%Y-%m-%d %H:%M} UTC"
    asleep = "" if client.active else "; the client is not active, so the key is not accepted"
    return (
        f"key {key.prefix} of the {who} ({client.daily_quota} tickets a day, {client.rate} requests a "
        f"minute, {', '.join(client.modes)}) {until}{asleep}"
    )


def _name(text: str) -> str:
    """An argument that may be a client's name."""
    if not 1 <= len(text) <= MAX_NAME or not text.isprintable() or not text.strip():
        raise argparse.ArgumentTypeError(
            f"allowed are 1 to {MAX_NAME} printable characters, not all blank; this is {text[:MAX_NAME]!r}"
        )
    return text


def _whole(lowest: int, highest: int) -> Any:
    """The type of an argument that is an integer in a range."""

    def whole(text: str) -> int:
        allowed = f"{text[:40]!r} is not an integer from {lowest} to {highest}"
        if not text.isascii() or not text.isdigit() or len(text) > len(str(highest)):
            raise argparse.ArgumentTypeError(allowed)
        if not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(allowed)
        return int(text)

    return whole


def _end(text: str) -> datetime:
    """An argument that is a last day, or a number of days from now."""
    try:
        if text.isascii() and text.isdigit():
            return timezone.now() + timedelta(days=_whole(1, MAX_DAYS)(text))
        return key_expiry(iso_date(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
