"""Validation of tickets to insert."""

import json
from numbers import Real
from typing import Any

from predictions.powerball import check_numbers
from shiolplus.logs.safe_text import is_name, is_storable


class InvalidTicket(ValueError):
    """A ticket cannot be stored; the message gives the reason."""


def validate_ticket(ticket: object, mode: str) -> tuple[list[int], int, float, str, str | None]:
    """Return the values of a TicketRow; balls may be NumPy integers. Raise InvalidTicket."""
    if not isinstance(ticket, dict):
        raise InvalidTicket(f"it is {type(ticket).__name__}, not a dict")
    if missing := [key for key in ("white_balls", "powerball") if key not in ticket]:
        raise InvalidTicket(f"it has no {' and no '.join(missing)}")
    try:
        check_numbers(ticket["white_balls"], ticket["powerball"])
    except ValueError as error:
        raise InvalidTicket(str(error)) from error
    confidence: Any = ticket.get("confidence", 0.5)
    strategy = ticket.get("strategy", mode)
    is_number = isinstance(confidence, Real) and not isinstance(confidence, bool)
    if not is_number:
        raise InvalidTicket(f"confidence {confidence!r} is not a number")
    if not 0 <= confidence <= 1:  # also rejects infinity, NaN and huge integers
        raise InvalidTicket(f"confidence {confidence!r:.40} is not between 0 and 1")
    if not is_name(check_text("strategy", strategy)):
        raise InvalidTicket(f"strategy {strategy!r} is blank or contains control characters")
    white_balls = [int(ball) for ball in ticket["white_balls"]]
    metadata = serialize_metadata(ticket.get("metadata"))
    return white_balls, int(ticket["powerball"]), float(confidence), strategy, metadata


def check_text(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise InvalidTicket(f"{name} {text!r} is not text")
    if not is_storable(text):
        raise InvalidTicket(f"{name} {text!r} contains characters that cannot be stored")
    return text


def serialize_metadata(metadata: Any) -> str | None:
    if metadata is None:
        return None
    if isinstance(metadata, str):
        return check_text("metadata", metadata)
    try:
        return check_text("metadata", json.dumps(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTicket(f"metadata is neither text nor JSON: {error}") from error
