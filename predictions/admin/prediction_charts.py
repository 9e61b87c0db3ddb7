"""Charts of a prediction: each ball's probability beside that of a uniform draw."""

from collections.abc import Sequence

from predictions.distributions.components import Component, mixture_inclusion
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX
from shiolplus.charts.bar import BarChart, Reference, bar_chart


def bar_charts(components: Sequence[Component]) -> list[BarChart]:
    """A mixture's law beside uniform: its white balls and its Powerballs."""
    white, powerball = (chances.tolist() for chances in mixture_inclusion(components))
    return [
        _law_chart("White balls: the chance to be among the five", "white", white, WHITE_BALLS, WHITE_MAX),
        _law_chart("Powerball: the chance to be drawn", "powerball", powerball, 1, POWERBALL_MAX),
    ]


def _law_chart(title: str, name: str, chances: Sequence[float], drawn: int, balls: int) -> BarChart:
    uniform, fraction = drawn / balls, f"{drawn}/{balls}"
    spread = f"{min(chances) / uniform:.3f} to {max(chances) / uniform:.3f}"
    return bar_chart(
        f"{title}, {spread} times uniform",
        name,
        ("Chance", "Times uniform"),
        chances,
        [(f"{chance:.2%}", f"{chance / uniform:.3f}") for chance in chances],
        Reference(uniform, f"uniform, {fraction}", fraction, f"{uniform:.2%}"),
    )
