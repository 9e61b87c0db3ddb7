"""Charts of the dashboard."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from predictions.modes.registry import MODE_NAMES
from shiolplus.charts.chart import Chart, Series
from tickets.demand.sales_window import floor_to_hour
from tickets.monitoring.history import HOURS, DailyBatches
from tickets.monitoring.snapshot import Snapshot

MODE_STYLES = {mode: number for number, mode in enumerate(MODE_NAMES, start=1)}  # in charts.css
QUIET, ALARM = "quiet", "alarm"  # series of no mode; styled in dashboard.css
PLOT_WIDTH = 340


def build_charts(snapshot: Snapshot) -> list[Chart]:
    """Return all charts in display order."""
    days = snapshot.days
    return [
        _stock_chart(snapshot),
        _day_chart(
            "tickets",
            "Tickets generated per day",
            days,
            [Series(mode, [day.tickets[mode] for day in days], MODE_STYLES[mode]) for mode in MODE_NAMES],
        ),
        _day_chart(
            "batches",
            "Batches per day, by result",
            days,
            [
                Series("ready", [day.ready for day in days], 3),
                Series("failed", [day.failed for day in days], ALARM),
                Series("cancelled", [day.cancelled for day in days], QUIET),
            ],
        ),
        _claims_chart(snapshot),
        _durations_chart(snapshot),
    ]


def _stock_chart(snapshot: Snapshot) -> Chart:
    stock = [mode.stock for mode in snapshot.modes]
    return Chart(
        "stock",
        f"Tickets in stock for the draw of {snapshot.draws.next} vs. reorder point",
        "Mode",
        [mode.mode for mode in snapshot.modes],
        [
            Series("available", [of_mode.available for of_mode in stock], 1),
            Series("on order", [of_mode.on_order for of_mode in stock], 2),
            Series("reorder point", [of_mode.reorder_point for of_mode in stock], ALARM, "mark"),
        ],
        plot_width=PLOT_WIDTH,
        empty="No tickets for this draw.",
    )


def _day_chart(name: str, title: str, days: Sequence[DailyBatches], series: Sequence[Series]) -> Chart:
    return Chart(
        name,
        title,
        "Day",
        [f"{day.day:%m-%d}" for day in days],
        series,
        plot_width=PLOT_WIDTH,
        empty="No batches finished on these days.",
    )


def _claims_chart(snapshot: Snapshot) -> Chart:
    current = floor_to_hour(snapshot.at)
    hours = [current - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    claims = {(count.mode, count.hour): count.claims for count in snapshot.claims}
    refused = Counter[datetime]()
    for count in snapshot.claims:
        refused[count.hour] += count.refused
    return Chart(
        "claims",
        f"Claims per hour, last {HOURS} hours (UTC)",
        "Hour",
        [f"{hour:%m-%d %H}:00" for hour in hours],
        [
            *(
                Series(mode, [claims.get((mode, hour), 0) for hour in hours], MODE_STYLES[mode])
                for mode in MODE_NAMES
            ),
            Series("refused", [refused[hour] for hour in hours], ALARM),
        ],
        plot_width=PLOT_WIDTH,
        empty=f"No claims in the last {HOURS} hours.",
    )


def _durations_chart(snapshot: Snapshot) -> Chart:
    longest = max(len(mode.ready_batches) for mode in snapshot.modes)
    return Chart(
        "durations",
        "Batch duration (s), latest batches",
        "Batch",
        [str(-ago) if ago else "newest" for ago in reversed(range(longest))],
        [
            Series(
                mode.mode,
                [None] * (longest - len(mode.ready_batches))
                + [batch.seconds for batch in reversed(mode.ready_batches)],
                MODE_STYLES[mode.mode],
                "line",
                ",.2f",
            )
            for mode in snapshot.modes
        ],
        plot_width=PLOT_WIDTH - 120,  # for the names of the modes
        empty="No batches are ready yet.",
    )
