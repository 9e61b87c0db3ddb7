"""Charts of the ball probabilities of a prediction."""

from collections.abc import Sequence

from predictions.distributions.components import Component, mixture_inclusion
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX
from shiolplus.charts.bar import BarChart, Reference, bar_chart


def probability_charts(components: Sequence[Component]) -> list[BarChart]:
    """Return charts of a mixture's white ball and Powerball probabilities, compared to uniform."""
    white, powerball = (chances.tolist() for chances in mixture_inclusion(components))
    return [
        _probability_chart("White balls: probability to be drawn", "white", white, WHITE_BALLS, WHITE_MAX),
        _probability_chart("Powerball: probability to be drawn", "powerball", powerball, 1, POWERBALL_MAX),
    ]


def _probability_chart(
    title: str, name: str, probabilities: Sequence[float], drawn: int, balls: int
) -> BarChart:
    uniform, fraction = drawn / balls, f"{drawn}/{balls}"
    ratios = f"{min(probabilities) / uniform:.3f} to {max(probabilities) / uniform:.3f}"
    return bar_chart(
        f"{title}, {ratios} times uniform",
        name,
        ("Probability", "Times uniform"),
        probabilities,
        [(f"{probability:.2%}", f"{probability / uniform:.3f}") for probability in probabilities],
        Reference(uniform, f"uniform, {fraction}", fraction, f"{uniform:.2%}"),
    )
