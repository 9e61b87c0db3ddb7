"""Charts of the ball probabilities of a prediction."""

from collections.abc import Sequence

from predictions.distributions.components import Component, mixture_inclusion
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX
from shiolplus.charts.chart import BALL_WIDTH, Chart, Reference, Series


def probability_charts(components: Sequence[Component]) -> list[Chart]:
    """Return charts of a mixture's white ball and Powerball probabilities, compared to uniform."""
    white, powerball = (chances.tolist() for chances in mixture_inclusion(components))
    return [
        _probability_chart("White balls: probability of being drawn", "white", white, WHITE_BALLS, WHITE_MAX),
        _probability_chart("Powerball: probability of being drawn", "powerball", powerball, 1, POWERBALL_MAX),
    ]


def _probability_chart(
    title: str, name: str, probabilities: Sequence[float], drawn: int, balls: int
) -> Chart:
    uniform, fraction = drawn / balls, f"{drawn}/{balls}"
    ratios = f"{min(probabilities) / uniform:.3f} to {max(probabilities) / uniform:.3f}"
    return Chart(
        name,
        f"{title}, {ratios} times uniform",
        "Ball",
        [str(ball) for ball in range(1, balls + 1)],
        [
            Series("Probability", probabilities, number_format=".2%"),
            Series(
                "Times uniform",
                [probability / uniform for probability in probabilities],
                kind="text",
                number_format=".3f",
            ),
        ],
        Reference(uniform, f"uniform, {fraction} = {uniform:.2%}"),
        plot_width=BALL_WIDTH * balls,
    )
