"""How rows are shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from predictions.evaluation.mode_profiles import ModeProfile, StrategyShare
from predictions.models import Draw
from predictions.powerball import prize_of
from tickets.api.response_schemas import PRIZE, ModePolicyUsed, Ticket, mode_field, white_balls_field
from tickets.claims.allocation import Quota
from tickets.models import GenerationRun, TicketBatch
from tickets.models.claims import Claim
from tickets.scoring.results import Result, TierResult, draw_results


class DrawSerializer(serializers.ModelSerializer[Draw]):
    white_balls = white_balls_field()
    powerball = serializers.IntegerField(min_value=1, max_value=39, help_text="To 26 since 2015-10-07.")
    multiplier = serializers.IntegerField(min_value=1, allow_null=True, help_text="Power Play, where known.")

    class Meta:
        model = Draw
        fields = ["draw_date", "white_balls", "powerball", "multiplier", "source"]


class TierSerializer(serializers.Serializer[TierResult]):
    """A prize tier: how many tickets won it, and how many of as many tickets do on average."""

    white_matches = serializers.IntegerField(source="tier.white_matches", min_value=0, max_value=5)
    powerball_match = serializers.BooleanField(source="tier.powerball_match")
    prize_usd = serializers.SerializerMethodField(help_text='Dollars a ticket, "jackpot" for the first tier.')
    tickets = serializers.IntegerField(min_value=0)
    expected = serializers.FloatField(min_value=0)

    @extend_schema_field(PRIZE)
    def get_prize_usd(self, result: TierResult) -> int | str:
        return prize_of(result.tier.white_matches, result.tier.powerball_match)


class ResultSerializer(serializers.Serializer[Result]):
    """What a mode's tickets won in one draw, which says nothing about the mode.

    `prize_usd` is by the official fixed prizes and leaves jackpots out, as `expected_usd` does; `cost_usd` is
    $2 a ticket.
    """

    mode = mode_field()
    batches = serializers.IntegerField(min_value=1)
    tickets = serializers.IntegerField(min_value=1)
    tiers = TierSerializer(many=True)
    prize_usd = serializers.IntegerField(min_value=0)
    cost_usd = serializers.IntegerField(min_value=0)
    expected_usd = serializers.FloatField(min_value=0)


@extend_schema_field(serializers.ListField(child=mode_field()))
class ModesField(serializers.JSONField):
    """Names of modes."""


@extend_schema_field(serializers.DictField(child=serializers.CharField()))
class ReasonsField(serializers.JSONField):
    """Why something is left out, by its name."""


@extend_schema_field(serializers.DictField(child=ModePolicyUsed()))
class PolicyField(serializers.JSONField):
    """What each mode's batch was made by."""


class DrawDetailSerializer(DrawSerializer):
    """A draw with the results of the modes that had tickets for it and were scored; none: an empty list."""

    results = serializers.SerializerMethodField()

    class Meta(DrawSerializer.Meta):
        fields = [*DrawSerializer.Meta.fields, "results"]

    @extend_schema_field(ResultSerializer(many=True))
    def get_results(self, draw: Draw) -> list[dict[str, Any]]:
        return [ResultSerializer(result).data for result in draw_results(draw.draw_date)]


class BatchSerializer(serializers.ModelSerializer[TicketBatch]):
    """A mode's share of a run; `progress` is the part of the requested tickets that was made, 0 to 1.

    `rate` is in tickets a second, of the chunks stored last, and null before the first; `seconds_left` is an
    estimate by it, and null when the batch is not being made. `attempts` counts how often it was begun since
    it last got further; of batches that wait the one with the highest `priority` is made first.
    """

    seconds_left = serializers.FloatField(read_only=True, allow_null=True)
    progress = serializers.SerializerMethodField()

    class Meta:
        model = TicketBatch
        fields = [
            *("id", "mode", "origin", "status", "requested", "generated", "stored", "replaced", "progress"),
            *("rate", "seconds_left", "attempts", "priority"),
            *("created_at", "started_at", "finished_at", "error"),
        ]

    def get_progress(self, batch: TicketBatch) -> float:
        return round(batch.generated / batch.requested, 4) if batch.requested else 1.0


class GenerationRunSerializer(serializers.ModelSerializer[GenerationRun]):
    """A run; where one is asked for alone, with its batches.

    `policy` is what each mode's batch is made by, `{mode: {batch_size, cleanup_days, priority}}`: as asked
    for or, where the call did not say, as staff had set it. `batch_size` is null where the modes' differ.
    `skipped` names modes that are unknown or paused, each with the reason.
    """

    modes = ModesField()
    skipped = ReasonsField()
    policy = PolicyField()

    class Meta:
        model = GenerationRun
        fields = [
            *("id", "pipeline_run_id", "origin", "status", "draw_date", "modes", "skipped", "batch_size"),
            "policy",
            *("created_at", "started_at", "finished_at", "error"),
        ]


class GenerationRunDetailSerializer(GenerationRunSerializer):
    batches = BatchSerializer(many=True, read_only=True)

    class Meta(GenerationRunSerializer.Meta):
        fields: list[Any] = [*GenerationRunSerializer.Meta.fields, "batches"]


class StrategySerializer(serializers.Serializer[StrategyShare]):
    name = serializers.CharField()
    share = serializers.FloatField(min_value=0, max_value=1)


class ModeSerializer(serializers.Serializer[ModeProfile]):
    """A mode, and what its laws were worth on past draws beside chance.

    The skill is that of the newest backtest, each law fitted on nothing but what was known before: uniform's
    log-loss minus the mode's, in nats a draw, above zero better than chance. Null: never trained or measured.
    """

    mode = mode_field()
    trained_at = serializers.DateTimeField(source="model.created_at", allow_null=True)
    draws_through = serializers.DateField(source="model.draws_through", allow_null=True)
    skill_nats = serializers.FloatField(source="skill.difference", allow_null=True)
    skill_se = serializers.FloatField(source="skill.standard_error", allow_null=True, min_value=0)
    skill_interval = serializers.ListField(
        source="skill.interval",
        child=serializers.FloatField(),
        min_length=2,
        max_length=2,
        allow_null=True,
        help_text="95 %, low and high.",
    )
    draws_tested = serializers.IntegerField(source="skill.draws", allow_null=True, min_value=1)
    strategies = StrategySerializer(many=True)
    odds_jackpot = serializers.CharField()
    note = serializers.CharField(help_text="What the skill means, and what is left out of the newest law.")


class ClaimSerializer(serializers.ModelSerializer[Claim]):
    """A claim with its tickets, which stay here when their rows are deleted after the draw."""

    tickets = Ticket(many=True, read_only=True)

    class Meta:
        model = Claim
        fields = ["id", "mode", "count", "draw_date", "created_at", "tickets"]


class QuotaSerializer(serializers.Serializer[Quota]):
    """Tickets a client may claim today, which ends at midnight in New York: `resets_at`."""

    limit = serializers.IntegerField(min_value=0)
    used = serializers.IntegerField(min_value=0)
    remaining = serializers.IntegerField(min_value=0)
    resets_at = serializers.DateTimeField()
