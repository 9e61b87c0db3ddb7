"""Schemas of response bodies that the code builds as plain dicts.

They only document; a test validates real responses against them.
"""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from predictions.modes.registry import MODE_NAMES
from tickets.models import GenerationRun

PRIZE = {
    "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "const": "jackpot"}],
    "description": "Prize in dollars, or `jackpot` for the first tier, which has no fixed prize.",
}
Body = serializers.Serializer[None]


@extend_schema_field(PRIZE)
class PrizeField(serializers.ReadOnlyField):
    pass


@extend_schema_field({"type": "boolean", "const": True})
class TrueField(serializers.ReadOnlyField):
    pass


def mode_field() -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=MODE_NAMES)


def white_balls_field() -> serializers.ListField:
    ball = serializers.IntegerField(min_value=1, max_value=69)
    return serializers.ListField(
        child=ball, min_length=5, max_length=5, help_text="In strictly ascending order."
    )


class TicketResult(Body):
    """Matches and prize of a ticket."""

    white_matches = serializers.IntegerField(min_value=0, max_value=5)
    powerball_match = serializers.BooleanField()
    prize_usd = PrizeField()


class Ticket(Body):
    """A ticket. `confidence` is a percentile within its model's distribution, not a chance of winning."""

    white_balls = white_balls_field()
    powerball = serializers.IntegerField(min_value=1, max_value=26)
    confidence = serializers.FloatField(min_value=0, max_value=1)
    strategy = serializers.CharField(help_text="Mode or strategy that generated the ticket.")
    cached = TrueField()
    created_at = serializers.DateTimeField()
    draw_date = serializers.DateField()
    pipeline_run_id = serializers.CharField(allow_null=True)
    result = TicketResult(allow_null=True, help_text="Null until the draw result is known.")


class CountsByMode(Body):
    """Tickets per mode."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {mode: serializers.IntegerField(min_value=0) for mode in MODE_NAMES}


class LastRun(Body):
    """The latest run that generated tickets."""

    generation_run_id = serializers.IntegerField(min_value=1)
    pipeline_run_id = serializers.CharField()
    status = serializers.ChoiceField(choices=GenerationRun.Status.choices)
    finished_at = serializers.DateTimeField(allow_null=True)


class BatchStatus(Body):
    """Stored tickets by mode, and available (unclaimed) tickets for the next draw."""

    total_tickets = serializers.IntegerField(min_value=0)
    by_mode = CountsByMode()
    available_by_mode = CountsByMode()
    oldest_ticket = serializers.DateTimeField(allow_null=True)
    newest_ticket = serializers.DateTimeField(allow_null=True)
    last_run = LastRun(allow_null=True)


class CachedTickets(Body):
    """The newest unclaimed tickets of a mode; an empty list if out of stock."""

    mode = mode_field()
    count = serializers.IntegerField(min_value=0, max_value=100)
    draw_date = serializers.DateField()
    tickets = serializers.ListField(child=Ticket(), max_length=100)
    cached = TrueField()
    db_stats = BatchStatus(required=False, help_text="Present only with `include_stats=true`.")
    response_time_ms = serializers.FloatField(min_value=0)


class ModePolicyUsed(Body):
    """The policy that applied to a mode's batch."""

    batch_size = serializers.IntegerField(min_value=1)
    cleanup_days = serializers.IntegerField(min_value=1)
    priority = serializers.IntegerField()


@extend_schema_field({"type": ["string", "integer", "null"]})
class SentField(serializers.ReadOnlyField):
    pass


class BadValue(Body):
    """An invalid or missing value."""

    name = serializers.CharField(
        help_text="Name of the parameter, field or header; `body` for the body as a whole."
    )
    value = SentField(help_text="The value sent, truncated to 200 characters; null if missing.")
    allowed = serializers.CharField(help_text="Description of the allowed values.")


class Problem(Body):
    """An error (RFC 9457)."""

    type = serializers.CharField(help_text="Always `about:blank`; see `status`.")
    title = serializers.CharField(help_text="Reason phrase of the status.")
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField(help_text="Human-readable explanation.")
    instance = serializers.CharField(help_text="Requested path.")  # type: ignore[assignment]
    request_id = serializers.CharField(
        help_text="Value of the X-Request-ID header; quote it when reporting a problem."
    )
    errors = serializers.ListField(child=BadValue(), max_length=20)  # type: ignore[assignment]
