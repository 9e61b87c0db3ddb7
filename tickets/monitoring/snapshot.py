"""The system at one instant, as people and programs are shown it: the shapes of what is told."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from predictions.evaluation.comparison import Comparison
from predictions.models import TrainedModel
from predictions.powerball import last_draw
from tickets.demand.inventory import StockLevel
from tickets.monitoring.conditions import Condition
from tickets.monitoring.history import ClaimCount, Day, ErrorRate, FinishedBatch
from tickets.monitoring.workload import Work
from tickets.scoring.results import ModeResult
from tickets.store.retrieval import isoformat_utc


@dataclass(frozen=True)
class Draws:
    """The next draw, and the newest that is known; `missing` draws were held since and are not stored."""

    next: date
    drawn_at: datetime
    sales_close_at: datetime
    newest: date | None
    newest_age_days: int | None
    missing: int

    @property
    def last(self) -> date:
        """The last draw that was held."""
        return last_draw(self.drawn_at - timedelta(seconds=1))


@dataclass(frozen=True)
class Worker:
    """A cluster, as its watchdog sees it; `last_heartbeat_seconds` ago it showed that it gets work done."""

    queue: str
    host: str
    status: str
    started_at: datetime
    last_heartbeat_seconds: float | None
    restarts: int
    trouble: str
    has_other_key: bool = False  # it cannot read the tasks that this process signs

    @property
    def state(self) -> str:
        return f"{self.status}, with another secret key" if self.has_other_key else self.status


@dataclass(frozen=True)
class Workers:
    """The watched clusters that live, others that were started by hand, and the queues that nobody serves."""

    watched: list[Worker]
    unwatched: list[str]
    unserved: list[str]
    last_seen_at: datetime | None  # any watched one, where none lives


@dataclass(frozen=True)
class Stock:
    """A mode's tickets for the next draw; what the `floor` lacks of `free` and `coming` is `lacking`."""

    stored: int
    claimed: int
    available: int
    on_order: int
    reorder_point: int
    short_by: int
    refused: int  # claims, since too few were free
    hours_to_empty: float | None

    @classmethod
    def of(cls, shelf: StockLevel) -> "Stock":
        return cls(
            stored=shelf.stored,
            claimed=shelf.claimed,
            available=shelf.available,
            on_order=shelf.on_order,
            reorder_point=shelf.outlook.reorder_point,
            short_by=shelf.deficit,
            refused=shelf.refused_claims,
            hours_to_empty=shelf.hours_to_empty,
        )


@dataclass(frozen=True)
class Model:
    """The model that predicts: when it was fitted, through which draw; `pinned` there by staff."""

    id: int
    created_at: datetime
    draws_through: date
    pinned: bool

    @classmethod
    def of(cls, model: TrainedModel) -> "Model":
        return cls(model.pk, model.created_at, model.draws_through, model.pinned)


@dataclass(frozen=True)
class Skill:
    """What a mode gained on the uniform law, in nats a draw, with its 95 % interval between draws."""

    nats: float
    low: float
    high: float
    draws: int
    verdict: str

    @classmethod
    def of(cls, found: Comparison) -> "Skill":
        return cls(found.difference, found.low, found.high, found.draws, found.verdict)


@dataclass(frozen=True)
class Prizes:
    """What a mode's scored tickets won beside the exact expectation, jackpots apart, and what that means."""

    draws: int
    tickets: int
    won_usd: int
    expected_usd: float
    cost_usd: int
    excess_white: float | None  # white balls a ticket beyond 25/69, a draw
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
    """Everything of one mode; `is_predicted` says whether it has a law for the next draw."""

    mode: str
    is_paused: bool
    is_predicted: bool
    stock: Stock
    made: list[FinishedBatch]
    last_success: FinishedBatch | None
    last_failure: FinishedBatch | None
    is_failing: bool
    model: Model | None
    skill: Skill | None
    prizes: Prizes


@dataclass(frozen=True)
class FailedBatch:
    """A batch that failed and was not retried."""

    id: int
    mode: str
    draw_date: date
    error: str


@dataclass(frozen=True)
class Pipeline:
    """The newest pipeline run that has ended."""

    id: int
    pipeline_run_id: str
    status: str
    finished_at: datetime | None
    seconds: float | None
    error: str


@dataclass(frozen=True)
class Snapshot:
    """All of it at one instant."""

    at: datetime
    draws: Draws
    workers: Workers
    workload: Work
    modes: list[ModeSnapshot]
    days: list[Day]
    error_rate: ErrorRate
    claims: list[ClaimCount]
    pipeline: Pipeline | None
    pipeline_completed: Pipeline | None
    failed: list[FailedBatch]  # for draws that are still to be held, the newest first
    conditions: list[Condition]

    def as_json(self) -> dict[str, Any]:
        """Plain values: dates and instants as the API writes them."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return isoformat_utc(value)
    return value.isoformat() if isinstance(value, date) else value
