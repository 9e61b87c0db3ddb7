"""The bodies of answers that are plain dicts in the code, for the schema only.

A test holds real answers against them.
"""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from predictions.modes.registry import MODE_NAMES
from tickets.models import GenerationRun

PRIZE = {
    "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "const": "jackpot"}],
    "description": "Dollars; the first tier has no fixed prize.",
}
ALWAYS = {"type": "boolean", "const": True}
Body = serializers.Serializer[None]


@extend_schema_field(PRIZE)
class PrizeField(serializers.ReadOnlyField):
    """The official prize of a tier."""


@extend_schema_field(ALWAYS)
class TrueField(serializers.ReadOnlyField):
    """What is always true."""


def mode_field() -> serializers.ChoiceField:
    """The name of a mode."""
    return serializers.ChoiceField(choices=MODE_NAMES)


def white_balls_field() -> serializers.ListField:
    """Five white balls."""
    ball = serializers.IntegerField(min_value=1, max_value=69)
    return serializers.ListField(child=ball, min_length=5, max_length=5, help_text="Strictly ascending.")


class TicketResult(Body):
    """What a ticket won."""

    white_matches = serializers.IntegerField(min_value=0, max_value=5)
    powerball_match = serializers.BooleanField()
    prize_usd = PrizeField()


class Ticket(Body):
    """One ticket. `confidence` is a percentile of its model's law, and no chance of winning."""

    white_balls = white_balls_field()
    powerball = serializers.IntegerField(min_value=1, max_value=26)
    confidence = serializers.FloatField(min_value=0, max_value=1)
    strategy = serializers.CharField(help_text="What made it: the mode, or one of its strategies.")
    cached = TrueField()
    created_at = serializers.DateTimeField()
    draw_date = serializers.DateField()
    pipeline_run_id = serializers.CharField(allow_null=True)
    result = TicketResult(allow_null=True, help_text="Null until the draw is known.")


class CountsByMode(Body):
    """A number for each of the modes."""

    random_forest = serializers.IntegerField(min_value=0)
    lstm = serializers.IntegerField(min_value=0)
    v1 = serializers.IntegerField(min_value=0)
    v2 = serializers.IntegerField(min_value=0)
    hybrid = serializers.IntegerField(min_value=0)


class LastRun(Body):
    """The newest run that drew tickets."""

    generation_run_id = serializers.IntegerField(min_value=1)
    pipeline_run_id = serializers.CharField()
    status = serializers.ChoiceField(choices=GenerationRun.Status.choices)
    finished_at = serializers.DateTimeField(allow_null=True)


class BatchStatus(Body):
    """The stock: tickets there are, and those for the next draw that nobody claimed."""

    total_tickets = serializers.IntegerField(min_value=0)
    by_mode = CountsByMode()
    available_by_mode = CountsByMode()
    oldest_ticket = serializers.DateTimeField(allow_null=True)
    newest_ticket = serializers.DateTimeField(allow_null=True)
    last_run = LastRun(allow_null=True)


class CachedTickets(Body):
    """The newest unclaimed tickets of a mode; an empty stock is an empty list."""

    mode = mode_field()
    count = serializers.IntegerField(min_value=0, max_value=100)
    draw_date = serializers.DateField()
    tickets = serializers.ListField(child=Ticket(), max_length=100)
    cached = TrueField()
    db_stats = BatchStatus(required=False, help_text="Only with `include_stats=true`.")
    response_time_ms = serializers.FloatField(min_value=0)


class ModePolicyUsed(Body):
    """What a mode's batch was made by."""

    batch_size = serializers.IntegerField(min_value=1)
    cleanup_days = serializers.IntegerField(min_value=1)
    priority = serializers.IntegerField()


@extend_schema_field({"type": ["string", "integer", "null"]})
class SentField(serializers.ReadOnlyField):
    """A value as it was sent."""


class BadValue(Body):
    """A value that is not allowed."""

    name = serializers.CharField(help_text="Of the parameter, field or header; `body` for all of it.")
    value = SentField(help_text="As it was sent, by its first 200 characters; null: missing.")
    allowed = serializers.CharField(help_text="What is, in plain words.")


class Problem(Body):
    """An error, by RFC 9457."""

    type = serializers.CharField(help_text="`about:blank`: the status says all.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField(help_text="What is wrong, for people.")
    instance = serializers.CharField(help_text="The path that was asked.")  # type: ignore[assignment]
    request_id = serializers.CharField(help_text="As in the X-Request-ID header; the log has it.")
    errors = serializers.ListField(child=BadValue(), max_length=20)  # type: ignore[assignment]
