"""How many votes a draw gets, where votes have neither id: seen in small arenas, not invented, and no way to hide."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.fairness.arena.bunches import SUPPOSED, Bunches, is_supposed
from streams.fairness.arena.hashing import hash_words, pair_hashes
from tests.unit.fairness.arena import draw_pairs

Pairs = NDArray[np.int64]
ROWS = 100_000


def drawn(models: int, draws: int, *, seed: int = 1, first: float = 1.0) -> Pairs:
    """int64[draws, 2], models of equal weights but for the first one's."""
    weights = np.ones(models)
    weights[0] = first
    return draw_pairs(np.random.default_rng(seed), weights, draws).astype(np.int64)


def several(pairs: Pairs, votes: int, apart: int, seed: int = 2) -> Pairs:
    """The votes of each draw, somewhere within the next `apart` draws."""
    of = np.repeat(np.arange(len(pairs)), votes)
    when = of + np.random.default_rng(seed).uniform(0, apart, of.size)
    return pairs[of[np.argsort(when, kind="stable")]]


def weighed(pairs: Pairs, bunches: Bunches | None = None, *, notices: int = 0) -> tuple[NDArray[np.float64], Bunches]:
    """Weights of the rows; `notices` is the number of rows between two changes of the policy."""
    bunches = bunches or Bunches()
    names = hash_words([f"m{number}" for number in range(int(pairs.max()) + 1)])
    hashes = pair_hashes(names[pairs[:, 0]], names[pairs[:, 1]])
    turned = names[pairs[:, 0]] > names[pairs[:, 1]]
    weights = np.empty(len(pairs))
    step = notices or len(pairs)
    for at in range(0, len(pairs), step):
        weights[at : at + step], _ = bunches.weigh(hashes[at : at + step], turned[at : at + step])
        if notices:
            bunches.restart()
    return weights, bunches


@pytest.mark.parametrize("models", [2, 3, 5, 10, 20])
def test_before_anything_can_be_compared_three_votes_are_supposed(models: int) -> None:
    weights, _ = weighed(drawn(models, 3_000))
    assert (weights == SUPPOSED).all()


@pytest.mark.parametrize(("models", "first", "least"), [(10, 1.0, 0.7), (10, 3.8, 0.7), (20, 1.0, 1.0), (60, 1.0, 1.0)])
def test_one_vote_a_draw_weighs_one_before_long(models: int, first: float, least: float) -> None:
    weights, bunches = weighed(drawn(models, 200_000, first=first))
    assert weights[-1] >= least
    assert weights[40_000:].min() > 0.6
    assert bunches.weigh(np.zeros(1, np.uint64), np.zeros(1, np.bool_))[1].all()


@pytest.mark.parametrize("models", [2, 3, 5])
def test_in_the_smallest_arenas_it_takes_longer(models: int) -> None:
    weights, _ = weighed(drawn(models, 300_000))
    assert weights[20_000:].min() >= SUPPOSED
    assert weights[-1] > 0.5
    assert not (weights < SUPPOSED).any()


@pytest.mark.parametrize("models", [5, 10, 20])
@pytest.mark.parametrize("apart", [1, 30, 300, 1_000])
def test_three_votes_a_draw_are_seen(models: int, apart: int) -> None:
    weights, _ = weighed(several(drawn(models, ROWS // 3), 3, apart))
    assert not is_supposed(weights[-1])
    assert 2.2 < 1.0 / weights[-1] < 5.0
    assert weights.max() < 0.6


@pytest.mark.parametrize("models", [3, 10])
def test_half_of_the_draws_with_two_votes_never_weigh_one(models: int) -> None:
    pairs = drawn(models, ROWS)
    both = several(pairs[: ROWS // 2], 2, 100)
    mixed = np.concatenate(
        [part for at in range(0, ROWS // 2, 50) for part in (pairs[at : at + 50], both[2 * at : 2 * at + 100])]
    )
    weights, _ = weighed(mixed)
    assert weights.max() < 0.75  # v = 5/3


def test_with_two_models_the_order_of_the_sides_tells() -> None:
    weights, _ = weighed(several(drawn(2, 100_000), 3, 30))
    assert weights.max() < 0.5


def always_left(pairs: Pairs) -> Pairs:
    """Model 0 is always on the left."""
    turn = pairs[:, 1] == 0
    pairs[turn] = pairs[turn, ::-1]
    return pairs


def never_turned(pairs: Pairs) -> Pairs:
    """Each pair has one order for ever."""
    return np.sort(pairs, axis=1)


def turned_by_the_hour(pairs: Pairs) -> Pairs:
    """Each pair has one order for 500 battles, then another."""
    models = int(pairs.max()) + 1
    flips = np.random.default_rng(3).random((len(pairs) // 500 + 1, models, models)) < 0.5
    pairs = np.sort(pairs, axis=1)
    turn = flips[np.arange(len(pairs)) // 500, pairs[:, 0], pairs[:, 1]]
    pairs[turn] = pairs[turn, ::-1]
    return pairs


@pytest.mark.parametrize("trick", [always_left, never_turned, turned_by_the_hour])
def test_an_arena_cannot_hide_behind_the_order_of_its_sides(trick: Callable[[Pairs], Pairs]) -> None:
    weights, _ = weighed(np.concatenate([drawn(10, 60_000), trick(drawn(10, 60_000, seed=4))]))
    assert weights[60_000:].min() > 0.6
    assert is_supposed(weights[60_000:].min())


def test_nor_behind_a_policy_that_nobody_declared() -> None:
    weights, _ = weighed(np.concatenate([drawn(10, 60_000), drawn(10, 60_000, seed=4, first=4.0)]))
    assert weights[60_000:].min() > 0.6


def test_notices_every_six_thousand_votes_leave_the_order_of_the_sides() -> None:
    weights, _ = weighed(drawn(10, 120_000), notices=6_000)
    assert weights[-1] == 1.0
    weights, _ = weighed(several(drawn(10, 40_000), 3, 300), notices=6_000)
    assert 2.2 < 1.0 / weights[-1] < 5.0


def test_bunches_that_begin_late_are_seen_within_a_window_or_two() -> None:
    bunches = Bunches()
    weights, _ = weighed(drawn(20, 200_000), bunches)
    assert weights[-1] == 1.0
    weights, _ = weighed(several(drawn(20, 10_000, seed=5), 3, 300), bunches)
    assert 2.5 < 1.0 / weights[20_000] < 6.0


def test_bunches_that_end_are_forgotten() -> None:
    bunches = Bunches()
    weighed(several(drawn(20, 30_000), 3, 300), bunches)
    weights, _ = weighed(drawn(20, 200_000, seed=5), bunches)
    assert weights[-1] == 1.0
