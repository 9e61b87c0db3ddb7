"""The document of `status --json`, key for key."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from predictions.models import PipelineRun, TrainedModel
from predictions.modes.registry import MODE_NAMES
from tickets.models import TicketBatch
from tickets.monitoring.diagnostics import Diagnostic
from tickets.monitoring.history import ClaimCount, DailyBatches, ErrorRate
from tickets.monitoring.serializers import serialize_status
from tickets.monitoring.snapshot import (
    Draws,
    ModeSnapshot,
    Prizes,
    Skill,
    Snapshot,
    Stock,
    Worker,
    Workers,
)
from tickets.monitoring.workload import ActivePipeline, Workload

WEDNESDAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SUCCESS = TicketBatch(
    pk=7, started_at=NOW - timedelta(seconds=121.25), finished_at=NOW - timedelta(minutes=2), generated=400
)
FAILURE = TicketBatch(
    pk=6, mode="v1", draw_date=WEDNESDAY, finished_at=NOW - timedelta(minutes=3), error="disk full"
)
RUN_TIMES = {"started_at": NOW - timedelta(seconds=361.5), "finished_at": NOW - timedelta(minutes=5)}
LAST_RUN = PipelineRun(pk=12, pipeline_run_id="p-12", status="failed", error="data: no draws", **RUN_TIMES)
MODE = ModeSnapshot(
    mode="v1",
    is_paused=False,
    is_predicted=True,
    stock=Stock(400, 18, 382, 100, 500, 18, 2, 3.5),
    ready_batches=[SUCCESS],
    last_success=SUCCESS,
    last_failure=FAILURE,
    is_failing=False,
    model=TrainedModel(
        pk=3, created_at=NOW - timedelta(days=1), draws_through=date(2026, 11, 23), pinned=True
    ),
    skill=Skill(0.01, 0.0097, 0.0103, 40, "better than chance"),
    prizes=Prizes(31, 400, 28, 127.5, 800, 0.02, -0.01, 0.05, "indistinguishable from chance"),
)
SNAPSHOT = Snapshot(
    at=NOW,
    draws=Draws(
        next=WEDNESDAY,
        drawn_at=datetime(2026, 11, 26, 3, 59, tzinfo=UTC),
        sales_close_at=datetime(2026, 11, 25, 21, 59, tzinfo=ZoneInfo("America/New_York")),
        newest=date(2026, 11, 21),
        newest_age_days=3,
        missing=1,
    ),
    workers=Workers(
        supervised=[Worker("heavy", "host", "running", NOW - timedelta(hours=2), 3.0, 1, "it hung", True)],
        unsupervised=["host/1"],
        unserved=["shiolplus"],
        last_seen_at=None,
    ),
    workload=Workload(
        batches=[
            TicketBatch(
                pk=8,
                mode="lstm",
                status="running",
                draw_date=WEDNESDAY,
                generated=100,
                requested=400,
                rate=50.0,
                attempts=1,
            )
        ],
        pipelines=[ActivePipeline(13, "p-13", WEDNESDAY, "training", 5, 6, NOW)],
        waiting=2,
        oldest_waiting_seconds=180.0,
    ),
    modes=[MODE],
    days=[DailyBatches(date(2026, 11, 24), dict.fromkeys(MODE_NAMES, 0) | {"v1": 400}, 1, 2, 3)],
    error_rate=ErrorRate(7, 4, 1),
    claims=[ClaimCount(NOW.replace(minute=0), "v1", 4, 18, 2)],
    pipeline=LAST_RUN,
    pipeline_completed=PipelineRun(pk=11, pipeline_run_id="p-11", status="completed", **RUN_TIMES),
    failed=[FAILURE],
    conditions=[],
)
NOTICE = Diagnostic("notice", "pinned_model", "v1 is pinned.", "Activate another.", "v1")
SUCCESS_JSON = {
    "id": 7,
    "finished_at": "2026-11-24T12:28:00Z",
    "duration_seconds": 1.25,
    "tickets": 400,
    "error": "",
}
DOCUMENT = {
    "state": "well",
    "at": "2026-11-24T12:30:00Z",
    "diagnostics": [
        {
            "level": "notice",
            "code": "pinned_model",
            "message": "v1 is pinned.",
            "hint": "Activate another.",
            "subject": "v1",
        }
    ],
    "draws": {
        "next": "2026-11-25",
        "drawn_at": "2026-11-26T03:59:00Z",
        "sales_close_at": "2026-11-26T02:59:00Z",
        "newest": "2026-11-21",
        "newest_age_days": 3,
        "missing": 1,
    },
    "workers": {
        "watched": [
            {
                "queue": "heavy",
                "host": "host",
                "status": "running",
                "started_at": "2026-11-24T10:30:00Z",
                "last_heartbeat_seconds": 3.0,
                "restarts": 1,
                "restart_reason": "it hung",
                "has_other_key": True,
            }
        ],
        "unwatched": ["host/1"],
        "unserved": ["shiolplus"],
        "last_seen_at": None,
    },
    "workload": {
        "batches": [
            {
                "id": 8,
                "mode": "lstm",
                "status": "running",
                "draw_date": "2026-11-25",
                "generated": 100,
                "requested": 400,
                "tickets_per_second": 50.0,
                "seconds_left": 6.0,
                "attempts": 1,
                "error": "",
            }
        ],
        "pipelines": [
            {
                "id": 13,
                "pipeline_run_id": "p-13",
                "draw_date": "2026-11-25",
                "step": "training",
                "step_number": 5,
                "steps": 6,
                "started_at": "2026-11-24T12:30:00Z",
            }
        ],
        "waiting": 2,
        "oldest_waiting_seconds": 180.0,
        "failed_batches": [{"id": 6, "mode": "v1", "draw_date": "2026-11-25", "error": "disk full"}],
        "batches_per_day": [
            {
                "day": "2026-11-24",
                "tickets": {"random_forest": 0, "lstm": 0, "v1": 400, "v2": 0, "hybrid": 0},
                "ready": 1,
                "failed": 2,
                "cancelled": 3,
            }
        ],
        "error_rate": {"days": 7, "finished": 4, "failed": 1, "share": 0.25},
    },
    "pipeline": {
        "last_finished": {
            "id": 12,
            "pipeline_run_id": "p-12",
            "status": "failed",
            "finished_at": "2026-11-24T12:25:00Z",
            "duration_seconds": 61.5,
            "error": "data: no draws",
        },
        "last_completed": {
            "id": 11,
            "pipeline_run_id": "p-11",
            "status": "completed",
            "finished_at": "2026-11-24T12:25:00Z",
            "duration_seconds": 61.5,
            "error": "",
        },
    },
    "modes": [
        {
            "mode": "v1",
            "is_paused": False,
            "is_predicted": True,
            "is_failing": False,
            "stock": {
                "stored": 400,
                "claimed": 18,
                "available": 382,
                "on_order": 100,
                "reorder_point": 500,
                "short_by": 18,
                "refused": 2,
                "hours_to_empty": 3.5,
            },
            "ready_batches": [SUCCESS_JSON],
            "last_success": SUCCESS_JSON,
            "last_failure": {
                "id": 6,
                "finished_at": "2026-11-24T12:27:00Z",
                "duration_seconds": None,
                "tickets": 0,
                "error": "disk full",
            },
            "model": {
                "id": 3,
                "created_at": "2026-11-23T12:30:00Z",
                "draws_through": "2026-11-23",
                "pinned": True,
            },
            "skill": {
                "skill_nats": 0.01,
                "skill_low": 0.0097,
                "skill_high": 0.0103,
                "draws_tested": 40,
                "verdict": "better than chance",
            },
        }
    ],
    "claims": [{"hour": "2026-11-24T12:00:00Z", "mode": "v1", "claims": 4, "tickets": 18, "refused": 2}],
    "scores": [
        {
            "mode": "v1",
            "draws": 31,
            "tickets": 400,
            "won_usd": 28,
            "expected_usd": 127.5,
            "cost_usd": 800,
            "excess_white_matches": 0.02,
            "excess_low": -0.01,
            "excess_high": 0.05,
            "verdict": "indistinguishable from chance",
        }
    ],
}


def document_of(snapshot: Snapshot, *diagnostics: Diagnostic) -> Any:
    return json.loads(json.dumps(serialize_status(snapshot, list(diagnostics))))


def test_the_document_has_every_key_of_the_contract_and_no_other() -> None:
    assert document_of(SNAPSHOT, NOTICE) == DOCUMENT


def test_instants_are_in_utc_whatever_time_zone_is_active() -> None:
    with timezone.override("America/New_York"):
        assert document_of(SNAPSHOT, NOTICE) == DOCUMENT


def test_unknown_values_are_null_and_keep_their_keys() -> None:
    mode = replace(
        MODE,
        ready_batches=[],
        last_success=None,
        last_failure=None,
        model=None,
        skill=None,
        stock=replace(MODE.stock, hours_to_empty=None),
        prizes=replace(MODE.prizes, excess_white=None, excess_low=None, excess_high=None),
    )
    empty = replace(
        SNAPSHOT,
        draws=replace(SNAPSHOT.draws, newest=None, newest_age_days=None),
        workers=Workers([], [], ["shiolplus", "heavy"], NOW),
        workload=Workload([], [], 0, None),
        error_rate=ErrorRate(7, 0, 0),
        modes=[mode],
        pipeline=None,
        pipeline_completed=None,
    )

    document = document_of(empty, Diagnostic("error", "no_draws", "No official draws are stored."))

    assert document["state"] == "error"
    assert document["diagnostics"][0]["hint"] == document["diagnostics"][0]["subject"] == ""
    assert (document["draws"]["newest"], document["draws"]["newest_age_days"]) == (None, None)
    assert document["workers"]["last_seen_at"] == "2026-11-24T12:30:00Z"
    assert document["workload"]["oldest_waiting_seconds"] is None
    assert document["workload"]["error_rate"] == {"days": 7, "finished": 0, "failed": 0, "share": None}
    assert document["pipeline"] == {"last_finished": None, "last_completed": None}
    (mode_json,) = document["modes"]
    assert mode_json["ready_batches"] == []
    assert [mode_json[key] for key in ("last_success", "last_failure", "model", "skill")] == [None] * 4
    assert mode_json["stock"]["hours_to_empty"] is None
    assert document["scores"][0]["excess_white_matches"] is None
