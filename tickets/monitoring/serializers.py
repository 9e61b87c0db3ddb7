"""The JSON document of `manage.py status --json`.

Other programs rely on its keys: add keys freely, and list every other change in CHANGELOG.
"""

from datetime import UTC
from typing import Any

from rest_framework import serializers

Body = serializers.Serializer[Any]


class UTCDateTimeField(serializers.DateTimeField):
    """An instant in UTC, in ISO 8601 with Z, whatever time zone is active."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)


class DiagnosticSerializer(Body):
    level = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    hint = serializers.CharField()
    subject = serializers.CharField()


class DrawsSerializer(Body):
    next = serializers.DateField()
    drawn_at = UTCDateTimeField()
    sales_close_at = UTCDateTimeField()
    newest = serializers.DateField()
    newest_age_days = serializers.IntegerField()
    missing = serializers.IntegerField()


class WorkerSerializer(Body):
    queue = serializers.CharField()
    host = serializers.CharField()
    status = serializers.CharField()
    started_at = UTCDateTimeField()
    last_heartbeat_seconds = serializers.FloatField()
    restarts = serializers.IntegerField()
    restart_reason = serializers.CharField()
    has_other_key = serializers.BooleanField()


class WorkersSerializer(Body):
    watched = WorkerSerializer(many=True, source="supervised")
    unwatched = serializers.ListField(child=serializers.CharField(), source="unsupervised")
    unserved = serializers.ListField(child=serializers.CharField())
    last_seen_at = UTCDateTimeField()


class ActiveBatchSerializer(Body):
    id = serializers.IntegerField()
    mode = serializers.CharField()
    status = serializers.CharField()
    draw_date = serializers.DateField()
    generated = serializers.IntegerField()
    requested = serializers.IntegerField()
    tickets_per_second = serializers.FloatField(source="rate")
    seconds_left = serializers.FloatField()
    attempts = serializers.IntegerField()
    error = serializers.CharField()


class ActivePipelineSerializer(Body):
    id = serializers.IntegerField()
    pipeline_run_id = serializers.CharField()
    draw_date = serializers.DateField()
    step = serializers.CharField()
    step_number = serializers.IntegerField(source="number")
    steps = serializers.IntegerField()
    started_at = UTCDateTimeField()


class FailedBatchSerializer(Body):
    id = serializers.IntegerField()
    mode = serializers.CharField()
    draw_date = serializers.DateField()
    error = serializers.CharField()


class DailyBatchesSerializer(Body):
    day = serializers.DateField()
    tickets = serializers.DictField(child=serializers.IntegerField())
    ready = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class ErrorRateSerializer(Body):
    days = serializers.IntegerField()
    finished = serializers.IntegerField()
    failed = serializers.IntegerField()
    share = serializers.FloatField()


class WorkloadSerializer(Body):
    """Batches and pipeline runs in progress, and how batches ended lately; from a Snapshot."""

    batches = ActiveBatchSerializer(source="workload.batches", many=True)
    pipelines = ActivePipelineSerializer(source="workload.pipelines", many=True)
    waiting = serializers.IntegerField(source="workload.waiting")
    oldest_waiting_seconds = serializers.FloatField(source="workload.oldest_waiting_seconds")
    failed_batches = FailedBatchSerializer(source="failed", many=True)
    batches_per_day = DailyBatchesSerializer(source="days", many=True)
    error_rate = ErrorRateSerializer()


class FinishedPipelineSerializer(Body):
    id = serializers.IntegerField()
    pipeline_run_id = serializers.CharField()
    status = serializers.CharField()
    finished_at = UTCDateTimeField()
    duration_seconds = serializers.FloatField(source="seconds")
    error = serializers.CharField()


class PipelineSerializer(Body):
    """The last finished pipeline run and the last completed one; from a Snapshot."""

    last_finished = FinishedPipelineSerializer(source="pipeline")
    last_completed = FinishedPipelineSerializer(source="pipeline_completed")


class StockSerializer(Body):
    stored = serializers.IntegerField()
    claimed = serializers.IntegerField()
    available = serializers.IntegerField()
    on_order = serializers.IntegerField()
    reorder_point = serializers.IntegerField()
    short_by = serializers.IntegerField()
    refused = serializers.IntegerField()
    hours_to_empty = serializers.FloatField()


class FinishedBatchSerializer(Body):
    id = serializers.IntegerField()
    finished_at = UTCDateTimeField()
    duration_seconds = serializers.FloatField(source="seconds")
    tickets = serializers.IntegerField()
    error = serializers.CharField()


class ModelSerializer(Body):
    id = serializers.IntegerField()
    created_at = UTCDateTimeField()
    draws_through = serializers.DateField()
    pinned = serializers.BooleanField()


class SkillSerializer(Body):
    """In nats per draw, with the bounds of the 95 % interval."""

    skill_nats = serializers.FloatField(source="nats")
    skill_low = serializers.FloatField(source="low")
    skill_high = serializers.FloatField(source="high")
    draws_tested = serializers.IntegerField(source="draws")
    verdict = serializers.CharField()


class ModeSerializer(Body):
    mode = serializers.CharField()
    is_paused = serializers.BooleanField()
    is_predicted = serializers.BooleanField()
    is_failing = serializers.BooleanField()
    stock = StockSerializer()
    ready_batches = FinishedBatchSerializer(many=True)
    last_success = FinishedBatchSerializer()
    last_failure = FinishedBatchSerializer()
    model = ModelSerializer()
    skill = SkillSerializer()


class ClaimCountSerializer(Body):
    hour = UTCDateTimeField()
    mode = serializers.CharField()
    claims = serializers.IntegerField()
    tickets = serializers.IntegerField()
    refused = serializers.IntegerField()


class ScoreSerializer(Body):
    """What a mode's scored tickets won; from a ModeSnapshot."""

    mode = serializers.CharField()
    draws = serializers.IntegerField(source="prizes.draws")
    tickets = serializers.IntegerField(source="prizes.tickets")
    won_usd = serializers.IntegerField(source="prizes.won_usd")
    expected_usd = serializers.FloatField(source="prizes.expected_usd")
    cost_usd = serializers.IntegerField(source="prizes.cost_usd")
    excess_white_matches = serializers.FloatField(source="prizes.excess_white")
    excess_low = serializers.FloatField(source="prizes.excess_low")
    excess_high = serializers.FloatField(source="prizes.excess_high")
    verdict = serializers.CharField(source="prizes.verdict")


class StatusSerializer(Body):
    """The whole document, from `{"state": …, "diagnostics": […], "snapshot": Snapshot}`."""

    state = serializers.CharField()
    at = UTCDateTimeField(source="snapshot.at")
    diagnostics = DiagnosticSerializer(many=True)
    draws = DrawsSerializer(source="snapshot.draws")
    workers = WorkersSerializer(source="snapshot.workers")
    workload = WorkloadSerializer(source="snapshot")
    pipeline = PipelineSerializer(source="snapshot")
    modes = ModeSerializer(source="snapshot.modes", many=True)
    claims = ClaimCountSerializer(source="snapshot.claims", many=True)
    scores = ScoreSerializer(source="snapshot.modes", many=True)
