"""The state of the system at an instant, shown by the dashboard and `manage.py status`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from predictions.evaluation.comparison import Comparison
from predictions.models import PipelineRun, TrainedModel
from predictions.powerball import last_draw
from tickets.demand.inventory import StockLevel
from tickets.models import TicketBatch
from tickets.monitoring.conditions import Condition
from tickets.monitoring.history import ClaimCount, DailyBatches, ErrorRate
from tickets.monitoring.workload import Workload
from tickets.scoring.results import ModeResult


@dataclass(frozen=True)
class Draws:
    next: date
    drawn_at: datetime
    sales_close_at: datetime
    newest: date | None
    newest_age_days: int | None
    missing: int

    @property
    def last(self) -> date:
        return last_draw(self.drawn_at - timedelta(seconds=1))


@dataclass(frozen=True)
class Worker:
    """A cluster under a watchdog; `restart_reason` is that of its last restart."""

    queue: str
    host: str
    status: str
    started_at: datetime
    last_heartbeat_seconds: float | None
    restarts: int
    restart_reason: str
    has_other_key: bool = False  # cannot read the tasks that this process signs

    @property
    def state(self) -> str:
        return f"{self.status}, with another secret key" if self.has_other_key else self.status


@dataclass(frozen=True)
class Workers:
    supervised: list[Worker]
    unsupervised: list[str]
    unserved: list[str]
    last_seen_at: datetime | None  # of the latest supervised cluster, if none is alive


@dataclass(frozen=True)
class Stock:
    stored: int
    claimed: int
    available: int
    on_order: int
    reorder_point: int
    short_by: int
    refused: int  # claims refused as out of stock
    hours_to_empty: float | None

    @classmethod
    def of(cls, level: StockLevel) -> "Stock":
        return cls(
            stored=level.stored,
            claimed=level.claimed,
            available=level.available,
            on_order=level.on_order,
            reorder_point=level.reorder_policy.reorder_point,
            short_by=level.deficit,
            refused=level.refused_claims,
            hours_to_empty=level.hours_to_empty,
        )


@dataclass(frozen=True)
class Skill:
    """A mode's log-loss gain over the uniform baseline, in nats per draw, with its 95 % interval."""

    nats: float
    low: float
    high: float
    draws: int
    verdict: str

    @classmethod
    def of(cls, comparison: Comparison) -> "Skill":
        return cls(
            comparison.difference, comparison.low, comparison.high, comparison.draws, comparison.verdict
        )


@dataclass(frozen=True)
class Prizes:
    """A mode's scored tickets compared with their exact expectation, without jackpots."""

    draws: int
    tickets: int
    won_usd: int
    expected_usd: float
    cost_usd: int
    excess_white: float | None  # white matches per ticket above 25/69, averaged over draws
    excess_low: float | None
    excess_high: float | None
    verdict: str

    @classmethod
    def of(cls, result: ModeResult) -> "Prizes":
        total, excess = result.total, result.excess
        return cls(
            draws=result.draws,
            tickets=total.tickets,
            won_usd=total.prize_usd,
            expected_usd=total.expected_usd,
            cost_usd=total.cost_usd,
            excess_white=None if excess is None else float(excess.mean),
            excess_low=None if excess is None else float(excess.low),
            excess_high=None if excess is None else float(excess.high),
            verdict=result.verdict,
        )


@dataclass(frozen=True)
class ModeSnapshot:
    mode: str
    is_paused: bool
    is_predicted: bool
    stock: Stock
    ready_batches: list[TicketBatch]
    last_success: TicketBatch | None
    last_failure: TicketBatch | None
    is_failing: bool
    model: TrainedModel | None
    skill: Skill | None
    prizes: Prizes


@dataclass(frozen=True)
class Snapshot:
    at: datetime
    draws: Draws
    workers: Workers
    workload: Workload
    modes: list[ModeSnapshot]
    days: list[DailyBatches]
    error_rate: ErrorRate
    claims: list[ClaimCount]
    pipeline: PipelineRun | None  # last finished run
    pipeline_completed: PipelineRun | None
    failed: list[TicketBatch]  # not retried, for upcoming draws, newest first
    conditions: list[Condition]
