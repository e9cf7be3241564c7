"""Samples are taken at exact places of the ledger, are bounded, and equal the board at that place."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.history import DAY, HOUR, MINUTE, TIERS
from streams.contracts.history_wire import decode_ratings
from streams.contracts.vote import Vote
from streams.ratings import history as sampling
from streams.ratings.fold import ArenaState
from streams.ratings.history import RatingsHistory
from streams.ratings.newton import NotConverged, Stop
from streams.ratings.publish import make_board
from streams.ratings.snapshot import Snapshots, decode_state, encode_history
from tests.unit.folds.making import everything
from tests.unit.history.making import (
    DAY_SECONDS,
    MONDAY,
    battle,
    blocks,
    live,
    play,
    start,
)
from tests.unit.intake.making import seeded

# A clock that jumps, stands still and runs back, by steps from seconds to years, and arrivals that do as they like.
jumps = st.sampled_from([-3e8, -86_400.0, -1.0, 0.0, 0.5, 1.0, 250.0, 3_600.0, 86_400.0, 4e7, 1e15])
steps = st.tuples(
    st.sampled_from("xyzw"), st.sampled_from("pqr"), st.sampled_from(["model_a", "model_b", "tie", "none"]), jumps,
    st.sampled_from([0, 1, 200, 160_000, 2_000_000, 50_000_000, -5_000]),
)  # fmt: skip


def battles_of(chosen) -> list[tuple[Vote, int]]:
    found, clock, recorded = [], float(MONDAY), MONDAY * 1000
    for a, b, winner, jump, wait in chosen:
        clock, recorded = min(max(0.0, clock + jump), 1e300), recorded + wait
        found.append(battle(a, b, winner, clock, recorded))
    return found


def expected(battles):
    """The samples by tier as (t, battles counted), one vote after the other."""
    found = {tier: [] for tier in TIERS}
    clock, newest, models = 0.0, 0, set()
    latest = dict.fromkeys(TIERS, battles[0][1] if battles else 0)
    for counted, (vote, recorded) in enumerate(battles):
        to = min(max(clock, vote.tstamp), 2.0**40)
        crossed = [tier for tier in TIERS if to // tier.seconds > clock // tier.seconds]
        if counted and crossed:
            due = [tier for tier in crossed if newest >= latest[tier] + tier.seconds * 500]
            day = [total for _, total in found[DAY][-1:]] or [0]
            if DAY in crossed and counted - day[0] >= len(models):
                due.append(DAY)
            for tier in crossed:
                if due and tier.seconds <= max(each.seconds for each in due):
                    end = (int(clock // tier.seconds) + 1) * tier.seconds
                    found[tier].append((end, counted))
                    found[tier] = [each for each in found[tier] if each[0] > end - tier.keep * tier.seconds]
                    latest[tier] = newest
        clock, newest = to, max(newest, recorded)
        models |= {vote.model_a, vote.model_b}
    return found


def taken(state: ArenaState):
    return {tier: [(each.t, each.total) for each in samples] for tier, samples in state.history.samples.items()}


# --- where samples stand ----------------------------------------------------------------------------------------------


@settings(seeded, max_examples=120)
@given(st.lists(steps, max_size=40))
def test_samples_are_those_that_one_vote_after_the_other_would_make(chosen) -> None:
    battles = battles_of(chosen)
    assert taken(play(start(), blocks(battles))) == expected(battles)


@settings(seeded, max_examples=80)
@given(st.lists(steps, max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_where_blocks_are_cut_does_not_matter(chosen, cuts) -> None:
    battles = battles_of(chosen)
    whole, cut = play(start(), blocks(battles)), play(start(), blocks(battles, cuts))
    cut.position = whole.position
    assert everything(cut) == everything(whole)


@settings(seeded, max_examples=60)
@given(st.lists(steps, min_size=1, max_size=40), st.integers(1, 39))
def test_a_restored_history_goes_on_as_the_original_would(chosen, at: int) -> None:
    records = blocks(battles_of(chosen), [at])
    state = play(start(), records[:1])
    restored = decode_state(Snapshots().encode(state, ()))
    assert everything(restored) == everything(state)
    assert everything(play(restored, records[1:])) == everything(play(state, records[1:]))


def test_rows_that_come_twice_are_sampled_once() -> None:
    battles = live(1.2, 400)
    state = play(start(), blocks(battles, [100, 300]))
    before = encode_history(state)
    assert encode_history(play(state, blocks(battles, [500]))) == before


# --- how many there are -----------------------------------------------------------------------------------------------


def year():
    """More than a year as it comes in, busier in its last days."""
    quiet = DAY.keep + 14
    battles = live(quiet, 12) + live(16, 600, begin=MONDAY + quiet * DAY_SECONDS + 7)
    return battles, MONDAY + (quiet + 15) * DAY_SECONDS


def test_a_year_caught_up_with_has_a_sample_a_day_and_of_late_one_each_hour_and_five_minutes() -> None:
    battles, last = year()
    state = play(start(), blocks(battles, range(0, 20_000, 500)), now=battles[-1][1] / 1000)
    assert [each.t for each in state.history.samples[DAY]] == [
        last - n * DAY_SECONDS for n in reversed(range(DAY.keep))
    ]
    for tier in (HOUR, MINUTE):
        times = [each.t for each in state.history.samples[tier]]
        assert tier.keep - 1 <= len(times) <= tier.keep
        assert set(np.diff(times)) == {tier.seconds}


def test_catching_up_solves_no_more_boards_than_are_kept_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    battles = live(3, 600)
    state = play(start(), blocks(battles))
    solved, solve = [], sampling.solve_met
    monkeypatch.setattr(sampling, "solve_met", lambda *given, **named: solved.append(1) or solve(*given, **named))
    again = play(start(), blocks(battles, range(0, 1_800, 130)), now=battles[-1][1] / 1000)
    assert 2 + MINUTE.keep - 2 <= len(solved) <= 2 + 3 * 24 + MINUTE.keep
    assert encode_history(again) == encode_history(state)


def test_a_refold_takes_days_only_and_the_finer_tiers_begin_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    battles = live(3, 600)
    state = play(start(), blocks(battles))
    solved, solve = [], sampling.solve_met
    monkeypatch.setattr(sampling, "solve_met", lambda *given, **named: solved.append(1) or solve(*given, **named))
    again = play(start(), blocks(battles, [500, 1_700]), now=math.inf)
    assert len(solved) == len(again.history.samples[DAY]) == 2
    assert encode_history(again)["day"] == encode_history(state)["day"]
    assert [each.t for each in again.history.samples[HOUR]] == [each.t for each in again.history.samples[DAY]]


def test_what_catching_up_late_leaves_out_of_the_finer_tiers_changes_nothing_in_what_is_there() -> None:
    battles = live(3, 600)
    state, again = play(start(), blocks(battles)), play(start(), blocks(battles), now=battles[-1][1] / 1000 + 50_000)
    assert encode_history(again)["day"] == encode_history(state)["day"]
    kept = {(tier, each.t): each for tier in TIERS for each in state.history.samples[tier]}
    found = {(tier, each.t): each for tier in TIERS for each in again.history.samples[tier]}
    assert 100 < len(again.history.samples[MINUTE]) < MINUTE.keep - 100
    for place in kept.keys() & found.keys():
        assert kept[place].rating.tobytes() == found[place].rating.tobytes()
        assert (kept[place].total, kept[place].recorded) == (found[place].total, found[place].recorded)


def test_a_replay_of_a_year_in_a_second_has_its_days_and_finer_samples_only_where_a_day_ends() -> None:
    battles = [(vote, 5_000 + number // 100) for number, (vote, _) in enumerate(live(365, 12))]
    state = play(start(), blocks(battles))
    days = state.history.samples[DAY]
    assert len(days) == 364
    assert {each.total for each in days} >= {each.total for each in state.history.samples[MINUTE]}


def test_a_clock_that_jumps_a_day_with_every_vote_takes_a_sample_once_in_as_many_votes_as_there_are_models() -> None:
    battles = [battle("x", f"m{n % 29}", "tie", 86_400.0 * n, 1_000) for n in range(3_000)]
    state = play(start(), blocks(battles))
    totals = [each.total for each in state.history.samples[DAY]]
    assert min(np.diff(totals)) == 30
    assert len(totals) <= DAY.keep


@settings(seeded, max_examples=60)
@given(st.lists(steps, max_size=60))
def test_whatever_the_clocks_do_times_rise_and_tiers_are_bounded(chosen) -> None:
    state = play(start(), blocks(battles_of(chosen)))
    for tier, samples in state.history.samples.items():
        times = [each.t for each in samples]
        assert all(earlier < later for earlier, later in itertools.pairwise(times))
        assert all(each % tier.seconds == 0 for each in times)
        assert len(times) <= tier.keep
        assert not times or times[-1] - times[0] < tier.keep * tier.seconds


def test_a_history_of_a_year_is_of_the_size_that_is_written_down() -> None:
    history, random = RatingsHistory(), np.random.default_rng(1)
    models = 50
    for tier in TIERS:
        for step in range(tier.keep):
            values = random.normal(1000, 50, models).astype(np.float32)
            taken = sampling.Sample(step * tier.seconds, step, step, values, values, np.full(models, 2**31))
            history._add(tier, taken)
    names = [f"model-{number}" for number in range(models)]
    for tier in TIERS:
        size = len(history.encode("text", names)[tier.name])
        assert size < tier.keep * (12 * models + 30) + 30 * models


# --- what they say ----------------------------------------------------------------------------------------------------


def test_a_sample_says_what_the_board_said_before_the_first_vote_of_the_new_day() -> None:
    battles = live(2.5, 900)
    until = next(at for at, (vote, _) in enumerate(battles) if vote.tstamp >= MONDAY + 2 * DAY_SECONDS)
    state, then = play(start(), blocks(battles)), play(start(), blocks(battles[:until]))
    tier = decode_ratings(encode_history(state)["day"])
    board = make_board(then, "overall")[0]
    assert tier.t == [MONDAY + DAY_SECONDS, MONDAY + 2 * DAY_SECONDS]
    assert tier.total[1] == board.battles == until
    assert tier.recorded[1] == battles[until - 1][1]
    at = tier.known[0]
    for line in board.models:
        place = at + tier.models.index(line.model)
        assert tier.rating.array()[place] == pytest.approx(line.rating, abs=1e-3)
        assert tier.half_width.array()[place] == pytest.approx(line.upper - line.rating, abs=1e-3)
        assert tier.battles.array()[place] == line.battles


def test_a_provisional_model_has_a_rating_and_no_interval() -> None:
    battles = [*live(0.5, 900), *[battle("new", f"m{n}", "model_a", MONDAY + 50_000, MONDAY * 1000) for n in range(4)]]
    state = play(start(), blocks([*battles, battle("m0", "m1", "tie", MONDAY + DAY_SECONDS, MONDAY * 1000)]))
    (sample,) = state.history.samples[DAY]
    assert np.isnan(sample.half_width[6])
    assert np.isfinite(sample.rating).all()
    assert np.isfinite(sample.half_width[:6]).all()


def test_a_board_without_a_maximum_is_sampled_without_ratings(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: Any) -> None:
        raise NotConverged(Stop.LIMIT)

    monkeypatch.setattr(sampling, "solve_met", fail)
    state = play(start(), blocks(live(1.5, 100)))
    (sample,) = state.history.samples[DAY]
    assert np.isnan(sample.rating).all()
    assert sample.battles.sum() == 2 * sample.total


def test_quiet_days_leave_no_sample_and_the_day_before_them_is_closed_at_its_own_end() -> None:
    battles = live(1, 200) + live(1, 200, begin=MONDAY + 9 * DAY_SECONDS)
    state = play(start(), blocks(battles))
    assert [each.t for each in state.history.samples[DAY]] == [MONDAY + DAY_SECONDS]
    last = battles[199][0].tstamp
    hours = [each.t for each in state.history.samples[HOUR]]
    assert (last // HOUR.seconds + 1) * HOUR.seconds in hours
