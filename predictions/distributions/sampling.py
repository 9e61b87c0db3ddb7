"""Tickets drawn exactly by a component's law, reproducible ticket for ticket.

Only `Generator.random` and this module's own arithmetic make tickets, so that a batch can be made again,
ticket for ticket; a test holds golden values. A change of any drawn number raises SAMPLER_VERSION.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from predictions.distributions.components import Component, WhiteBallDistribution
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

SAMPLER_VERSION = 2

DECK = POWERBALL_MAX  # tickets, so that every Powerball comes once
HALF_DECK = WHITE_MAX // WHITE_BALLS  # tickets, so that no white ball need come twice

_BLOCK = 2048 * DECK  # tickets drawn at once: what the processor's cache holds, in whole decks

# uint8, shape (tickets, 6): five ascending white balls, then the Powerball.
Tickets = NDArray[np.uint8]
# Makes a number of tickets.
Draw = Callable[[int, np.random.Generator], Tickets]


def generator_for(seed: int, *spawn_key: int) -> np.random.Generator:
    """The stream named by a seed and a key, the same on every machine and NumPy version."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key)))


def sample(component: Component, count: int, generator: np.random.Generator) -> Tickets:
    """`count` tickets of a component's law, independent but within a deck; repeats may occur."""
    draw: Draw = _deal_decks if component.dealt else _Sampler(component).draw
    tickets = np.empty((count, WHITE_BALLS + 1), dtype=np.uint8)
    for first in range(0, count, _BLOCK):
        block = tickets[first : first + _BLOCK]
        block[:] = draw(len(block), generator)
    return tickets


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


class _Sampler:
    """Draws independent tickets of a component's law, strata and all."""

    def __init__(self, component: Component) -> None:
        law = component.white_law
        self.compositions = _AliasTable([chance for _, chance in law.table])
        self.counts = np.array([counts for counts, _ in law.table], dtype=np.uint8).T
        firsts = (1, *(cut + 1 for cut in law.cuts))
        self.strata = [_Stratum(law, number, first) for number, first in enumerate(firsts)]
        self.powerball = _AliasTable(component.powerball_chances)

    def draw(self, count: int, generator: np.random.Generator) -> Tickets:
        tickets = np.empty((count, WHITE_BALLS + 1), dtype=np.uint8)
        tickets[:, :WHITE_BALLS] = self._white(count, generator).T
        tickets[:, WHITE_BALLS] = self.powerball.draw(generator.random(count)) + np.uint8(1)
        return tickets

    def _white(self, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Shape (5, count): each ticket's composition from the table, then each stratum's balls."""
        if len(self.strata) == 1:
            return self.strata[0].draw(WHITE_BALLS, count, generator)
        counts = self.counts[:, self.compositions.draw(generator.random(count))]
        balls = np.empty((WHITE_BALLS, count), dtype=np.uint8)
        filled = np.zeros(count, dtype=np.uint8)
        for stratum, wanted in zip(self.strata, counts, strict=True):  # so the balls come out ascending
            for size in range(1, WHITE_BALLS + 1):
                tickets = np.flatnonzero(wanted == size)
                for place, drawn in enumerate(stratum.draw(size, len(tickets), generator)):
                    balls[filled[tickets] + place, tickets] = drawn
            filled += wanted
        return balls


class _Stratum:
    """Draws sets of different balls from one stratum of a law."""

    def __init__(self, law: WhiteBallDistribution, number: int, first_ball: int) -> None:
        weights = law.weights[number].tolist()
        self.table = _AliasTable(weights)
        self.first_ball = np.uint8(first_ball)
        # The share of rows of `size` independent balls in which all differ: size! * e_size / sum ** size.
        self.acceptance = [
            math.factorial(size) * sums / len(weights) ** size
            for size, sums in enumerate(law.symmetric[number])
        ]

    def draw(self, size: int, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """`count` sets of `size` balls, shape (size, count), each ascending.

        Balls are drawn independently by weight and a row is kept if all differ, which is exactly the law.
        """
        sets = np.empty((size, count), dtype=np.uint8)
        filled = 0
        while filled < count:
            needed = (count - filled) / self.acceptance[size]
            rows = min(2 * _BLOCK, int(needed + 4 * math.sqrt(needed)) + 8)
            balls = list(self.table.draw(generator.random((size, rows))))
            kept = np.flatnonzero(_sort_and_compare(balls))[: count - filled]
            for place, values in enumerate(balls):
                sets[place, filled : filled + len(kept)] = values[kept]
            filled += len(kept)
        return sets + self.first_ball


def _sort_and_compare(balls: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Sort each row across the columns, in place; returns which rows hold no ball twice."""
    for end in range(len(balls) - 1, 0, -1):
        for low in range(end):
            lower, higher = balls[low], balls[low + 1]
            balls[low], balls[low + 1] = np.minimum(lower, higher), np.maximum(lower, higher)
    distinct = np.ones(len(balls[0]), dtype=bool)
    for lower, higher in pairwise(balls):
        distinct &= lower != higher
    return distinct


def _deal_decks(count: int, generator: np.random.Generator) -> Tickets:
    """Tickets dealt like cards: 26 a deck, no white ball twice in a half of 13, every Powerball once.

    Each ticket's own law is uniform; the tickets of a deck depend on one another. The last deck may be short.
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
    """Each row of random numbers as a random permutation of 1 … row length."""
    return (np.argsort(numbers, axis=1, kind="stable") + 1).astype(np.uint8)


# Mixtures


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
    """Ticket j from component `order[j]`, each place drawn once; repeats may occur and stay in.

    ValueError when `order` names a component that is not there.
    """
    if len(order) and order.max() >= len(components):
        raise ValueError(f"component {order.max()} of {len(components)} is asked for tickets")
    tickets = np.empty((len(order), WHITE_BALLS + 1), dtype=np.uint8)
    for index, component in enumerate(components):
        places = np.flatnonzero(order == index)
        if len(places):
            tickets[places] = sample(component, len(places), generator)
    return tickets
