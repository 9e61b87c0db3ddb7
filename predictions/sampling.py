"""Tickets drawn exactly by a component's law, reproducible ticket for ticket.

Only `Generator.random` and this module's own arithmetic make tickets, so that a batch can be made again,
ticket for ticket; a test holds golden values. A change of any drawn number raises SAMPLER_VERSION.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from predictions.distribution import Component
from predictions.powerball import WHITE_BALLS

SAMPLER_VERSION = 1

# uint8, shape (tickets, 6): five ascending white balls, then the Powerball.
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
