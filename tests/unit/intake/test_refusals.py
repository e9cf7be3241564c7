"""Too many refused records stop intake; a few do not; a restart forgets nothing."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake.refusals import Refusals, TooManyRefused
from tests.unit.intake.making import seeded

NEVER = 10**9


def observed(refusals, outcomes, cuts=None):
    outcomes = np.array(outcomes, np.bool_)
    for piece in np.split(outcomes, cuts or []):
        refusals.observe(piece)
    return refusals


def stops(refusals):
    try:
        refusals.check()
    except TooManyRefused:
        return True
    return False


def test_nothing_seen_is_no_reason_to_stop():
    assert not stops(Refusals(run=1, ratio=0.0, window=1))


def test_a_run_stops_at_its_limit_and_not_before():
    refusals = observed(Refusals(run=3, ratio=1.0, window=NEVER), [False, True, True])
    assert not stops(refusals)
    with pytest.raises(TooManyRefused, match="last 3 records"):
        observed(refusals, [True]).check()


def test_one_usable_record_ends_a_run():
    assert not stops(observed(Refusals(run=3, ratio=1.0, window=NEVER), [True, True, False, True, True]))


def test_an_empty_fetch_changes_nothing():
    assert stops(observed(Refusals(run=3, ratio=1.0, window=NEVER), [True, True, True], cuts=[0, 1, 1, 3]))


def test_the_share_is_judged_over_the_whole_window_only():
    refusals = observed(Refusals(run=NEVER, ratio=0.5, window=10), [True] * 9)
    assert not stops(refusals)
    with pytest.raises(TooManyRefused, match="100% of the last 10 records"):
        observed(refusals, [True]).check()


def test_the_share_at_the_limit_is_allowed():
    half = [True, False] * 5
    assert not stops(observed(Refusals(run=NEVER, ratio=0.5, window=10), half))
    assert stops(observed(Refusals(run=NEVER, ratio=0.5, window=10), [*half[:-1], True]))


def test_what_left_the_window_is_forgotten():
    refusals = observed(Refusals(run=NEVER, ratio=0.5, window=10), [True] * 10)
    assert stops(refusals)
    assert not stops(observed(refusals, [False] * 5))


def test_a_window_of_nothing_does_not_grow():
    refusals = Refusals(run=NEVER, ratio=0.5, window=0)
    assert not stops(refusals)
    observed(refusals, [True] * 1_000 + [False])
    assert not stops(refusals)
    assert len(refusals._recent) == 1


outcome_lists = st.lists(st.booleans(), max_size=120)


@settings(seeded, max_examples=150)
@given(outcome_lists, st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(1, 30), st.integers(0, 99))
def test_cuts_and_rebuilds_do_not_change_the_verdict(outcomes, run, ratio, window, seed):
    random = Random(seed)
    cuts = sorted(random.randint(0, len(outcomes)) for _ in range(5))
    whole = observed(Refusals(run, ratio, window), outcomes)
    rebuilt = observed(Refusals(run, ratio, window), outcomes[-max(window, run) :])
    assert stops(whole) == stops(observed(Refusals(run, ratio, window), outcomes, cuts)) == stops(rebuilt)


@settings(seeded, max_examples=150)
@given(outcome_lists, st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(1, 30))
def test_the_verdict_is_that_of_the_definition(outcomes, run, ratio, window):
    too_long = len(outcomes) >= run and all(outcomes[-run:])
    recent = outcomes[-window:]
    too_many = len(outcomes) >= window and sum(recent) / window > ratio
    assert stops(observed(Refusals(run, ratio, window), outcomes)) == (too_long or too_many)
