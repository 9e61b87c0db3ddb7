"""How rows are shown."""

from typing import Any

from rest_framework import serializers

from predictions.models import Draw
from tickets.models import GenerationRun, TicketBatch


class DrawSerializer(serializers.ModelSerializer[Draw]):
    white_balls = serializers.ListField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Draw
        fields = ["draw_date", "white_balls", "powerball", "multiplier", "source"]


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
