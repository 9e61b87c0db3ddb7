"""The exact law of a ticket, given positive weights: what a component is, and how likely it finds a draw.

A component gives weights w of the 69 white balls and p of the 26 Powerballs. A white set S has the chance
prod(w_i, i in S) / e5(w), e5 the fifth elementary symmetric polynomial; the Powerball is independent. This
is the conditional-Bernoulli law of five balls out of 69 (Chen, Dempster & Liu 1994, Biometrika 81:457).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from predictions.powerball import CURRENT_ERA, POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

UNIFORM_LOG_LOSS = math.log(CURRENT_ERA.tickets)  # 19.4930 nats a draw
MAX_WEIGHT_RATIO = 20.0


@dataclass(frozen=True)
class Component:
    """One strategy's law: its share of the mixture, 69 white weights and 26 Powerball weights.

    Weights are positive and finite, relative to one another; the largest is at most MAX_WEIGHT_RATIO times
    the smallest. ValueError otherwise, so that a broken model can never become tickets.
    """

    strategy: str
    share: float
    white: tuple[float, ...]
    powerball: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.share) and 0 < self.share <= 1):
            raise ValueError(f"{self.strategy}: share {self.share} is not in (0, 1]")
        _check_weights(self.strategy, "white", self.white, WHITE_MAX)
        _check_weights(self.strategy, "Powerball", self.powerball, POWERBALL_MAX)

    def as_json(self) -> dict[str, Any]:
        """The stored form, which `from_json` reads back."""
        return {
            "strategy": self.strategy,
            "share": self.share,
            "white": list(self.white),
            "powerball": list(self.powerball),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Component":
        """A component from its stored form; ValueError when it is not one."""
        try:
            return cls(
                strategy=str(stored["strategy"]),
                share=float(stored["share"]),
                white=tuple(float(weight) for weight in stored["white"]),
                powerball=tuple(float(weight) for weight in stored["powerball"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored component: {error!r}") from error


def _check_weights(strategy: str, kind: str, weights: Sequence[float], count: int) -> None:
    if len(weights) != count:
        raise ValueError(f"{strategy}: {len(weights)} {kind} weights, not {count}")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"{strategy}: every {kind} weight must be positive and finite")
    if max(weights) / min(weights) > MAX_WEIGHT_RATIO * (1 + 1e-9):
        raise ValueError(f"{strategy}: the {kind} weights differ by more than {MAX_WEIGHT_RATIO:g} times")


def components_from_json(stored: Sequence[dict[str, Any]]) -> list[Component]:
    """A stored mixture; ValueError unless it has a component and the shares sum to one."""
    components = [Component.from_json(one) for one in stored]
    if abs(sum(component.share for component in components) - 1) > 1e-9:
        raise ValueError("the shares of a prediction's components must sum to 1")
    return components


def uniform_component(strategy: str = "uniform") -> Component:
    """The law of a fair draw, the baseline of every report."""
    return Component(strategy, 1.0, (1.0,) * WHITE_MAX, (1.0,) * POWERBALL_MAX)


def shrink(weights: Sequence[float], strength: float) -> tuple[float, ...]:
    """Draw weights towards uniform: each becomes weight ** strength around a geometric mean of one.

    `strength` 0 gives uniform, 1 the weights themselves where none is further than sqrt(MAX_WEIGHT_RATIO)
    times from their geometric mean; those that are, are cut to it.
    """
    logs = [strength * math.log(weight) for weight in weights]
    middle, bound = math.fsum(logs) / len(logs), math.log(MAX_WEIGHT_RATIO) / 2
    return tuple(math.exp(max(-bound, min(bound, one - middle))) for one in logs)


# Likelihood


def elementary_symmetric(weights: Sequence[float], order: int) -> list[float]:
    """e0 … e_order of the weights, by the usual recurrence; the weights' mean should be near one."""
    sums = [1.0] + [0.0] * order
    for weight in weights:
        for k in range(order, 0, -1):
            sums[k] += weight * sums[k - 1]
    return sums


def white_log_likelihood(component: Component, white_balls: Sequence[int]) -> float:
    """The log-probability, in nats, of a set of five white balls (1 to 69)."""
    mean = math.fsum(component.white) / WHITE_MAX
    scaled = [weight / mean for weight in component.white]
    total = elementary_symmetric(scaled, WHITE_BALLS)[WHITE_BALLS]
    return math.fsum(math.log(scaled[ball - 1]) for ball in white_balls) - math.log(total)


def powerball_log_likelihood(component: Component, powerball: int) -> float:
    """The log-probability, in nats, of a Powerball (1 to 26)."""
    return math.log(component.powerball[powerball - 1] / math.fsum(component.powerball))


@dataclass(frozen=True)
class LogLoss:
    """Minus the log-likelihood of one draw, in nats. In a mixture the parts need not add up to the joint."""

    joint: float
    white: float
    powerball: float


def log_loss(components: Sequence[Component], white_balls: Sequence[int], powerball: int) -> LogLoss:
    """The exact loss of a mixture on a draw: minus the log of the share-weighted sum of likelihoods."""
    shares = [math.log(component.share) for component in components]
    whites = [white_log_likelihood(component, white_balls) for component in components]
    powerballs = [powerball_log_likelihood(component, powerball) for component in components]
    joint = [share + white + red for share, white, red in zip(shares, whites, powerballs, strict=True)]
    return LogLoss(
        joint=-_log_sum_exp(joint),
        white=-_log_sum_exp([share + white for share, white in zip(shares, whites, strict=True)]),
        powerball=-_log_sum_exp([share + red for share, red in zip(shares, powerballs, strict=True)]),
    )


def _log_sum_exp(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(one - top) for one in logs))


def inclusion_probabilities(weights: Sequence[float]) -> list[float]:
    """Each white ball's exact chance to be among the five: w_i * e4(w without i) / e5(w)."""
    mean = math.fsum(weights) / len(weights)
    scaled = [weight / mean for weight in weights]
    total = elementary_symmetric(scaled, WHITE_BALLS)[WHITE_BALLS]
    chances = []
    for ball, weight in enumerate(scaled):
        without = elementary_symmetric(scaled[:ball] + scaled[ball + 1 :], WHITE_BALLS - 1)
        chances.append(weight * without[WHITE_BALLS - 1] / total)
    return chances
