"""The exact law of a ticket, given positive weights: likelihood, sampling, confidence.

A component gives weights w of the 69 white balls and p of the 26 Powerballs. A white set S has the chance
prod(w_i, i in S) / e5(w), e5 the fifth elementary symmetric polynomial; the Powerball is independent. This
is the conditional-Bernoulli law of five balls out of 69 (Chen, Dempster & Liu 1994, Biometrika 81:457).

Only `Generator.random` and this module's own arithmetic make tickets, so that a batch can be made again,
ticket for ticket; a test holds golden values. A change of any drawn number raises SAMPLER_VERSION.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictions.powerball import CURRENT_ERA, POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

SAMPLER_VERSION = 1
UNIFORM_LOG_LOSS = math.log(CURRENT_ERA.tickets)  # 19.4930 nats a draw
MAX_WEIGHT_RATIO = 20.0

REFERENCE_SEED = 20151007  # the first draw date of the era: any fixed number would do
REFERENCE_TICKETS = 200_000
_SCORE_GRID = 2.0**40  # log-weights are rounded to this grid so that their sums, and so ties, are exact


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


# Sampling. Tickets are uint8 arrays of shape (tickets, 6): five ascending white balls, then the Powerball.

Tickets = NDArray[np.uint8]
_BLOCK = 1 << 16  # rows drawn at once: what the processor's cache holds
_SORTING_NETWORK = ((0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3))


def generator_for(seed: int, *spawn_key: int) -> np.random.Generator:
    """The stream named by a seed and a key, the same on every machine and NumPy version."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key)))


class _AliasTable:
    """Draws from a fixed discrete law in constant time (Walker 1977, Vose 1991)."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.size = len(weights)
        total = math.fsum(weights)
        chances = [weight * self.size / total for weight in weights]
        self.keep = np.ones(self.size)
        self.other = np.arange(self.size, dtype=np.uint8)
        small = [i for i, chance in enumerate(chances) if chance < 1]
        large = [i for i, chance in enumerate(chances) if chance >= 1]
        while small and large:
            low, high = small.pop(), large[-1]
            self.keep[low], self.other[low] = chances[low], high
            chances[high] -= 1 - chances[low]
            if chances[high] < 1:
                small.append(large.pop())

    def draw(self, uniforms: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Indices 0 … size-1, one for each uniform number in [0, 1)."""
        scaled = uniforms * self.size
        column = scaled.astype(np.uint8)
        return np.where(scaled - column < self.keep[column], column, self.other[column])


def sample(component: Component, count: int, generator: np.random.Generator) -> Tickets:
    """`count` independent tickets of a component's law; repeats may occur.

    Five balls are drawn independently and the row is kept if all differ, which is exactly the law above.
    """
    white, red = _AliasTable(component.white), _AliasTable(component.powerball)
    tickets = np.empty((count, WHITE_BALLS + 1), dtype=np.uint8)
    filled = 0
    while filled < count:
        rows = min(_BLOCK, int((count - filled) * 1.3) + 16)
        uniforms = generator.random((WHITE_BALLS + 1, rows))
        balls = list(white.draw(uniforms[:WHITE_BALLS]) + np.uint8(1))
        for low, high in _SORTING_NETWORK:
            balls[low], balls[high] = np.minimum(balls[low], balls[high]), np.maximum(balls[low], balls[high])
        balls.append(red.draw(uniforms[WHITE_BALLS]) + np.uint8(1))
        distinct = np.ones(rows, dtype=bool)
        for lower, higher in pairwise(balls[:WHITE_BALLS]):
            distinct &= lower != higher
        kept = np.flatnonzero(distinct)[: count - filled]
        for column, values in enumerate(balls):
            tickets[filled : filled + len(kept), column] = values[kept]
        filled += len(kept)
    return tickets


def ticket_keys(tickets: Tickets) -> NDArray[np.int64]:
    """One integer a ticket, different for different tickets."""
    keys = np.zeros(len(tickets), dtype=np.int64)
    for column in range(WHITE_BALLS + 1):
        keys = keys * 128 + tickets[:, column]
    return keys


def deal(shares: Sequence[float], count: int) -> list[int]:
    """Split `count` tickets by share, by largest remainder; ties go to the earlier component."""
    exact = [share * count for share in shares]
    counts = [math.floor(one) for one in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - exact[i], i))
    for i in by_remainder[: count - sum(counts)]:
        counts[i] += 1
    return counts


def component_order(counts: Sequence[int], seed: int) -> NDArray[np.uint8]:
    """Which component makes ticket j, for every j: a permutation fixed by the seed, so prefixes are mixed."""
    ordered = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    if len(counts) == 1:
        return ordered
    return ordered[np.argsort(generator_for(seed).random(len(ordered)), kind="stable")]


def draw_tickets(
    components: Sequence[Component], order: NDArray[np.uint8], generator: np.random.Generator
) -> Tickets:
    """Tickets that all differ, ticket j from component `order[j]`; its component draws a repeat again.

    ValueError when `order` names a component that is not there.
    """
    if len(order) and order.max() >= len(components):
        raise ValueError(f"component {order.max()} of {len(components)} is asked for tickets")
    tickets = np.empty((len(order), WHITE_BALLS + 1), dtype=np.uint8)
    missing = np.arange(len(order))
    while len(missing):
        for index, component in enumerate(components):
            places = missing[order[missing] == index]
            if len(places):
                tickets[places] = sample(component, len(places), generator)
        first = np.unique(ticket_keys(tickets), return_index=True)[1]
        missing = np.setdiff1d(np.arange(len(order)), first, assume_unique=True)
    return tickets


# Confidence


@lru_cache(maxsize=1)
def _reference_tickets() -> Tickets:
    return sample(uniform_component(), REFERENCE_TICKETS, generator_for(REFERENCE_SEED))


class ConfidenceScale:
    """How much a component prefers a ticket: the share of uniform tickets it finds less likely.

    Ties count half; the comparison is with one fixed set of 200,000 uniform tickets. In [0, 1], 0.5 where
    the component has no opinion. It is not a chance of winning, which is the same for every ticket.
    """

    def __init__(self, component: Component) -> None:
        self._white = _gridded_logs(component.white)
        self._red = _gridded_logs(component.powerball)
        self._reference = np.sort(self._score(_reference_tickets()))

    def of(self, tickets: Tickets) -> NDArray[np.float64]:
        """The confidence of each ticket."""
        scores = self._score(tickets)
        less = np.searchsorted(self._reference, scores, side="left")
        not_more = np.searchsorted(self._reference, scores, side="right")
        return (less + not_more) / (2.0 * REFERENCE_TICKETS)

    def _score(self, tickets: Tickets) -> NDArray[np.float64]:
        scores = self._red[tickets[:, WHITE_BALLS]]
        for column in range(WHITE_BALLS):
            scores = scores + self._white[tickets[:, column]]
        return scores


def _gridded_logs(weights: Sequence[float]) -> NDArray[np.float64]:
    """Log-weights indexed by ball number (index 0 is unused)."""
    return np.array([0.0] + [round(math.log(weight) * _SCORE_GRID) / _SCORE_GRID for weight in weights])
