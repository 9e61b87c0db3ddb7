"""How rows are shown."""

from typing import Any

from rest_framework import serializers

from predictions.models import Draw
from predictions.powerball import prize_of
from tickets.models import GenerationRun, TicketBatch
from tickets.results import Result, TierResult, draw_results


class DrawSerializer(serializers.ModelSerializer[Draw]):
    white_balls = serializers.ListField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Draw
        fields = ["draw_date", "white_balls", "powerball", "multiplier", "source"]


class TierSerializer(serializers.Serializer[TierResult]):
    """A prize tier: how many tickets won it, and how many of as many tickets do on average."""

    white_matches = serializers.IntegerField(source="tier.white_matches")
    powerball_match = serializers.BooleanField(source="tier.powerball_match")
    prize_usd = serializers.SerializerMethodField(help_text='Dollars a ticket, "jackpot" for the first tier.')
    tickets = serializers.IntegerField()
    expected = serializers.FloatField()

    def get_prize_usd(self, result: TierResult) -> int | str:
        return prize_of(result.tier.white_matches, result.tier.powerball_match)


class ResultSerializer(serializers.Serializer[Result]):
    """What a mode's tickets won in one draw, which says nothing about the mode.

    `prize_usd` is by the official fixed prizes and leaves jackpots out, as `expected_usd` does; `cost_usd` is
    $2 a ticket.
    """

    mode = serializers.CharField()
    batches = serializers.IntegerField()
    tickets = serializers.IntegerField()
    tiers = TierSerializer(many=True)
    prize_usd = serializers.IntegerField()
    cost_usd = serializers.IntegerField()
    expected_usd = serializers.FloatField()


class DrawDetailSerializer(DrawSerializer):
    """A draw with the results of the modes that had tickets for it and were scored; none: an empty list."""

    results = serializers.SerializerMethodField()

    class Meta(DrawSerializer.Meta):
        fields = [*DrawSerializer.Meta.fields, "results"]

    def get_results(self, draw: Draw) -> list[dict[str, Any]]:
        return [ResultSerializer(result).data for result in draw_results(draw.draw_date)]


class BatchSerializer(serializers.ModelSerializer[TicketBatch]):
    """A mode's share of a run; `progress` is the part of the requested tickets that was made, 0 to 1."""

    progress = serializers.SerializerMethodField()

    class Meta:
        model = TicketBatch
        fields = [
            *("id", "mode", "origin", "status", "requested", "generated", "stored", "replaced", "progress"),
            *("created_at", "started_at", "finished_at", "error"),
        ]

    def get_progress(self, batch: TicketBatch) -> float:
        return round(batch.generated / batch.requested, 4) if batch.requested else 1.0


class GenerationRunSerializer(serializers.ModelSerializer[GenerationRun]):
    """A run; where one is asked for alone, with its batches."""

    class Meta:
        model = GenerationRun
        fields = [
            *("id", "pipeline_run_id", "origin", "status", "draw_date", "modes", "skipped", "batch_size"),
            *("created_at", "started_at", "finished_at", "error"),
        ]


class GenerationRunDetailSerializer(GenerationRunSerializer):
    batches = BatchSerializer(many=True, read_only=True)

    class Meta(GenerationRunSerializer.Meta):
        fields: list[Any] = [*GenerationRunSerializer.Meta.fields, "batches"]
