"""Factories of minimal model instances."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import combinations, islice
from typing import Any
from uuid import uuid4

from django.utils import timezone

from predictions.distributions.components import Component, uniform_component
from predictions.distributions.sampling import generator_for, sample
from predictions.distributions.strata import Strata, balanced_table
from predictions.draws.randomness import randomness_report
from predictions.evaluation.backtest import finish_backtest
from predictions.models import (
    Backtest,
    Draw,
    PipelineRun,
    Prediction,
    RandomnessReport,
    TrainedModel,
    new_run_id,
)
from predictions.modes.features import History
from predictions.modes.walk_forward import measure_walk
from predictions.powerball import CURRENT_ERA, next_draw, scheduled_draws
from tickets.demand.sales_window import floor_to_hour
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import ApiClient, ApiKey, Claim, ClaimHour, PreGeneratedTicket, TicketBatch
from tickets.models.claims import COUNTER_SHARDS

WEDNESDAY = date(2026, 11, 25)
THIRDS = (23, 46)  # cut points of 1-23, 24-46 and 47-69


def draw_on_sale() -> date:
    """Return a draw that stays on sale while a test runs."""
    return next_draw(timezone.now() + timedelta(hours=2))


def tilted_component(strategy: str = "random_forest", share: float = 1.0) -> Component:
    """Return a component that slightly prefers high balls; all weights differ."""
    return Component(
        strategy,
        share,
        tuple(1 + ball / 100 for ball in range(69)),
        tuple(1 + ball / 50 for ball in range(26)),
    )


def random_component(seed: int) -> Component:
    """Return a component with random weights without ties or order, like a model's."""
    numbers = generator_for(seed).random(95)
    return Component("random", 1.0, tuple(0.5 + numbers[:69]), tuple(0.5 + numbers[69:]))


def peaked_component(strategy: str = "random_forest") -> Component:
    """Return a component of maximum concentration, which produces duplicate tickets."""
    return Component(strategy, 1.0, (20.0,) * 5 + (1.0,) * 64, (20.0,) + (1.0,) * 25)


def stratified_component(component: Component) -> Component:
    """Return the component with strata as in `range_balanced`."""
    return replace(component, strata=Strata(THIRDS, balanced_table(THIRDS, 0.5)))


def dealt_component(strategy: str = "deck", share: float = 1.0) -> Component:
    """Return a uniform component that is dealt in decks."""
    return replace(uniform_component(strategy), share=share, dealt=True)


def component_with(**changes: Any) -> Component:
    """Return the uniform component with changes."""
    return Component.from_json(uniform_component().as_json() | changes)


def make_model(mode: str = "random_forest", **values: Any) -> TrainedModel:
    return TrainedModel.objects.create(
        **{
            "mode": mode,
            "file": f"{mode}-test.skops",
            "sha256": "0" * 64,
            "size_bytes": 1,
            "draws_used": 1288,
            "draws_through": date(2025, 12, 22),
            "draws_fingerprint": "0" * 64,
            "code_version": 1,
            "seed": 1,
            "seconds": 1.0,
            "peak_memory_kb": 1,
        }
        | values
    )


def make_prediction(
    mode: str = "random_forest",
    draw_date: date | None = None,
    components: list[Component] | None = None,
) -> Prediction:
    """Create a prediction, by default for the upcoming draw, with its model and pipeline run."""
    draw_date = draw_date or draw_on_sale()
    run = PipelineRun.objects.create(
        pipeline_run_id=new_run_id("test"), draw_date=draw_date, source="none", modes=[mode]
    )
    return Prediction.objects.create(
        mode=mode,
        draw_date=draw_date,
        draws_through=date(2025, 12, 22),
        model=make_model(mode),
        run=run,
        components=[one.as_json() for one in components or [tilted_component(mode)]],
    )


def fair_history(draws: int, seed: int | None = None) -> History:
    """Return simulated fair draws."""
    drawn = sample(uniform_component(), draws, generator_for(seed or draws)).astype(int)
    return History(drawn[:, :5], drawn[:, 5])


def store_fair_draws(count: int) -> list[Draw]:
    """Store simulated fair draws on the last draw days through 2025-12-22."""
    history, days = fair_history(count), list(scheduled_draws(CURRENT_ERA.since, date(2025, 12, 22)))[-count:]
    return Draw.objects.bulk_create(
        Draw(
            draw_date=day,
            **dict(zip(("n1", "n2", "n3", "n4", "n5"), map(int, white), strict=True)),
            powerball=int(powerball),
            source="simulated",
        )
        for day, white, powerball in zip(days, history.white, history.powerball, strict=True)
    )


def make_report(draws: int = 200, draws_through: date = date(2025, 12, 22)) -> RandomnessReport:
    """Store a randomness report of simulated fair draws."""
    found = randomness_report(fair_history(draws))
    return RandomnessReport.objects.create(
        draws=draws,
        draws_through=draws_through,
        draws_fingerprint=f"{draws:064d}",
        figures=found.as_json(),
        verdict=found.verdict,
    )


def make_backtest(
    gains: dict[str, tuple[float, float]], draws: int = 40, refit_every: int = 20, **values: Any
) -> Backtest:
    """Store a finished backtest of modes with these mean gains over uniform and their spreads.

    The losses are synthetic, but are stored and compared like measured ones.
    """
    history, known = fair_history(draws), 700
    backtest = Backtest.objects.create(
        **{
            "modes": [*gains, "uniform"],
            "draws": draws,
            "refit_every": refit_every,
            "seed": 1,
            "draws_known": known,
            "tested_from": date(2025, 9, 20),
            "draws_through": date(2025, 12, 22),
            "draws_fingerprint": "0" * 64,
            "versions": {},
        }
        | values
    )
    for start in range(0, draws, refit_every):
        fold = range(start, min(start + refit_every, draws))
        fair = measure_walk([[uniform_component()]] * len(fold), history, fold)
        for mode, (gain, spread) in (gains | {"uniform": (0.0, 0.0)}).items():
            losses = [loss - gain + spread * (-1) ** place for place, loss in enumerate(fair.joint)]
            backtest.folds.create(
                mode=mode,
                first=known - draws + start,
                draws=len(fold),
                figures=replace(fair, joint=losses).as_json(),
                seconds=1.0,
            )
    finish_backtest(backtest)
    return backtest


def queued_batch(size: int = 100, **values: object) -> TicketBatch:
    """Create a queued batch with a fixed seed."""
    result = BatchTicketGenerator(size, ["random_forest"]).generate_batch(draw_date=draw_on_sale())
    TicketBatch.objects.filter(run=result["generation_run_id"]).update(**({"seed": 7} | values))
    return TicketBatch.objects.get(run=result["generation_run_id"])


def ticket(n1: int, n2: int, n3: int, n4: int, n5: int, powerball: int, **values: Any) -> dict[str, Any]:
    """Return a ticket in the format of `insert_batch_tickets`."""
    return {"white_balls": [n1, n2, n3, n4, n5], "powerball": powerball} | values


def some_tickets(count: int, powerball: int = 1) -> list[dict[str, Any]]:
    """Return different valid tickets, always the same ones; another Powerball gives others."""
    return [ticket(*balls, powerball) for balls in islice(combinations(range(1, 70), 5), count)]


def make_client(name: str = "shop", **values: Any) -> ApiClient:
    return ApiClient.objects.create(**{"name": name, "daily_quota": 1000} | values)


def make_key(client: ApiClient, **values: Any) -> str:
    """Create an API key and return its text."""
    return ApiKey.objects.create_key(**{"name": "test", "client": client} | values)[1]


def claim_tickets(batch: TicketBatch, count: int) -> Claim:
    """Allocate the first available tickets of a batch to a client."""
    client = ApiClient.objects.filter(name="shop").first() or make_client()
    tickets = list(PreGeneratedTicket.objects.filter(batch=batch, claim=None).order_by("id")[:count])
    claim = Claim.objects.create(
        client=client,
        idempotency_key=uuid4().hex,
        mode=batch.mode,
        count=count,
        draw_date=batch.draw_date,
        numbers=[[*one.white_balls, one.powerball] for one in tickets],
    )
    PreGeneratedTicket.objects.filter(pk__in=[one.pk for one in tickets]).update(claim=claim)
    hour = floor_to_hour(claim.created_at)
    counted, _ = ClaimHour.objects.get_or_create(
        draw_date=claim.draw_date, mode=claim.mode, hour=hour, shard=client.pk % COUNTER_SHARDS
    )
    counted.claims, counted.tickets = counted.claims + 1, counted.tickets + count
    counted.save()
    return claim


def make_draw(
    day: date | None = None, white_balls: tuple[int, ...] = (5, 12, 33, 41, 60), powerball: int = 7
) -> Draw:
    """Create an official draw, by default on the upcoming date."""
    day = day or draw_on_sale()
    numbers = dict(zip(("n1", "n2", "n3", "n4", "n5"), white_balls, strict=True))
    return Draw.objects.create(draw_date=day, powerball=powerball, source="test", **numbers)


def count_claims(
    mode: str = "random_forest",
    hour: datetime | None = None,
    draw_date: date | None = None,
    **counts: int,
) -> ClaimHour:
    """Create the counts of an hour: `claims`, their `tickets`, and `refused` claims."""
    values = {"shard": 0, "claims": 10, "tickets": 50} | counts
    return ClaimHour.objects.create(
        mode=mode,
        hour=hour or floor_to_hour(timezone.now() - timedelta(hours=2)),
        draw_date=draw_date or draw_on_sale(),
        **values,
    )
