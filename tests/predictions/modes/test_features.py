"""Features depend on the past of each ball and not on the draw to predict."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from predictions.draws import feeds
from predictions.draws.bundled import BUNDLED_FILES
from predictions.modes.features import FEATURE_NAMES, WINDOWS, History, ball_features, training_set
from predictions.powerball import CURRENT_ERA

Hits = Callable[[History], np.ndarray]
BOTH_KINDS = pytest.mark.parametrize(
    "hits", [History.white_hits, History.powerball_hits], ids=["white", "powerball"]
)


@pytest.fixture(scope="module")
def history() -> History:
    """The 1,288 real draws of the 69/26 era."""
    rows = feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled")
    draws = [row.draw for row in rows if row.draw and row.draw.draw_date >= CURRENT_ERA.since]
    return History(
        np.array([draw.white_balls for draw in draws]), np.array([draw.powerball for draw in draws])
    )


def changed_from(history: History, draw: int) -> History:
    """Return the same history with entirely different balls from `draw` on."""
    white, powerball = history.white.copy(), history.powerball.copy()
    white[draw:] = np.sort((white[draw:] + 34) % 69 + 1, axis=1)
    powerball[draw:] = (powerball[draw:] + 12) % 26 + 1
    return History(white, powerball)


@BOTH_KINDS
@pytest.mark.parametrize("draw", [0, 1, 50, 100, 700, 1287])
def test_no_feature_depends_on_its_draw_or_later_ones(history: History, hits: Hits, draw: int) -> None:
    before, after = ball_features(hits(history)), ball_features(hits(changed_from(history, draw)))
    assert (hits(history)[draw] != hits(changed_from(history, draw))[draw]).any()
    np.testing.assert_array_equal(after[: draw + 1], before[: draw + 1])
    assert (after[draw + 1] != before[draw + 1]).any()


@BOTH_KINDS
@pytest.mark.parametrize("draw", [0, 1, 99, 100, 1288])
def test_the_features_before_a_draw_are_those_of_the_history_that_ends_there(
    history: History, hits: Hits, draw: int
) -> None:
    whole = ball_features(hits(history))
    np.testing.assert_array_equal(ball_features(hits(history.before(draw)))[-1], whole[draw])


# Slow reference implementations of each feature, for ball `b` before draw `t`.


def slow_rate(drawn: list[set[int]], t: int, b: int, window: int) -> float:
    past = drawn[max(0, t - window) : t]
    return sum(b in balls for balls in past) / len(past) if past else 0.0


def slow_gap(drawn: list[set[int]], t: int, b: int) -> float:
    return next((float(back) for back in range(1, min(t, 100) + 1) if b in drawn[t - back]), 100.0)


def slow_succession(drawn: list[set[int]], t: int, b: int) -> float:
    if t == 0:
        return 0.0
    followers = [
        follower
        for earlier, later in pairwise(drawn[:t])
        for _ in earlier & drawn[t - 1]
        for follower in later
    ]
    return followers.count(b) / len(followers) if followers else 0.0


SLOW: dict[str, Callable[[list[set[int]], int, int], float]] = {
    **{f"rate_{window}": lambda drawn, t, b, w=window: slow_rate(drawn, t, b, w) for window in WINDOWS},
    "rate_all": lambda drawn, t, b: slow_rate(drawn, t, b, t),
    "gap": slow_gap,
    "succession": slow_succession,
}


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_features_match_their_definitions(history: History, name: str) -> None:
    drawn = [set(balls) for balls in history.white[:130].tolist()]
    fast = ball_features(history.before(130).white_hits())[:, :, FEATURE_NAMES.index(name)]
    for t in (0, 1, 2, 3, 9, 10, 11, 31, 99, 100, 101, 129, 130):
        slow = [SLOW[name](drawn, t, ball) for ball in range(1, 70)]
        np.testing.assert_allclose(fast[t], slow, rtol=1e-6, err_msg=f"{name} before draw {t}")


def test_a_gap_counts_draws_since_the_ball_was_last_seen_up_to_a_hundred() -> None:
    hits = np.zeros((151, 2))
    hits[[0, 3], 0] = 1
    gaps = ball_features(hits)[:, 0, FEATURE_NAMES.index("gap")].tolist()
    assert gaps[:7] == [100, 1, 2, 3, 1, 2, 3]
    assert gaps[102:106] == [99, 100, 100, 100]
    assert set(ball_features(hits)[:, 1, FEATURE_NAMES.index("gap")]) == {100}  # never seen


def test_a_rate_is_a_share_of_the_draws_there_are_when_there_are_fewer_than_its_window() -> None:
    hits = np.zeros((12, 1))
    hits[[0, 1], 0] = 1
    rates = ball_features(hits)[:, 0, FEATURE_NAMES.index("rate_10")]
    assert rates == pytest.approx([0, 1, 1, 2 / 3, 1 / 2, 2 / 5, 1 / 3, 2 / 7, 1 / 4, 2 / 9, 0.2, 0.1, 0])


def test_there_is_a_row_for_every_draw_and_one_for_the_next(history: History) -> None:
    assert ball_features(history.white_hits()).shape == (1289, 69, len(FEATURE_NAMES))
    assert ball_features(history.before(0).white_hits()).shape == (1, 69, len(FEATURE_NAMES))


def test_hits_and_labels_say_which_balls_were_drawn(history: History) -> None:
    hits = history.white_hits()
    assert (np.flatnonzero(hits[5]) + 1).tolist() == history.white[5].tolist()
    assert (history.powerball_hits().argmax(axis=1) + 1 == history.powerball).all()
    rows, drawn = training_set(hits)
    np.testing.assert_array_equal(rows.reshape(1188, 69, -1), ball_features(hits)[100:-1])
    assert (np.flatnonzero(drawn.reshape(1188, 69)[1]) + 1).tolist() == history.white[101].tolist()


def test_history_with_mismatched_arrays_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"white balls of shape \(3, 5\) for 2 draws"):
        History(np.ones((3, 5), dtype=np.int64), np.ones(2, dtype=np.int64))
