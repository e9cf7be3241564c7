"""The votes of a chaos run can be recognised, and its faults are drawn as the plan says."""

import random
from collections import Counter

import pytest

from tests.crash.chaos import Plan
from tests.crash.faults import CATALOGUE
from tests.crash.workload import ARENAS, SHUNNED, Votes


def make(seed: int = 1) -> Votes:
    return Votes("g", seed, 2_050, shun_every=500, start=1_000.0)


def test_the_same_votes_come_whenever_and_however_they_are_asked_for() -> None:
    every = list(make())
    assert len(every) == len({vote["id"] for vote in every}) == 2_050
    assert make()[300:400] == every[300:400]
    assert make()[2_000:2_100] == every[2_000:]
    assert make()[777] == every[777]
    assert list(make(seed=2)) != every
    assert {vote["arena"] for vote in every} == set(ARENAS)


def test_a_model_leaves_and_comes_back() -> None:
    seen = Counter(number // 500 for number, vote in enumerate(make()) if SHUNNED in (vote["model_a"], vote["model_b"]))
    assert set(seen) == {0, 2, 4}


def test_every_kind_is_drawn_before_any_comes_again() -> None:
    possible = list(CATALOGUE.values())
    drawn = Plan(votes=1, faults=2 * len(possible), seed=1).draw(possible, random.Random(1))
    assert set(Counter(drawn[: len(possible)]).values()) == {1}
    assert set(Counter(drawn).values()) == {2}


def test_one_kind_runs_alone_by_its_name() -> None:
    plan = Plan(votes=1, faults=3, seed=1, kinds=("kill_intake",))
    assert [each.name for each in plan.draw(list(CATALOGUE.values()), random.Random(1))] == ["kill_intake"] * 3


def test_a_kind_that_is_not_known_or_not_possible_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="no such fault: earthquake; there are"):
        Plan(1, 1, 1, ("earthquake",)).draw([], random.Random(1))
    with pytest.raises(ValueError, match="none of these faults is possible"):
        Plan(1, 1, 1, ("two_away",)).draw([], random.Random(1))
