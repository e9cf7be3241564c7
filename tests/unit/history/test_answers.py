"""What readers are given: made from the bytes alone, and honest about what is not there."""

import json
from functools import cache
from random import Random

import msgspec
import numpy as np
import pytest

from streams.contracts.alert import Subject
from streams.contracts.history import (
    EVIDENCE,
    PARTS,
    TIERS,
    InvalidHistory,
    arena_history,
    model_history,
    subject_evidence,
)
from streams.contracts.history_wire import decode_evidence
from streams.contracts.vote import Vote
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import encode_history as encode_evidence
from streams.fairness.view import fairness_view
from streams.ratings.fold import ArenaState
from streams.ratings.history import take_sample
from streams.ratings.settings import RatingsSettings
from streams.ratings.snapshot import encode_history
from tests.support.boards import set_shown, shown
from tests.unit.fairness.arena import Ledger
from tests.unit.fairness.test_fold import LEDGER
from tests.unit.history.making import DAY_SECONDS, MONDAY, battle, blocks, live, play, start

BATTLES: list[tuple[Vote, int]] = [
    *live(2, 300),
    *live(1, 300, models=7, begin=MONDAY + 2 * DAY_SECONDS + 7),
    battle("m0", "new", "model_b", MONDAY + 3 * DAY_SECONDS - 60, (MONDAY + 3 * DAY_SECONDS) * 1000),
    battle("m0", "m1", "tie", MONDAY + 3 * DAY_SECONDS + 60, (MONDAY + 3 * DAY_SECONDS + 60) * 1000),
]


@cache
def state() -> ArenaState:
    """The fold of the battles."""
    return play(start(), blocks(BATTLES))


@cache
def ratings() -> dict[str, bytes]:
    """Parts of the history as they are stored."""
    return encode_history(state())


@cache
def everything() -> dict[str, bytes]:
    """The evidence beside the ratings."""
    return {**ratings(), EVIDENCE: encode_evidence(LEDGER.state)}


def test_a_model_s_shares_are_of_the_battles_of_each_step() -> None:
    day = model_history("m2", ratings()).tiers["day"]
    assert day.t == [MONDAY + n * DAY_SECONDS for n in (1, 2, 3)]
    of_day = [
        [vote for vote, _ in BATTLES if MONDAY + n * DAY_SECONDS <= vote.tstamp < MONDAY + (n + 1) * DAY_SECONDS]
        for n in range(3)
    ]
    mine = [sum("m2" in (vote.model_a, vote.model_b) for vote in votes) for votes in of_day]
    assert day.battles == np.cumsum(mine).tolist()
    assert day.share == [None, *(pytest.approx(mine[n] / len(of_day[n]), abs=1e-6) for n in (1, 2))]
    assert all(lower < rating < upper for lower, rating, upper in zip(day.lower, day.rating, day.upper, strict=True))


def test_a_model_that_came_later_begins_where_it_came_with_the_share_of_that_step() -> None:
    day = model_history("m6", ratings()).tiers["day"]
    assert day.t == [MONDAY + 3 * DAY_SECONDS]
    assert day.share == [pytest.approx(day.battles[0] / 301, abs=1e-6)]


def test_a_provisional_model_has_no_interval_and_is_not_among_the_first() -> None:
    day = model_history("new", ratings()).tiers["day"]
    assert (day.lower, day.upper) == ([None], [None])
    assert day.rating[0] is not None
    first = arena_history("text", ratings()).tiers["day"].models
    assert "new" not in [each.model for each in first]
    newest = [each.rating[-1] for each in first]
    assert None not in newest
    assert newest == sorted(newest, key=lambda each: each or 0.0, reverse=True)
    assert len(first) == 7


def test_an_arena_s_curves_stand_at_the_times_of_their_tier() -> None:
    history = arena_history("text", ratings(), models=["m6", "m0", "nobody"])
    for tier in history.tiers.values():
        assert {len(each.rating) for each in tier.models} == {len(tier.t)} == {len(tier.battles)}
    day = {each.model: each.rating for each in history.tiers["day"].models}
    assert day["m6"][:2] == [None, None]
    assert day["nobody"] == [None, None, None]
    assert len(arena_history("text", ratings(), top=3).tiers["hour"].models) == 3


def test_other_boards_have_no_history_and_strangers_none_at_all() -> None:
    assert model_history("m0", everything(), board="language:en").tiers == {}
    assert arena_history("text", everything(), board="language:en").tiers == {}
    assert model_history("stranger to all", everything()) is None
    assert model_history("m0", {}) is None
    empty = arena_history("text", dict.fromkeys(PARTS))
    assert (empty.tiers, empty.evidence.t, empty.alerts) == ({}, [], [])


def test_evidence_is_that_of_the_view_and_its_alerts_are_the_subject_s() -> None:
    view = fairness_view(LEDGER.state)
    (line,) = (each for each in view.models if each.model == "model-03")
    history = model_history("model-03", everything())
    curve = history.evidence
    assert {len(part) for part in (curve.t, curve.battles, curve.log10_e, curve.log10_e_removal, curve.share)} == {
        LEDGER.rows // 1_000
    }
    assert max(curve.log10_e_removal) > curve.page == view.levels.log10_page
    assert curve.page_then[-1] == curve.page
    assert {each.kind for each in history.alerts} >= {"silent_removal"}
    assert {each.subject for each in history.alerts} == {Subject(model="model-03")}
    assert line.battles >= sum(
        share * 1_000 for share in curve.share if share is not None
    )  # the first review's share is not known
    evidence = arena_history("text", everything()).evidence
    assert evidence.subjects[0].subject in LEDGER.state.scene.facts.roster.subjects
    largest = [
        max(each for each in (*curve.log10_e, *curve.log10_e_removal) if each is not None)
        for curve in evidence.subjects
    ]
    assert largest == sorted(largest, reverse=True)
    assert all(len(each.log10_e) == len(evidence.t) for each in evidence.subjects)


def test_what_was_never_declared_has_no_evidence_of_0() -> None:
    undeclared = Ledger(settings=FairnessSettings(review_battles=1_000))
    for number in range(4):
        undeclared.sample(f"m{number}", 1.0)
    undeclared.battles(3_000)
    parts = {EVIDENCE: encode_evidence(undeclared.state)}
    curve = model_history("m1", parts).evidence
    assert len(curve.t) == 3
    for column in (curve.declared, curve.log10_e, curve.log10_e_removal):
        assert column == [None, None, None]
    assert curve.share[1] == pytest.approx(0.5, abs=0.1)
    assert arena_history("text", parts).evidence.policy == [None, None, None]


def test_providers_and_licence_classes_have_evidence_too() -> None:
    tier = decode_evidence(everything()[EVIDENCE])
    curve = subject_evidence(tier, Subject(license="proprietary"))
    assert len(curve.t) == len(tier.t)
    assert curve.declared[-1] == pytest.approx(
        fairness_view(LEDGER.state).licenses[0].declared_share_of_battles, abs=0.3
    )


def test_answers_are_json_without_anything_that_json_lacks() -> None:
    for answer in (
        model_history("model-03", everything()),
        model_history("new", everything()),
        arena_history("text", everything()),
    ):
        text = msgspec.json.encode(answer)
        assert json.loads(text, parse_constant=lambda word: pytest.fail(word))


@pytest.mark.parametrize("part", PARTS)
def test_bytes_that_are_damaged_are_said_to_be_so_and_nothing_else_is_raised(part: str) -> None:
    random, whole = Random(4), everything()[part]
    for _ in range(400):
        at = random.randrange(len(whole))
        damaged = random.choice([whole[:at], whole[:at] + bytes([random.randrange(256)]) + whole[at + 1 :]])
        try:
            model_history("m0", {**everything(), part: damaged})
            arena_history("text", {**everything(), part: damaged})
        except InvalidHistory:
            continue
    for at in range(0, len(whole), max(1, len(whole) // 200)):
        with pytest.raises(InvalidHistory):
            arena_history("text", {part: whole[:at]})


def test_another_version_is_refused() -> None:
    for part in PARTS:
        other = msgspec.msgpack.encode(msgspec.msgpack.decode(everything()[part]) | {"v": 2})
        with pytest.raises(InvalidHistory, match="version 2"):
            arena_history("text", {part: other})


def test_counts_beyond_32_bits_are_kept() -> None:
    board = state().boards["overall"]
    before = shown(board)
    after = before.copy()
    after[0, 0, 1] += 2**40
    set_shown(board, after)
    try:
        sample, _ = take_sample(board, 5, 6, start=None, reweighted=False, settings=RatingsSettings(), anchors=())
        history = start().history
        history._add(TIERS[0], sample)
        packed = history.encode("text", [f"m{n}" for n in range(len(board.members))])
        assert model_history("m0", packed).tiers["day"].battles[0] > 2**40
    finally:
        set_shown(board, before)
