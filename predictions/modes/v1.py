"""`v1`: a mixture of six simple strategies whose shares adapt to past draws."""

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
    measure_skill,
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
SMOOTHING = 20.0  # pseudo-count added to observed and expected counts
CUTS = (23, 46)  # last balls of the first two ranges
BALANCED_SHARE = 0.5
SHARPENING = 2.0  # exponent applied to v2's weights


class V1(Mode):
    """Two strategies count balls, one sharpens v2's prediction, and three have fixed distributions.

    The strengths of the counting strategies are tuned on older draws. The shares start equal and are updated
    by each held-out draw. Without a prediction of v2, `ai_guided` is left out and its share does not change.
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
        """See `Mode.fit`. Pass `v2_walk` if v2 has already been fitted; the skill is always measured."""
        self.check_enough(history)
        newest = held_out(history)
        older = range(newest.start - HELD_OUT, newest.start)
        self.strengths_ = {
            strategy: best_strength(strategy, weigh(history, older), history, older)
            for strategy, weigh in COUNTING_STRATEGIES.items()
        }
        if v2_walk is None:
            v2_walk = _fit_v2(history, seed)
        dependencies = {} if v2_walk is None else {V2.name: v2_walk}
        self.shares_ = equal_shares(STRATEGIES)
        walk = list(self._walk(history, newest, dependencies))
        self.walk_ = [mixture for mixture, _ in walk]
        self.shares_ = walk[-1][1]
        self.skill_ = measure_skill(self.walk_, history)
        return self

    def predict_many(
        self, history: History, draws: range, dependencies: DependencyPredictions
    ) -> list[Mixture]:
        return [mixture for mixture, _ in self._walk(history, draws, dependencies)]

    def _walk(
        self, history: History, draws: range, dependencies: DependencyPredictions
    ) -> Iterator[tuple[Mixture, dict[str, float]]]:
        """Yield the mixture of each draw, made before it, and the shares after the draw."""
        shares = self.shares_
        raw = {strategy: weigh(history, draws) for strategy, weigh in COUNTING_STRATEGIES.items()}
        for index, draw in enumerate(draws):
            components = _fixed_components()
            for strategy, (white, red) in raw.items():
                strength = self.strengths_[strategy]
                components[strategy] = shrink_component(strategy, white[index], red[index], strength)
            if V2.name in dependencies:
                components[AI] = _sharpen(dependencies[V2.name][index])
            mixture = with_shares([components[name] for name in STRATEGIES if name in components], shares)
            if draw < len(history):
                white_balls, powerball = history.numbers(draw)
                shares = fixed_share_update(shares, log_likelihoods(components, white_balls, powerball))
            yield mixture, shares

    def note(self, available: Sequence[str]) -> str:
        return "" if V2.name in available else f"{AI} is left out: v2 has no prediction for this draw"

    def save(self, path: Path) -> None:
        write_state(path, self, strengths=self.strengths_, shares=self.shares_)

    @classmethod
    def load(cls, path: Path) -> Self:
        state = read_state(path)
        mode = cls.from_state(path, state)
        try:
            mode.strengths_ = {
                strategy: float(state["strengths"][strategy]) for strategy in COUNTING_STRATEGIES
            }
            mode.shares_ = {strategy: float(state["shares"][strategy]) for strategy in STRATEGIES}
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a saved model of v1: {error!r}") from error
        return mode


def _fit_v2(history: History, seed: int) -> list[Mixture] | None:
    """Return v2's out-of-sample predictions of the held-out draws, or None if XGBoost is not installed."""
    try:
        return V2().fit(history, seed).walk_
    except ImportError:
        return None


def with_shares(components: Sequence[Component], shares: Mapping[str, float]) -> Mixture:
    """Return the components with these shares, normalized over the strategies that are present."""
    total = sum(shares[component.strategy] for component in components)
    return [replace(component, share=shares[component.strategy] / total) for component in components]


def log_likelihoods(
    components: Mapping[str, Component], white_balls: Sequence[int], powerball: int
) -> dict[str, float]:
    """Return the joint log-likelihood of a draw, in nats, under each strategy's component."""
    return {
        strategy: log_likelihood(component, white_balls, powerball)
        for strategy, component in components.items()
    }


def _fixed_components() -> dict[str, Component]:
    ranges = Strata(CUTS, balanced_table(CUTS, BALANCED_SHARE))
    return {
        RANGES: replace(uniform_component(RANGES), strata=ranges),
        RANDOM: uniform_component(RANDOM),
        COVERAGE: replace(uniform_component(COVERAGE), dealt=True),
    }


def _sharpen(mixture: Mixture) -> Component:
    """Return v2's component with its deviations from uniform amplified."""
    (component,) = mixture
    return shrink_component(AI, component.white, component.powerball, SHARPENING)


# Raw weights of the counting strategies, computed from the draws before each draw


def frequency_weights(history: History, draws: range) -> RawWeights:
    """Return smoothed ratios of observed to expected draws of each ball: (draws, 69) and (draws, 26)."""
    return (
        _smoothed_ratios(history.white_hits(), draws, WHITE_BALLS / WHITE_MAX),
        _smoothed_ratios(history.powerball_hits(), draws, 1 / POWERBALL_MAX),
    )


def _smoothed_ratios(hits: NDArray[np.float64], draws: range, rate: float) -> NDArray[np.float64]:
    counts = np.vstack([np.zeros(hits.shape[1]), np.cumsum(hits, axis=0)])  # row t counts draws before t
    expected = rate * np.array(draws)[:, None]
    return (counts[draws.start : draws.stop] + SMOOTHING) / (expected + SMOOTHING)


def cooccurrence_weights(history: History, draws: range) -> RawWeights:
    """Return smoothed ratios of observed to expected joint draws with the balls of the latest draw.

    Shapes (draws, 69) and (draws, 26).
    """
    white, red = history.white_hits(), history.powerball_hits()
    past = history.before(draws.start)
    pairs = past.white_hits().T @ past.white_hits()  # [a, b]: earlier draws with both
    red_pairs = past.white_hits().T @ past.powerball_hits()  # [a, r]: with white a and Powerball r
    weights = np.empty((len(draws), WHITE_MAX)), np.empty((len(draws), POWERBALL_MAX))
    for index, draw in enumerate(draws):
        latest = history.white[draw - 1] - 1
        together = pairs[latest].copy()
        together[np.arange(WHITE_BALLS), latest] = 0.0  # a ball does not pair with itself
        partners = WHITE_BALLS - white[draw - 1]
        expected = draw * WHITE_BALLS * (WHITE_BALLS - 1) / (WHITE_MAX * (WHITE_MAX - 1))
        weights[0][index] = (together.sum(axis=0) / partners + SMOOTHING) / (expected + SMOOTHING)
        expected = draw * WHITE_BALLS / (WHITE_MAX * POWERBALL_MAX)
        weights[1][index] = (red_pairs[latest].mean(axis=0) + SMOOTHING) / (expected + SMOOTHING)
        if draw < len(history):
            pairs += np.outer(white[draw], white[draw])
            red_pairs += np.outer(white[draw], red[draw])
    return weights


COUNTING_STRATEGIES = {FREQUENCY: frequency_weights, COOCCURRENCE: cooccurrence_weights}
