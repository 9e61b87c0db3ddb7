"""Response serializers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from predictions.evaluation.mode_profiles import ModeProfile, StrategyShare
from predictions.models import Draw
from predictions.powerball import find_prize
from tickets.api.openapi.responses import PRIZE, ModePolicyUsed, Ticket, mode_field, white_balls_field
from tickets.claims.allocation import Quota
from tickets.models import GenerationRun, TicketBatch
from tickets.models.claims import Claim
from tickets.scoring.results import Result, TierResult, draw_results


class DrawSerializer(serializers.ModelSerializer[Draw]):
    white_balls = white_balls_field()
    powerball = serializers.IntegerField(min_value=1, max_value=39, help_text="At most 26 since 2015-10-07.")
    multiplier = serializers.IntegerField(
        min_value=1, allow_null=True, help_text="Power Play multiplier, if known."
    )

    class Meta:
        model = Draw
        fields = ["draw_date", "white_balls", "powerball", "multiplier", "source"]


class TierSerializer(serializers.Serializer[TierResult]):
    """Tickets that won a prize tier, and the number expected by chance."""

    white_matches = serializers.IntegerField(source="tier.white_matches", min_value=0, max_value=5)
    powerball_match = serializers.BooleanField(source="tier.powerball_match")
    prize_usd = serializers.SerializerMethodField(
        help_text='Dollars per ticket, or "jackpot" for the first tier.'
    )
    tickets = serializers.IntegerField(min_value=0)
    expected = serializers.FloatField(min_value=0)

    @extend_schema_field(PRIZE)
    def get_prize_usd(self, result: TierResult) -> int | str:
        return find_prize(result.tier.white_matches, result.tier.powerball_match)


class ResultSerializer(serializers.Serializer[Result]):
    """Prizes of a mode's tickets in one draw. A single draw says nothing about the mode.

    `prize_usd` and `expected_usd` use the official fixed prizes and exclude jackpots; `cost_usd` is $2 per
    ticket.
    """

    mode = mode_field()
    batches = serializers.IntegerField(min_value=1)
    tickets = serializers.IntegerField(min_value=1)
    tiers = TierSerializer(many=True)
    prize_usd = serializers.IntegerField(min_value=0)
    cost_usd = serializers.IntegerField(min_value=0)
    expected_usd = serializers.FloatField(min_value=0)


class DrawDetailSerializer(DrawSerializer):
    """A draw with the results of all scored modes."""

    results = serializers.SerializerMethodField()

    class Meta(DrawSerializer.Meta):
        fields = [*DrawSerializer.Meta.fields, "results"]

    @extend_schema_field(ResultSerializer(many=True))
    def get_results(self, draw: Draw) -> list[dict[str, Any]]:
        return [ResultSerializer(result).data for result in draw_results(draw.draw_date)]


class BatchSerializer(serializers.ModelSerializer[TicketBatch]):
    """A mode's share of a run; `progress` is the fraction of the requested tickets generated, from 0 to 1.

    `rate` is in tickets per second over the latest chunks, null before the first. `seconds_left` is estimated
    from it, null unless the batch is running. `attempts` counts starts since the last progress. Queued
    batches with the highest `priority` are generated first.
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
    """A generation run; its detail includes the batches.

    `policy` is the policy applied to each mode's batch, `{mode: {batch_size, cleanup_days, priority}}`, from
    the request or else from the mode's settings. `batch_size` is null if it differs between modes. `skipped`
    lists unknown and paused modes with the reason.
    """

    modes = serializers.ListField(child=mode_field())
    skipped = serializers.DictField(child=serializers.CharField())
    policy = serializers.DictField(child=ModePolicyUsed())

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
    """A mode and its skill on past draws compared with chance.

    The skill is from the latest backtest, in which every prediction uses earlier draws only: the uniform
    baseline's log-loss minus the mode's, in nats per draw; above zero is better than chance. Null if the mode
    was never trained or measured.
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
        help_text="Lower and upper bound of the 95 % interval.",
    )
    draws_tested = serializers.IntegerField(source="skill.draws", allow_null=True, min_value=1)
    strategies = StrategySerializer(many=True)
    odds_jackpot = serializers.CharField()
    note = serializers.CharField(
        help_text="Interpretation of the skill, and what the latest prediction lacks."
    )


class ClaimSerializer(serializers.ModelSerializer[Claim]):
    """A claim with its tickets, which it keeps after they are deleted from the stock."""

    tickets = Ticket(many=True, read_only=True)

    class Meta:
        model = Claim
        fields = ["id", "mode", "count", "draw_date", "created_at", "tickets"]


class QuotaSerializer(serializers.Serializer[Quota]):
    """A client's daily ticket quota, which resets at midnight in New York."""

    limit = serializers.IntegerField(min_value=0)
    used = serializers.IntegerField(min_value=0)
    remaining = serializers.IntegerField(min_value=0)
    resets_at = serializers.DateTimeField()
