"""The JSON document of `manage.py status --json`.

Other programs rely on its keys: add keys freely, and list every other change in CHANGELOG.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from tickets.monitoring.diagnostics import Diagnostic, overall_status
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot
from tickets.store.retrieval import isoformat_utc

# The keys of each object, as `key=attribute` where their names differ.
DIAGNOSTIC = "level code message hint subject"
DRAWS = "next drawn_at sales_close_at newest newest_age_days missing"
WORKER = "queue host status started_at last_heartbeat_seconds restarts restart_reason has_other_key"
ACTIVE_BATCH = (
    "id mode status draw_date generated requested tickets_per_second=rate seconds_left attempts error"
)
ACTIVE_PIPELINE = "id pipeline_run_id draw_date step step_number=number steps started_at"
FAILED_BATCH = "id mode draw_date error"
DAILY_BATCHES = "day tickets ready failed cancelled"
ERROR_RATE = "days finished failed share"
FINISHED_PIPELINE = "id pipeline_run_id status finished_at duration_seconds=seconds error"
STOCK = "stored claimed available on_order reorder_point short_by refused hours_to_empty"
FINISHED_BATCH = "id finished_at duration_seconds=seconds tickets=generated error"
MODEL = "id created_at draws_through pinned"
SKILL = "skill_nats=nats skill_low=low skill_high=high draws_tested=draws verdict"
CLAIM_COUNT = "hour mode claims tickets refused"
SCORE = (
    "draws tickets won_usd expected_usd cost_usd "
    "excess_white_matches=excess_white excess_low excess_high verdict"
)


def serialize_status(snapshot: Snapshot, diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """Return the whole document; `state` is well, warning or error."""
    workers, workload = snapshot.workers, snapshot.workload
    return {
        "state": overall_status(diagnostics),
        "at": isoformat_utc(snapshot.at),
        "diagnostics": _select_each(diagnostics, DIAGNOSTIC),
        "draws": _select(snapshot.draws, DRAWS),
        "workers": {
            "watched": _select_each(workers.supervised, WORKER),
            "unwatched": workers.unsupervised,
            "unserved": workers.unserved,
            "last_seen_at": isoformat_utc(workers.last_seen_at),
        },
        "workload": {
            "batches": _select_each(workload.batches, ACTIVE_BATCH),
            "pipelines": _select_each(workload.pipelines, ACTIVE_PIPELINE),
            "waiting": workload.waiting,
            "oldest_waiting_seconds": workload.oldest_waiting_seconds,
            "failed_batches": _select_each(snapshot.failed, FAILED_BATCH),
            "batches_per_day": _select_each(snapshot.days, DAILY_BATCHES),
            "error_rate": _select(snapshot.error_rate, ERROR_RATE),
        },
        "pipeline": {
            "last_finished": _select(snapshot.pipeline, FINISHED_PIPELINE),
            "last_completed": _select(snapshot.pipeline_completed, FINISHED_PIPELINE),
        },
        "modes": [_serialize_mode(mode) for mode in snapshot.modes],
        "claims": _select_each(snapshot.claims, CLAIM_COUNT),
        "scores": [{"mode": mode.mode, **_select(mode.prizes, SCORE)} for mode in snapshot.modes],
    }


def _serialize_mode(mode: ModeSnapshot) -> dict[str, Any]:
    return {
        **_select(mode, "mode is_paused is_predicted is_failing"),
        "stock": _select(mode.stock, STOCK),
        "ready_batches": _select_each(mode.ready_batches, FINISHED_BATCH),
        "last_success": _select(mode.last_success, FINISHED_BATCH),
        "last_failure": _select(mode.last_failure, FINISHED_BATCH),
        "model": _select(mode.model, MODEL),
        "skill": _select(mode.skill, SKILL),
    }


def _select_each(items: Iterable[object], keys: str) -> list[Any]:
    return [_select(item, keys) for item in items]


def _select(item: object, keys: str) -> Any:
    """Return {key: value} with dates as text, or None for None."""
    if item is None:
        return None
    values: dict[str, Any] = {}
    for key, _, attribute in (name.partition("=") for name in keys.split()):
        value = getattr(item, attribute or key)
        if isinstance(value, datetime):
            value = isoformat_utc(value)
        elif isinstance(value, date):
            value = value.isoformat()
        values[key] = value
    return values
