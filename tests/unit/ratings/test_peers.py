"""Agreement with evalica and choix, both run to convergence: their defaults stop 1.6e-3 points short."""

from collections.abc import Callable

import choix
import evalica
import numpy as np
import pytest

from streams.ratings.davidson import fit
from streams.ratings.leaderboard import solve
from streams.ratings.pairs import POINTS_PER_LOGIT, half_wins
from tests.unit.ratings.conftest import Arena

TIGHT = {"tolerance": 1e-13, "limit": 100_000}


def as_rows(arena: Arena):
    """One weighted row per pair and outcome."""
    won, drew = np.argwhere(arena.wins), np.argwhere(np.triu(arena.draws))
    weights = np.concatenate([arena.wins[tuple(won.T)], np.triu(arena.draws)[tuple(drew.T)]])
    pairs = np.vstack([won, drew])
    winners = [evalica.Winner.X] * len(won) + [evalica.Winner.Draw] * len(drew)
    names = np.array(arena.models)
    return names[pairs[:, 0]].tolist(), names[pairs[:, 1]].tolist(), winners, weights.astype(float).tolist()


def as_points(scores, models: tuple[str, ...]):
    theta = np.log(scores[list(models)].to_numpy())
    return 1000 + POINTS_PER_LOGIT * (theta - theta.mean())


def assert_agrees(arena: Arena) -> None:
    xs, ys, winners, weights = as_rows(arena)
    board = solve(*arena.counts, davidson=True)
    theirs = evalica.bradley_terry(xs, ys, winners, weights=weights, **TIGHT)
    assert theirs.iterations < theirs.limit
    np.testing.assert_allclose(board.rating, as_points(theirs.scores, arena.models), rtol=0, atol=1e-6)
    theirs = evalica.newman(xs, ys, winners, weights=weights, **TIGHT)
    assert theirs.iterations < theirs.limit
    np.testing.assert_allclose(board.davidson, as_points(theirs.scores, arena.models), rtol=0, atol=1e-6)
    theirs = choix.ilsr_pairwise_dense(half_wins(arena.wins, arena.draws), tol=1e-10)
    np.testing.assert_allclose(board.rating, 1000 + POINTS_PER_LOGIT * theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_synthetic_arenas_are_rated_as_evalica_and_choix_rate_them(arena: Callable[..., Arena], seed: int) -> None:
    assert_agrees(arena(25, 40, seed))


def test_the_real_arena_is_rated_as_evalica_and_choix_rate_it(chatbot_arena: Arena) -> None:
    assert_agrees(chatbot_arena)


def test_newmans_tie_parameter_is_half_of_davidsons(arena: Callable[..., Arena]) -> None:
    some = arena(15, 50)
    xs, ys, winners, weights = as_rows(some)
    assert fit(some.wins, some.draws).tie == pytest.approx(
        2 * evalica.newman(xs, ys, winners, weights=weights, **TIGHT).v, rel=1e-9
    )


def test_the_real_arena_has_the_published_order_on_top(chatbot_arena: Arena) -> None:
    board = solve(*chatbot_arena.counts)
    top = [chatbot_arena.models[index] for index in np.argsort(-board.rating)[:5]]
    assert top == [
        "chatgpt-4o-latest",
        "gemini-1.5-pro-exp-0801",
        "gpt-4o-2024-05-13",
        "gpt-4o-mini-2024-07-18",
        "claude-3-5-sonnet-20240620",
    ]
    assert board.components == 1
    assert not board.provisional.any()
