"""Exact, reproducible sampling of tickets from components and mixtures.

Tickets depend only on `Generator.random` and the arithmetic in this module, so a batch can be reproduced
ticket for ticket. Increase SAMPLER_VERSION whenever a sampled number changes; golden values in the tests
detect that.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from predictions.distributions.components import Component, WhiteBallDistribution
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

SAMPLER_VERSION = 2

DECK = POWERBALL_MAX  # tickets per deck: every Powerball once
HALF_DECK = WHITE_MAX // WHITE_BALLS  # tickets without a repeated white ball

_BLOCK = 2048 * DECK  # tickets sampled at once: whole decks, small enough for the CPU cache

# uint8, shape (tickets, 6): five ascending white balls and the Powerball.
Tickets = NDArray[np.uint8]
Draw = Callable[[int, np.random.Generator], Tickets]


def generator_for(seed: int, *spawn_key: int) -> np.random.Generator:
    """Return the random stream of a seed and key, the same on every machine and NumPy version."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key)))


def sample(component: Component, count: int, generator: np.random.Generator) -> Tickets:
    """Return `count` tickets of a component; repeats may occur. Only tickets of one deck are dependent."""
    draw: Draw = _deal_decks if component.dealt else _Sampler(component).draw
    tickets = np.empty((count, WHITE_BALLS + 1), dtype=np.uint8)
    for first in range(0, count, _BLOCK):
        block = tickets[first : first + _BLOCK]
        block[:] = draw(len(block), generator)
    return tickets


class _AliasTable:
    """Samples from a discrete distribution in constant time (Walker 1977, Vose 1991)."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.size = len(weights)
        total = math.fsum(weights)
        scaled = [weight * self.size / total for weight in weights]
        self.threshold = np.ones(self.size)
        self.alias = np.arange(self.size, dtype=np.uint8)
        small = [i for i, probability in enumerate(scaled) if probability < 1]
        large = [i for i, probability in enumerate(scaled) if probability >= 1]
        while small and large:
            low, high = small.pop(), large[-1]
            self.threshold[low], self.alias[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1:
                small.append(large.pop())

    def draw(self, uniforms: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return an index 0 … size-1 for each uniform number in [0, 1)."""
        scaled = uniforms * self.size
        column = scaled.astype(np.uint8)
        return np.where(scaled - column < self.threshold[column], column, self.alias[column])


class _Sampler:
    def __init__(self, component: Component) -> None:
        white = component.white_distribution
        self.compositions = _AliasTable([probability for _, probability in white.table])
        self.counts = np.array([counts for counts, _ in white.table], dtype=np.uint8).T
        first_balls = (1, *(cut + 1 for cut in white.cuts))
        self.strata = [_Stratum(white, index, first_ball) for index, first_ball in enumerate(first_balls)]
        self.powerball = _AliasTable(component.powerball_probabilities)

    def draw(self, count: int, generator: np.random.Generator) -> Tickets:
        tickets = np.empty((count, WHITE_BALLS + 1), dtype=np.uint8)
        tickets[:, :WHITE_BALLS] = self._draw_white(count, generator).T
        tickets[:, WHITE_BALLS] = self.powerball.draw(generator.random(count)) + np.uint8(1)
        return tickets

    def _draw_white(self, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return white balls, shape (5, count): draw a composition per ticket, then its balls per stratum."""
        if len(self.strata) == 1:
            return self.strata[0].draw(WHITE_BALLS, count, generator)
        counts = self.counts[:, self.compositions.draw(generator.random(count))]
        balls = np.empty((WHITE_BALLS, count), dtype=np.uint8)
        filled = np.zeros(count, dtype=np.uint8)
        for stratum, sizes in zip(
            self.strata, counts, strict=True
        ):  # in order, so that balls come out ascending
            for size in range(1, WHITE_BALLS + 1):
                tickets = np.flatnonzero(sizes == size)
                for index, values in enumerate(stratum.draw(size, len(tickets), generator)):
                    balls[filled[tickets] + index, tickets] = values
            filled += sizes
        return balls


class _Stratum:
    """Samples sets of distinct balls from one stratum."""

    def __init__(self, white: WhiteBallDistribution, index: int, first_ball: int) -> None:
        weights = white.weights[index].tolist()
        self.table = _AliasTable(weights)
        self.first_ball = np.uint8(first_ball)
        # The probability that `size` independent balls are distinct: size! * e_size / sum ** size.
        self.acceptance = [
            math.factorial(size) * symmetric / len(weights) ** size
            for size, symmetric in enumerate(white.symmetric[index])
        ]

    def draw(self, size: int, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return `count` ascending sets of `size` balls, shape (size, count).

        Draw balls independently by weight and reject rows with a repeated ball; this samples the conditional
        Bernoulli distribution exactly.
        """
        sets = np.empty((size, count), dtype=np.uint8)
        filled = 0
        while filled < count:
            needed = (count - filled) / self.acceptance[size]
            rows = min(2 * _BLOCK, int(needed + 4 * math.sqrt(needed)) + 8)
            balls = list(self.table.draw(generator.random((size, rows))))
            accepted = np.flatnonzero(_sort_and_compare(balls))[: count - filled]
            for index, values in enumerate(balls):
                sets[index, filled : filled + len(accepted)] = values[accepted]
            filled += len(accepted)
        return sets + self.first_ball


def _sort_and_compare(balls: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Sort each row across the columns in place. Return a mask of the rows without a repeated ball."""
    for end in range(len(balls) - 1, 0, -1):
        for low in range(end):
            lower, higher = balls[low], balls[low + 1]
            balls[low], balls[low + 1] = np.minimum(lower, higher), np.maximum(lower, higher)
    distinct = np.ones(len(balls[0]), dtype=bool)
    for lower, higher in pairwise(balls):
        distinct &= lower != higher
    return distinct


def _deal_decks(count: int, generator: np.random.Generator) -> Tickets:
    """Return tickets in decks of 26: no white ball twice in either half of 13, every Powerball once.

    Each ticket is uniformly distributed; tickets of one deck are dependent. The last deck may be incomplete.
    """
    decks = -(-count // DECK)
    numbers = generator.random((decks, 2 * WHITE_MAX + POWERBALL_MAX))
    white = _permutations(numbers[:, : 2 * WHITE_MAX].reshape(2 * decks, WHITE_MAX))
    tickets = np.empty((decks * DECK, WHITE_BALLS + 1), dtype=np.uint8)
    dealt = white[:, : HALF_DECK * WHITE_BALLS].reshape(-1, WHITE_BALLS)
    tickets[:, :WHITE_BALLS] = np.sort(dealt, axis=1)
    tickets[:, WHITE_BALLS] = _permutations(numbers[:, 2 * WHITE_MAX :]).ravel()
    return tickets[:count]


def _permutations(numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a random permutation of 1 … row length for each row of random numbers."""
    return (np.argsort(numbers, axis=1, kind="stable") + 1).astype(np.uint8)


# Mixtures


def split_by_share(shares: Sequence[float], count: int) -> list[int]:
    """Split `count` tickets by the largest-remainder method; ties go to the earlier component."""
    quotas = [share * count for share in shares]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: count - sum(counts)]:
        counts[i] += 1
    return counts


def component_order(counts: Sequence[int], seed: int) -> NDArray[np.uint8]:
    """Return the component index of every ticket, shuffled by the seed so that any prefix is mixed."""
    ordered = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    if len(counts) == 1:
        return ordered
    return ordered[np.argsort(generator_for(seed).random(len(ordered)), kind="stable")]


def draw_tickets(
    components: Sequence[Component], order: NDArray[np.uint8], generator: np.random.Generator
) -> Tickets:
    """Return ticket j sampled from component `order[j]`; repeats may occur.

    Raise ValueError if `order` has an index without a component.
    """
    if len(order) and order.max() >= len(components):
        raise ValueError(f"component index {order.max()} is out of range for {len(components)} components")
    tickets = np.empty((len(order), WHITE_BALLS + 1), dtype=np.uint8)
    for index, component in enumerate(components):
        positions = np.flatnonzero(order == index)
        if len(positions):
            tickets[positions] = sample(component, len(positions), generator)
    return tickets
