"""What the dashboard draws: bars and lines over days, hours, modes and batches, and the same in tables."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from predictions.modes.registry import MODE_NAMES
from tickets.demand.sales_window import floor_to_hour
from tickets.monitoring.history import HOURS
from tickets.monitoring.snapshot import Snapshot

MODE_STYLES = {mode: str(place) for place, mode in enumerate(MODE_NAMES, start=1)}  # in plots.css
QUIET, ALARM = "quiet", "alarm"  # of what belongs to no mode, in dashboard.css


@dataclass(frozen=True)
class Series:
    """One row of values, a value a label; None where there is none."""

    name: str
    style: str
    values: list[float | None]
    kind: str = "bar"


@dataclass(frozen=True)
class Plot:
    """A drawing; `unit` names its values, `stacked` bars stand on each other."""

    name: str
    title: str
    unit: str
    labels: list[str]
    series: list[Series]
    stacked: bool = False
    empty: str = ""  # what is said instead, where there is nothing to draw

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_empty(self) -> bool:
        return not any(value for one in self.series for value in one.values)

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The same in texts, a row a label; rows without any value are left out."""
        columns = [one.values for one in self.series]
        rows = [(label, [values[place] for values in columns]) for place, label in enumerate(self.labels)]
        return [(label, [_text(value) for value in values]) for label, values in rows if any(values)]


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def plots_of(picture: Snapshot) -> list[Plot]:
    """All drawings of a picture, in the order in which they are shown."""
    return [_stock(picture), _tickets(picture), _batches(picture), _claims(picture), _durations(picture)]


def _stock(picture: Snapshot) -> Plot:
    stock = [mode.stock for mode in picture.modes]
    return Plot(
        "stock",
        f"Stock for the draw of {picture.draws.next}, beside its floor",
        "tickets",
        [mode.mode for mode in picture.modes],
        [
            Series("free", "1", [one.available for one in stock]),
            Series("coming", "2", [one.on_order for one in stock]),
            Series("floor", ALARM, [one.reorder_point for one in stock], "mark"),
        ],
        stacked=True,
        empty="No ticket for this draw.",
    )


def _tickets(picture: Snapshot) -> Plot:
    return Plot(
        "tickets",
        "Tickets made a day",
        "tickets",
        _days(picture),
        [Series(mode, MODE_STYLES[mode], [day.tickets[mode] for day in picture.days]) for mode in MODE_NAMES],
        stacked=True,
        empty="No batch ended in these days.",
    )


def _batches(picture: Snapshot) -> Plot:
    return Plot(
        "batches",
        "Batches a day, by how they ended",
        "batches",
        _days(picture),
        [
            Series("made", "3", [day.made for day in picture.days]),
            Series("failed", ALARM, [day.failed for day in picture.days]),
            Series("cancelled", QUIET, [day.cancelled for day in picture.days]),
        ],
        stacked=True,
        empty="No batch ended in these days.",
    )


def _claims(picture: Snapshot) -> Plot:
    present = floor_to_hour(picture.at)
    hours = [present - timedelta(hours=back) for back in reversed(range(HOURS))]
    claims = {(one.mode, one.hour): one.claims for one in picture.claims}
    refused = {hour: 0 for hour in hours}
    for one in picture.claims:
        refused[one.hour] = refused.get(one.hour, 0) + one.refused
    series = [
        Series(mode, MODE_STYLES[mode], [claims.get((mode, hour), 0) for hour in hours])
        for mode in MODE_NAMES
    ]
    series.append(Series("refused", ALARM, [refused[hour] for hour in hours]))
    return Plot(
        "claims",
        f"Claims an hour, the last {HOURS} hours (UTC)",
        "claims",
        [_hour(hour) for hour in hours],
        series,
        stacked=True,
        empty=f"Nothing was claimed in {HOURS} hours.",
    )


def _durations(picture: Snapshot) -> Plot:
    """The newest batches of each mode, the newest last."""
    longest = max(len(mode.made) for mode in picture.modes)
    return Plot(
        "durations",
        "Seconds a batch took, the newest last",
        "seconds",
        [str(-back) if back else "newest" for back in reversed(range(longest))],
        [
            Series(
                mode.mode,
                MODE_STYLES[mode.mode],
                _filled([batch.seconds for batch in reversed(mode.made)], longest),
                "line",
            )
            for mode in picture.modes
        ],
        empty="No batch was made yet.",
    )


def _filled(values: Sequence[float | None], length: int) -> list[float | None]:
    rounded = [None if value is None else round(value, 3) for value in values]
    return [None] * (length - len(rounded)) + rounded


def _days(picture: Snapshot) -> list[str]:
    return [f"{day.day:%m-%d}" for day in picture.days]


def _hour(hour: datetime) -> str:
    return f"{hour:%m-%d %H}:00"
