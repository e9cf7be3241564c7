"""Voters: manipulation, repeated votes, and the bounded tables that keep their evidence."""

import dataclasses
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Kind, Severity, Subject, voter_name
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import as_number
from streams.fairness.arena.hashing import BlockHashes, hash_words
from streams.fairness.arena.vote_memory import GENERATION, VoteMemory
from streams.fairness.detectors.voter_manipulation import SEVERAL
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.fairness.statistics import sparse_cusum
from streams.fairness.statistics.sparse_cusum import SparseCusum
from streams.ledger.codec import Block, compact
from tests.unit.fairness.arena import make_rows
from tests.unit.fairness.voters import VoterArena

BRISK = FairnessSettings(review_battles=1_000, ratings_reviews=5, window_reviews=2)
BETS = np.array([0.98, 0.9, 0.7])


def of(arena: VoterArena, kind: Kind) -> list[Alert]:
    return [alert for alert in arena.state.firing if alert.kind is kind]


def judged(arena: VoterArena, kind: Kind) -> Judged:
    detectors = {each.kind: each for each in arena.detectors}
    return detectors[kind].judged(arena.state.states.of(detectors[kind]), arena.state.scene)


def test_a_voter_who_always_votes_for_one_model_is_told_and_no_other() -> None:
    arena = VoterArena(seed=1, settings=BRISK)
    arena.battles(20_000)
    assert arena.alerts == []
    arena.battles(4_000, bots=1, favours=3, part=0.5)
    (alert,) = of(arena, Kind.VOTER_MANIPULATION)
    assert (alert.subject, alert.severity) == (Subject(voter=voter_name("bot-0")), Severity.WARNING)
    assert (alert.evidence["model"], alert.evidence["direction"]) == ("model-03", "for")
    assert alert.evidence["hits"] == alert.evidence["votes"]
    assert as_number(alert.evidence["votes"]) > as_number(alert.evidence["expected_hits"])
    assert "bot-0" not in alert.summary, "alerts name a hash"


def test_a_voter_who_always_votes_against_one_model_is_told_so() -> None:
    arena = VoterArena(seed=2, settings=BRISK)
    arena.battles(12_000)
    arena.battles(6_000, bots=1, favours=4, part=0.5, against=True)
    (alert,) = of(arena, Kind.VOTER_MANIPULATION)
    assert (alert.evidence["model"], alert.evidence["direction"]) == ("model-04", "against")


def test_many_voters_on_one_model_are_one_alert_of_the_model() -> None:
    arena = VoterArena(seed=3, settings=BRISK)
    arena.battles(12_000)
    arena.battles(20_000, bots=SEVERAL + 3, favours=3, part=0.5)
    (alert,) = of(arena, Kind.VOTER_MANIPULATION)
    assert alert.subject == Subject(model="model-03")
    assert as_number(alert.evidence["voters_found"]) > SEVERAL
    named = alert.evidence["voters"]
    assert isinstance(named, list)
    assert set(named) <= {voter_name(f"bot-{number}") for number in range(SEVERAL + 3)}


def test_before_the_ratings_are_solved_no_voter_is_judged() -> None:
    arena = VoterArena(seed=4, settings=BRISK)
    assert judged(arena, Kind.VOTER_MANIPULATION).reason is Unjudged.NO_VOTERS
    arena.battles(500)
    assert judged(arena, Kind.VOTER_MANIPULATION).reason is Unjudged.FIRST_RATINGS
    arena.battles(700)  # a voter who meets a pair again is no new battle, so more votes than a review has battles
    assert judged(arena, Kind.VOTER_MANIPULATION).judged


def test_a_finding_ends_after_the_days_that_alerts_are_kept() -> None:
    arena = VoterArena(seed=5, settings=FairnessSettings(review_battles=1_000, ratings_reviews=5, keep_days=0.05))
    arena.battles(10_000)
    arena.battles(3_000, bots=1, favours=3, part=0.5)
    assert of(arena, Kind.VOTER_MANIPULATION)
    arena.battles(9_000)
    assert of(arena, Kind.VOTER_MANIPULATION) == []


def test_wins_that_are_told_twice_are_told_of_the_model() -> None:
    arena = VoterArena(seed=6, settings=BRISK, models=20)
    arena.battles(30_000, resend=0.01)
    assert of(arena, Kind.REPEATED_VOTES) == []
    arena.battles(8_000, resend=0.01, retell=0.5, favours=3)
    (alert,) = of(arena, Kind.REPEATED_VOTES)
    assert (alert.subject, alert.severity) == (Subject(model="model-03"), Severity.WARNING)
    assert as_number(alert.evidence["share"]) > 0.25 > as_number(alert.evidence["bound"])


def test_a_voter_whose_script_repeats_one_vote_is_told_and_not_the_model() -> None:
    arena = VoterArena(seed=7, settings=BRISK, models=20)
    arena.battles(30_000, resend=0.01)
    arena.battles(4_000, script=0.02)
    assert [alert.subject for alert in of(arena, Kind.REPEATED_VOTES)] == [Subject(voter=voter_name("script"))]


def test_an_arena_that_sends_every_vote_twice_is_one_alert_of_the_arena() -> None:
    arena = VoterArena(seed=8, settings=BRISK, models=20)
    arena.battles(25_000)
    arena.battles(5_000, resend=0.9)
    assert [alert.subject for alert in of(arena, Kind.REPEATED_VOTES)] == [Subject()]


def test_several_votes_of_one_battle_repeat_nothing() -> None:
    arena = VoterArena(seed=9, settings=BRISK, models=20, name_battles=True)
    arena.battles(25_000)
    arena.battles(5_000, resend=0.9)
    assert of(arena, Kind.REPEATED_VOTES) == []


def test_who_asks_the_same_again_in_a_small_arena_is_no_repeater() -> None:
    arena = VoterArena(seed=10, settings=BRISK, models=6, voters=20, favourite=1.0)
    arena.battles(30_000)
    assert of(arena, Kind.REPEATED_VOTES) == []


def test_neither_blocks_nor_a_restart_change_what_is_told() -> None:
    arena = VoterArena(seed=11, settings=BRISK, models=20, block=3_777)
    arena.battles(24_000, resend=0.01)
    arena.battles(6_000, resend=0.01, retell=0.5, favours=3, bots=1, part=0.3)
    assert {alert.kind for alert in arena.alerts} == {Kind.VOTER_MANIPULATION, Kind.REPEATED_VOTES}
    again = VoterArena(seed=11, settings=BRISK, models=20)
    random, alerts = np.random.default_rng(5), []
    for record in arena.records:
        if not isinstance(record, Block):
            alerts += again.fold(record)
            continue
        at = 0
        while at < len(record.rows):
            size = int(random.integers(1, 2_500))
            rows = compact(record.rows.take(slice(at, at + size)))
            alerts += again.fold(Block(record.arena, rows, {0: int(rows.offset[-1])}))
            at += size
        again.state = decode_state(encode_state(again.state), BRISK)
    assert alerts == arena.alerts
    assert encode_state(again.state)["fairness"] == encode_state(arena.state)["fairness"]


# --- the tables -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_the_table_does_what_one_cusum_for_each_key_does(seed: int, keys: int) -> None:
    random, n, level = np.random.default_rng(seed), 400, np.log(40.0)
    key, bound = random.integers(1, keys + 1, n).astype(np.uint64), random.uniform(0.2, 0.95, n)
    hit = random.random(n) < 0.8
    found = SparseCusum.start(3).update(key, bound, hit, BETS, np.arange(float(n)), level)
    state, expected = dict[int, NDArray[np.float32]](), list[int]()
    for at in range(n):
        c = state.get(int(key[at]), np.zeros(3, np.float32))
        ratio = BETS / bound[at] if hit[at] else (1 - BETS) / (1 - bound[at])
        c = np.maximum(c + np.where(bound[at] < BETS, np.log(ratio), 0.0), 0.0).astype(np.float32)
        if np.log(np.exp(c.astype(float)).mean()) >= level:
            expected.append(at)
            c = np.zeros(3, np.float32)
        state[int(key[at])] = c
    assert [alarm.place for alarm in found] == expected


def test_a_full_table_forgets_the_least_and_stays_within_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_cusum, "MOST_SLOTS", 1 << 12)
    table = SparseCusum.start(3)
    one = np.full(30, 7, np.uint64)
    table.update(one, np.full(30, 0.5), np.ones(30, bool), BETS, np.zeros(30), 1e9)
    others = np.arange(100, 50_000).astype(np.uint64)
    table.update(others, np.full(len(others), 0.5), np.ones(len(others), bool), BETS, np.zeros(len(others)), 1e9)
    assert len(table.key) == 1 << 12
    assert table.nbytes == 32 * len(table.key)
    assert table.log_c[table.key == 7].max() > 19, "the most evidence is kept"


def test_the_memory_knows_the_last_votes_and_forgets_the_oldest() -> None:
    memory, keys = VoteMemory(), np.arange(1, 3 * GENERATION + 1).astype(np.uint64)
    memory.replace(keys, np.ones(len(keys), np.uint32))
    newest = memory.replace(keys[-GENERATION:], np.full(GENERATION, 2, np.uint32))
    assert (newest == 1).all()
    assert (memory.replace(keys[:GENERATION], np.ones(GENERATION, np.uint32)) == -1).all()
    assert len(memory.key) <= 2 * GENERATION


def test_counts_go_on_over_the_generations() -> None:
    memory = VoteMemory()
    key = np.full(10, 5, np.uint64)
    assert memory.count(key).tolist() == list(range(10))
    memory.count(np.arange(10, 10 + GENERATION).astype(np.uint64))
    assert memory.count(key[:1]).tolist() == [10]


def test_a_word_has_one_hash_whatever_stands_beside_it() -> None:
    words = ["a", "ab", "a\0b", "b", "ba", "é", "𝕏" * 64]
    together = hash_words(words)
    assert [int(hash_words([word])[0]) for word in words] == together.tolist()
    assert len(set(together.tolist())) == len(words)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=9))
def test_prompts_are_sampled_by_their_checksum(prompts: list[str]) -> None:
    rows = make_rows(["a", "b"], np.array([[0, 1]]), np.zeros(1), np.zeros(1))
    hashes = BlockHashes.of(dataclasses.replace(rows, prompts=["", *prompts])).sampled
    assert hashes.tolist() == [crc32(word.encode()) for word in ("", *prompts)]
