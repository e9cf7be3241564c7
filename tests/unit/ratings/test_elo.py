import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.ratings import elo


def fastchat(battles):
    """FastChat's compute_elo, as published."""
    rating = defaultdict(lambda: 1000)
    for model_a, model_b, winner in battles:
        ra, rb = rating[model_a], rating[model_b]
        ea = 1 / (1 + 10 ** ((rb - ra) / 400))
        eb = 1 / (1 + 10 ** ((ra - rb) / 400))
        sa = {"model_a": 1, "model_b": 0}.get(winner, 0.5)
        rating[model_a] += 4 * (sa - ea)
        rating[model_b] += 4 * (1 - sa - eb)
    return rating


@pytest.fixture(scope="module")
def votes() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    random = np.random.default_rng(5)
    a = random.integers(0, 30, 20_000)
    b = (a + random.integers(1, 30, 20_000)) % 30
    return a, b, random.choice([0.0, 0.5, 1.0], 20_000)


def interpreted(
    a: NDArray[np.int64], b: NDArray[np.int64], score: NDArray[np.float64], models: int = 30
) -> list[float]:
    ratings = [elo.START] * models
    elo.play(ratings, a.tolist(), b.tolist(), score.tolist(), elo.K)
    return ratings


def test_compiled_and_interpreted_give_the_same_bits(
    votes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
) -> None:
    ratings = np.full(30, elo.START)
    elo.compiled()(ratings, *votes, elo.K)
    assert ratings.tolist() == interpreted(*votes)


def test_on_real_votes_compiled_and_interpreted_and_fastchat_give_the_same_bits(shared_data: Path) -> None:
    with (shared_data / "arena_33k_votes_in_order.csv").open() as file:
        battles = [(row["model_a"], row["model_b"], row["winner"]) for row in csv.DictReader(file)]
    index = {name: number for number, name in enumerate(sorted({name for battle in battles for name in battle[:2]}))}
    a, b = (np.array([index[battle[side]] for battle in battles]) for side in (0, 1))
    score = np.array([{"model_a": 1.0, "model_b": 0.0}.get(winner, 0.5) for *_, winner in battles])
    ratings = np.full(len(index), elo.START)
    elo.compiled()(ratings, a, b, score, elo.K)
    theirs = fastchat(battles)
    assert ratings.tolist() == interpreted(a, b, score, len(index)) == [theirs[name] for name in index]


def test_votes_may_come_in_parts(votes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]) -> None:
    whole, parts = np.full(30, elo.START), np.full(30, elo.START)
    elo.compiled()(whole, *votes, elo.K)
    for part in np.split(np.arange(20_000), [1, 777, 15_000]):
        elo.compiled()(parts, *(column[part] for column in votes), elo.K)
    assert np.array_equal(whole, parts)


def test_points_are_neither_made_nor_lost(
    votes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
) -> None:
    assert sum(interpreted(*votes)) == pytest.approx(30 * elo.START, abs=1e-6)


def test_a_draw_between_equals_moves_nobody() -> None:
    ratings = [1000.0, 1000.0]
    elo.play(ratings, [0], [1], [0.5])
    assert ratings == [1000.0, 1000.0]


def test_the_order_of_the_votes_matters(
    votes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
) -> None:
    backwards = interpreted(*(column[::-1] for column in votes))
    assert np.abs(np.array(backwards) - interpreted(*votes)).max() > 1


def test_no_votes_change_nothing() -> None:
    ratings = np.array([1234.5])
    elo.compiled()(ratings, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), elo.K)
    assert ratings.tolist() == [1234.5]


def test_importing_elo_does_not_import_numba() -> None:
    code = "import sys, streams.ratings.elo; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
