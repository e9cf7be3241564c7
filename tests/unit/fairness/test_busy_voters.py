"""A voter's votes on the same models within half an hour are one exposure, but not those of a bot."""

import dataclasses

import numpy as np

from streams.fairness.arena.draws import BUSY
from streams.fairness.arena.draws import Draws as Memory
from streams.ledger.rows import Rows
from tests.unit.fairness.arena import START, make_rows
from tests.unit.fairness.test_draws import two_models


def test_a_voter_who_does_several_battles_at_a_time_is_recognised_in_each() -> None:
    rows = two_models([1] * 6, "voter", pairs=[[0, 1], [0, 2], [1, 0], [2, 1], [2, 0], [1, 2]])
    assert Memory().follow(rows).first.tolist() == [True, True, False, True, False, False]


def of_a_bot(votes: int, seconds: int) -> Rows:
    """A voter votes wherever the first of 31 models plays."""
    other = np.random.default_rng(4).integers(1, 31, votes)
    rows = make_rows(
        [f"m{number}" for number in range(31)],
        np.stack([np.zeros(votes), other], axis=1),
        np.zeros(votes),
        START + seconds * np.arange(votes),
    )
    return dataclasses.replace(rows, voters=["", "bot"], voter=np.ones(votes, np.int32))


def test_a_busy_voter_hides_no_draws_but_the_first_of_them() -> None:
    again = ~Memory().follow(of_a_bot(3_000, 60)).first
    assert again[:BUSY].any()
    assert not again[3 * BUSY :].any()


def test_a_voter_is_no_longer_busy_after_half_a_day() -> None:
    memory = Memory()
    memory.follow(of_a_bot(200, 60))
    late = two_models([1, 1], "voter", times=[50_000, 50_001])
    late = dataclasses.replace(late, voters=["", "bot"], tstamp=late.tstamp + START)
    assert memory.follow(late).first.tolist() == [True, False]
