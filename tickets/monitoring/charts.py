"""Charts of the dashboard, and the tables below them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from predictions.modes.registry import MODE_NAMES
from tickets.demand.sales_window import floor_to_hour
from tickets.monitoring.history import HOURS
from tickets.monitoring.snapshot import Snapshot

MODE_STYLES = {mode: str(number) for number, mode in enumerate(MODE_NAMES, start=1)}  # in plots.css
QUIET, ALARM = "quiet", "alarm"  # series of no mode; styled in dashboard.css


@dataclass(frozen=True)
class Series:
    """One value per label of the plot; None where there is no value."""

    name: str
    style: str
    values: list[float | None]
    kind: str = "bar"


@dataclass(frozen=True)
class Plot:
    name: str
    title: str
    unit: str
    labels: list[str]
    series: list[Series]
    stacked: bool = False
    empty: str = ""  # text shown without data

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """Return one table row per label, omitting rows without values."""
        columns = [series.values for series in self.series]
        rows = [(label, [values[index] for values in columns]) for index, label in enumerate(self.labels)]
        return [(label, [_format(value) for value in values]) for label, values in rows if any(values)]


def _format(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def plots_of(snapshot: Snapshot) -> list[Plot]:
    """Return all charts in display order."""
    return [
        _stock_plot(snapshot),
        _tickets_plot(snapshot),
        _batches_plot(snapshot),
        _claims_plot(snapshot),
        _durations_plot(snapshot),
    ]


def _stock_plot(snapshot: Snapshot) -> Plot:
    stock = [mode.stock for mode in snapshot.modes]
    return Plot(
        "stock",
        f"Stock for the draw of {snapshot.draws.next} vs. reorder point",
        "tickets",
        [mode.mode for mode in snapshot.modes],
        [
            Series("available", "1", [of_mode.available for of_mode in stock]),
            Series("on order", "2", [of_mode.on_order for of_mode in stock]),
            Series("reorder point", ALARM, [of_mode.reorder_point for of_mode in stock], "mark"),
        ],
        stacked=True,
        empty="No tickets for this draw.",
    )


def _tickets_plot(snapshot: Snapshot) -> Plot:
    return Plot(
        "tickets",
        "Tickets generated per day",
        "tickets",
        _day_labels(snapshot),
        [
            Series(mode, MODE_STYLES[mode], [day.tickets[mode] for day in snapshot.days])
            for mode in MODE_NAMES
        ],
        stacked=True,
        empty="No batches finished on these days.",
    )


def _batches_plot(snapshot: Snapshot) -> Plot:
    return Plot(
        "batches",
        "Batches per day, by result",
        "batches",
        _day_labels(snapshot),
        [
            Series("ready", "3", [day.made for day in snapshot.days]),
            Series("failed", ALARM, [day.failed for day in snapshot.days]),
            Series("cancelled", QUIET, [day.cancelled for day in snapshot.days]),
        ],
        stacked=True,
        empty="No batches finished on these days.",
    )


def _claims_plot(snapshot: Snapshot) -> Plot:
    current = floor_to_hour(snapshot.at)
    hours = [current - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    claims = {(count.mode, count.hour): count.claims for count in snapshot.claims}
    refused = dict.fromkeys(hours, 0)
    for count in snapshot.claims:
        refused[count.hour] = refused.get(count.hour, 0) + count.refused
    series = [
        Series(mode, MODE_STYLES[mode], [claims.get((mode, hour), 0) for hour in hours])
        for mode in MODE_NAMES
    ]
    series.append(Series("refused", ALARM, [refused[hour] for hour in hours]))
    return Plot(
        "claims",
        f"Claims per hour, last {HOURS} hours (UTC)",
        "claims",
        [f"{hour:%m-%d %H}:00" for hour in hours],
        series,
        stacked=True,
        empty=f"No claims in the last {HOURS} hours.",
    )


def _durations_plot(snapshot: Snapshot) -> Plot:
    longest = max(len(mode.made) for mode in snapshot.modes)
    return Plot(
        "durations",
        "Batch duration (s), latest batches",
        "seconds",
        [str(-ago) if ago else "newest" for ago in reversed(range(longest))],
        [
            Series(
                mode.mode,
                MODE_STYLES[mode.mode],
                _pad_left([batch.seconds for batch in reversed(mode.made)], longest),
                "line",
            )
            for mode in snapshot.modes
        ],
        empty="No batches are ready yet.",
    )


def _pad_left(values: Sequence[float | None], length: int) -> list[float | None]:
    rounded = [None if value is None else round(value, 3) for value in values]
    return [None] * (length - len(rounded)) + rounded


def _day_labels(snapshot: Snapshot) -> list[str]:
    return [f"{day.day:%m-%d}" for day in snapshot.days]
