"""`v1`: a mixture of six plain strategies, whose shares follow the evidence of past draws."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictions.distributions.components import Component, log_likelihood, uniform_component
from predictions.distributions.fixed_share import equal_shares, fixed_share_update
from predictions.distributions.strata import Strata, balanced_table
from predictions.modes.base import (
    HELD_OUT,
    DependencyPredictions,
    Mixture,
    Mode,
    held_out,
    measured_skill,
    read_state,
    write_state,
)
from predictions.modes.features import WARM_UP, History
from predictions.modes.shrinkage import RawWeights, best_strength, shrink_component
from predictions.modes.v2 import V2
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

FREQUENCY, COOCCURRENCE, RANGES, AI, RANDOM, COVERAGE = STRATEGIES = (
    "frequency_weighted",
    "cooccurrence",
    "range_balanced",
    "ai_guided",
    "random_baseline",
    "coverage_optimizer",
)
SMOOTHING = 20.0  # drawn so often before there is any draw: counts of few draws say little
CUTS = (23, 46)  # the last balls of the first two ranges; the third ends at 69
BALANCED_SHARE = 0.5
SHARPENING = 2.0  # of v2's opinion, in the exponent of its weights


class V1(Mode):
    """Two strategies count, two have fixed laws, one leans on v2, and one deals uniform tickets in decks.

    The strengths of those that count are the best on older draws; the shares start equal and follow the
    held-out draws one by one. Without a law of v2 `ai_guided` is left out, and its share is kept for later.
    """

    name = "v1"
    code_version = 1
    suffix = ".json"
    minimum_draws = WARM_UP + 2 * HELD_OUT + 100
    libraries = ("numpy",)
    optional = (V2.name,)

    strengths_: dict[str, float]
    shares_: dict[str, float]

    def fit(
        self,
        history: History,
        seed: int,
        *,
        measure: bool = True,
        v2_walk: Sequence[Mixture] | None = None,
    ) -> Self:
        """As the contract says; `v2_walk` is v2's own walk where it has been taken already."""
        self.check_enough(history)
        newest = held_out(history)
        older = range(newest.start - HELD_OUT, newest.start)
        self.strengths_ = {
            strategy: best_strength(strategy, count(history, older), history, older)
            for strategy, count in COUNTING.items()
        }
        if v2_walk is None:
            v2_walk = _v2_walk(history, seed)
        parts = {} if v2_walk is None else {V2.name: v2_walk}
        self.shares_ = equal_shares(STRATEGIES)
        walk = list(self._walk(history, newest, parts))
        self.walk_ = [law for law, _ in walk]
        self.shares_ = walk[-1][1]
        self.skill_ = measured_skill(self.walk_, history)
        return self

    def predict_many(self, history: History, draws: range, parts: DependencyPredictions) -> list[Mixture]:
        return [law for law, _ in self._walk(history, draws, parts)]

    def _walk(
        self, history: History, draws: range, parts: DependencyPredictions
    ) -> Iterator[tuple[Mixture, dict[str, float]]]:
        """Each draw's law, and the shares after it; the law itself has not seen its draw."""
        shares = self.shares_
        counted = {strategy: count(history, draws) for strategy, count in COUNTING.items()}
        for place, draw in enumerate(draws):
            components = _fixed_laws()
            for strategy, (white, red) in counted.items():
                strength = self.strengths_[strategy]
                components[strategy] = shrink_component(strategy, white[place], red[place], strength)
            if V2.name in parts:
                components[AI] = sharpened(parts[V2.name][place])
            law = weighed([components[one] for one in STRATEGIES if one in components], shares)
            if draw < len(history):
                white_balls, powerball = history.numbers(draw)
                shares = fixed_share_update(shares, log_likelihoods(components, white_balls, powerball))
            yield law, shares

    def note(self, available: Sequence[str]) -> str:
        return "" if V2.name in available else f"{AI} is left out, for v2 has no law of this draw"

    def save(self, path: Path) -> None:
        write_state(path, self, strengths=self.strengths_, shares=self.shares_)

    @classmethod
    def load(cls, path: Path) -> Self:
        state = read_state(path)
        mode = cls.from_state(path, state)
        try:
            mode.strengths_ = {strategy: float(state["strengths"][strategy]) for strategy in COUNTING}
            mode.shares_ = {strategy: float(state["shares"][strategy]) for strategy in STRATEGIES}
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a model that v1 has saved: {error!r}") from error
        return mode


def _v2_walk(history: History, seed: int) -> list[Mixture] | None:
    """v2's laws of the held-out draws; None where XGBoost cannot be had."""
    try:
        return V2().fit(history, seed).walk_
    except ImportError:
        return None


def weighed(components: Sequence[Component], shares: Mapping[str, float]) -> Mixture:
    """The same laws with these shares; what a strategy that is left out would have had falls to all."""
    total = sum(shares[one.strategy] for one in components)
    return [replace(one, share=shares[one.strategy] / total) for one in components]


def log_likelihoods(
    components: Mapping[str, Component], white_balls: Sequence[int], powerball: int
) -> dict[str, float]:
    """What each strategy's law gave to a draw, whatever its share: joint, in nats."""
    return {name: log_likelihood(one, white_balls, powerball) for name, one in components.items()}


def _fixed_laws() -> dict[str, Component]:
    """The laws that no draw changes; decks are dealt, so that the tickets of one do not overlap."""
    ranges = Strata(CUTS, balanced_table(CUTS, BALANCED_SHARE))
    return {
        RANGES: replace(uniform_component(RANGES), strata=ranges),
        RANDOM: uniform_component(RANDOM),
        COVERAGE: replace(uniform_component(COVERAGE), dealt=True),
    }


def sharpened(mixture: Mixture) -> Component:
    """v2's law with more of its opinion."""
    (law,) = mixture
    return shrink_component(AI, law.white, law.powerball, SHARPENING)


# Counting: the raw weights of each draw, from the draws before it


def frequencies(history: History, draws: range) -> RawWeights:
    """How often each ball was drawn in the era, smoothed, beside how often it should have been."""
    return (
        _smoothed_counts(history.white_hits(), draws, WHITE_BALLS / WHITE_MAX),
        _smoothed_counts(history.powerball_hits(), draws, 1 / POWERBALL_MAX),
    )


def _smoothed_counts(hits: NDArray[np.float64], draws: range, rate: float) -> NDArray[np.float64]:
    seen = np.vstack([np.zeros(hits.shape[1]), np.cumsum(hits, axis=0)])  # row t counts draws before t
    expected = rate * np.array(draws)[:, None]
    return (seen[draws.start : draws.stop] + SMOOTHING) / (expected + SMOOTHING)


def cooccurrences(history: History, draws: range) -> RawWeights:
    """How often each ball was drawn together with those of the latest draw, smoothed, beside the expected."""
    white, red = history.white_hits(), history.powerball_hits()
    past = history.before(draws.start)
    pairs = past.white_hits().T @ past.white_hits()  # [a, b]: earlier draws that held both
    beside = past.white_hits().T @ past.powerball_hits()  # [a, r]: earlier draws with white a and Powerball r
    weights = np.empty((len(draws), WHITE_MAX)), np.empty((len(draws), POWERBALL_MAX))
    for place, draw in enumerate(draws):
        latest = history.white[draw - 1] - 1
        together = pairs[latest].copy()
        together[np.arange(WHITE_BALLS), latest] = 0.0  # a ball is not its own partner
        partners = WHITE_BALLS - white[draw - 1]
        expected = draw * WHITE_BALLS * (WHITE_BALLS - 1) / (WHITE_MAX * (WHITE_MAX - 1))
        weights[0][place] = (together.sum(axis=0) / partners + SMOOTHING) / (expected + SMOOTHING)
        expected = draw * WHITE_BALLS / (WHITE_MAX * POWERBALL_MAX)
        weights[1][place] = (beside[latest].mean(axis=0) + SMOOTHING) / (expected + SMOOTHING)
        if draw < len(history):
            pairs += np.outer(white[draw], white[draw])
            beside += np.outer(white[draw], red[draw])
    return weights


COUNTING = {FREQUENCY: frequencies, COOCCURRENCE: cooccurrences}
