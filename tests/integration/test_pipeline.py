"""Votes in through Kafka, boards out in Redis: equal to the same votes folded in one process."""

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.contracts.reasons import Reason
from streams.contracts.topics import DEAD_LETTERS, LEDGER, VOTES
from streams.contracts.vote import MAX_RECORD_BYTES
from streams.ledger.codec import Block, Notice, decode
from tests.support.eventually import eventually
from tests.support.pipeline import (
    Pipeline,
    assert_same_counts,
    encode,
    fold_votes,
    make_votes,
    read_board,
    wait_same_boards,
)

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline) -> None:
    pipeline.create_topics()


def battles_of(votes: list[dict[str, Any]], arena: str) -> int:
    return len({vote["id"] for vote in votes if vote["arena"] == arena})


def assert_counted_like(pipeline: Pipeline, votes: list[dict[str, Any]], tmp_path: Path) -> None:
    """Everything published equals the single-process fold, and Elo that of the same ledger."""
    expected = fold_votes(votes, tmp_path)
    for arena in expected:
        pipeline.wait_counted(battles_of(votes, arena), arena)
    ledger = pipeline.ledger_states()
    assert sorted(ledger) == sorted(expected)
    for arena, state in expected.items():
        assert_same_counts(ledger[arena], state)
        wait_same_boards(pipeline, state)
        wait_same_boards(pipeline, ledger[arena], elo_too=True)


def test_the_board_in_redis_equals_a_single_process_fold(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(6_000, seed=1)
    worker = pipeline.worker().start().wait_ready()
    pipeline.produce(votes)
    assert_counted_like(pipeline, votes, tmp_path)
    assert worker.stop() == 0
    assert_same_counts(pipeline.state(), fold_votes(votes, tmp_path)["text"])


def test_votes_that_wait_in_kafka_are_counted_when_the_first_worker_comes(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(3_000, seed=2)
    pipeline.produce(votes)
    pipeline.worker().start().wait_ready()
    assert_counted_like(pipeline, votes, tmp_path)


def test_arenas_languages_and_categories_get_boards_of_their_own_over_several_ledger_partitions(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    # `chat` and `vision` share a ledger partition, and so do `code` and `tool`; `text` has one to itself.
    arenas = ("text", "chat", "code", "tool", "vision")
    votes = make_votes(6_000, seed=3, arenas=arenas)
    pipeline.worker().start().wait_ready()
    pipeline.produce(votes)
    assert_counted_like(pipeline, votes, tmp_path)
    assert len({record.partition for record in pipeline.topic(LEDGER.name)}) > 1
    assert set(pipeline.boards("code")) == {
        "overall",
        "language:English",
        "language:German",
        "language:中文",
        "category:coding",
        "category:math",
        "category:creative",
    }
    with pipeline.redis as redis:
        published = {name.decode() for name in redis.smembers(pipeline.settings.redis.keys.arenas)}
    assert published == set(arenas)


def test_battles_without_a_vote_are_exposure_and_never_a_rating(pipeline: Pipeline) -> None:
    votes = make_votes(200, seed=4, labels=False)
    unvoted = [{**vote, "id": f"n{vote['id']}", "winner": "none"} for vote in make_votes(300, seed=5, labels=False)]
    pipeline.worker().start().wait_ready()
    pipeline.produce(votes)
    rated = sum(vote["winner"] != "none" for vote in votes)
    before = pipeline.wait_counted(200)
    pipeline.produce(unvoted)
    after = pipeline.wait_counted(500)
    assert (before.votes, after.votes) == (rated, rated)
    assert [(line.model, line.rating, line.elo) for line in before.models] == [
        (line.model, line.rating, line.elo) for line in after.models
    ]


def test_what_votes_say_of_their_draw_is_in_the_ledger(pipeline: Pipeline) -> None:
    votes = make_votes(200, seed=7)
    for number, vote in enumerate(votes[:150]):  # two votes on each draw; 50 votes say nothing
        vote |= {"battle": f"d{number // 2}", "drawn_at": vote["tstamp"] - number % 2}
    pipeline.worker().start().wait_ready()
    pipeline.produce(votes)
    pipeline.wait_counted(200)
    told = []
    for record in pipeline.topic(LEDGER.name):
        block = decode(record.value or b"")
        if isinstance(block, Block):
            rows = block.rows
            battle = rows.battle if rows.battle is not None else np.zeros(len(rows), np.int32)
            drawn_at = rows.drawn_at if rows.drawn_at is not None else np.full(len(rows), np.nan)
            told += [
                (rows.battles[code] or None, None if np.isnan(drawn) else drawn, tstamp)
                for code, drawn, tstamp in zip(battle.tolist(), drawn_at.tolist(), rows.tstamp.tolist(), strict=True)
            ]
    sent = [(vote.get("battle"), vote.get("drawn_at"), vote["tstamp"]) for vote in votes]
    assert sorted(told, key=str) == sorted(sent, key=str)


# --- the same votes, badly delivered ----------------------------------------------------------------------------------


def garbage(votes: list[dict[str, Any]]) -> list[tuple[Reason, bytes | None, bytes | None]]:
    """One record of every kind that cannot be used: the reason it must get, key and value."""

    def changed(**fields: object) -> tuple[bytes, bytes]:
        vote = {**votes[0], "id": "bad", **fields}
        return str(vote["id"]).encode(), encode({name: value for name, value in vote.items() if value is not ...})

    good = encode({**votes[0], "id": "bad"})
    return [
        (Reason.EMPTY, b"bad", None),
        (Reason.EMPTY, b"bad", b""),
        (Reason.TOO_LARGE, *changed(prompt="x" * MAX_RECORD_BYTES)),
        (Reason.INVALID_UTF8, b"bad", good.replace(b"model-", b"model\xff-")),
        (Reason.INVALID_JSON, b"bad", good[:-1]),
        (Reason.INVALID_JSON, b"bad", good.replace(b'"winner"', b'"p_pair":NaN,"winner"')),
        (Reason.TOO_DEEP, b"bad", b'{"id":' + b"[" * 2_000 + b"]" * 2_000 + b"}"),
        (Reason.NOT_AN_OBJECT, b"bad", b'["bad"]'),
        (Reason.MISSING_FIELD, *changed(winner=...)),
        (Reason.KEY_MISMATCH, b"another", good),
        (Reason.KEY_MISMATCH, None, good),
        (Reason.INVALID_ID, *changed(id="i" * 65)),
        (Reason.INVALID_ARENA, *changed(arena="Text!")),
        (Reason.INVALID_MODEL, *changed(model_a="")),
        (Reason.SAME_MODEL, *changed(model_b=votes[0]["model_a"])),
        (Reason.UNKNOWN_WINNER, *changed(winner="left")),
        (Reason.INVALID_TSTAMP, *changed(tstamp=-1)),
        (Reason.FUTURE_TSTAMP, *changed(tstamp=time.time() + 10_000)),
        (Reason.INVALID_FIELD, *changed(p_pair=2)),
        (Reason.INVALID_FIELD, *changed(drawn_at=votes[0]["tstamp"] + 6)),
        (Reason.NOT_ANONYMOUS, *changed(anony=False)),
    ]


def test_shuffled_in_three_parts_with_duplicates_and_garbage_the_boards_are_the_same(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    votes = make_votes(6_000, seed=6, arenas=("text", "code"))
    rng = random.Random(6)
    bad = garbage(votes)
    # Of a batch; of a key at the gateway.
    of_others = {Reason.UNREADABLE, Reason.TOO_MANY_ARENAS, Reason.TOO_MANY_NAMES}
    assert {reason for reason, _, _ in bad} == set(Reason) - of_others
    bad = [bad[number % len(bad)] for number in range(60)]
    records = [(vote["id"].encode(), encode(vote)) for vote in votes + rng.sample(votes, 300)]
    records += [(key, value) for _, key, value in bad]
    rng.shuffle(records)
    pipeline.worker().start().wait_ready()
    for part in range(3):
        pipeline.produce_raw(VOTES.name, records[part::3])
    assert_counted_like(pipeline, votes, tmp_path)

    letters = eventually(lambda: len(found := pipeline.topic(DEAD_LETTERS.name)) >= 60 and found, 30)
    expected = sorted((reason.value.encode(), key or b"-", value or b"-") for reason, key, value in bad)
    found = sorted((dict(x.headers)["reason"], dict(x.headers).get("key", b"-"), x.value or b"-") for x in letters)
    assert found == expected
    sources = {(record.partition, record.offset): record for record in pipeline.topic(VOTES.name)}
    topic = pipeline.settings.kafka.topic(VOTES.name).encode()
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["topic"] == topic
        source = sources[int(headers["partition"]), int(headers["offset"])]
        assert (source.key, source.value or b"") == (headers.get("key"), letter.value or b"")
        assert letter.key == b"%s/%s/%s" % (topic, headers["partition"], headers["offset"])
    assert len({letter.key for letter in letters}) == len(letters)


# --- notices ----------------------------------------------------------------------------------------------------------


def test_a_declared_model_shows_its_provider_until_a_tombstone_takes_it_off(pipeline: Pipeline) -> None:
    pipeline.worker().start().wait_ready()
    pipeline.declare("text", "model-1", provider="Acme", license="open_weight")
    pipeline.produce(make_votes(100, seed=7, models=3, labels=False))
    pipeline.wait_counted(100)

    def shown() -> tuple[str | None, str | None]:
        board = pipeline.board()
        assert board is not None
        return next((line.provider, line.license) for line in board.models if line.model == "model-1")

    eventually(lambda: shown() == ("Acme", "open_weight"))
    pipeline.declare("text", "model-1", provider="Apex", license="open_source")
    eventually(lambda: shown() == ("Apex", "open_source"))
    pipeline.declare("text", "model-1")
    eventually(lambda: shown() == (None, None))
    pipeline.produce(make_votes(100, seed=7, models=3, labels=False, start=100))
    pipeline.wait_counted(200)
    assert shown() == (None, None)

    entries = [decode(record.value) for record in pipeline.topic(LEDGER.name)]
    notices = [entry for entry in entries if isinstance(entry, Notice)]
    assert [notice.model and notice.model.provider for notice in notices] == ["Acme", "Apex", None]
    # The last hundred votes stand behind the tombstone.
    rows_after = sum(len(entry.rows) for entry in entries[entries.index(notices[-1]) :] if isinstance(entry, Block))
    assert rows_after == 100


def test_a_model_record_that_cannot_be_used_is_a_dead_letter_and_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.worker().start().wait_ready()
    record = {"arena": "text", "model": "model-1", "provider": "Acme"}
    pipeline.produce_raw("models", [(b"text/model-1", encode(record)), (b"no slash", b"{}"), (b"no slash", None)])
    letters = eventually(lambda: len(found := pipeline.topic(DEAD_LETTERS.name)) >= 3 and found, 30)
    reasons = [(dict(letter.headers)["reason"], dict(letter.headers)["topic"]) for letter in letters]
    models = pipeline.settings.kafka.topic("models").encode()
    assert reasons == [(b"missing_field", models), (b"missing_field", models), (b"key_mismatch", models)]
    assert pipeline.topic(LEDGER.name) == []


def test_each_publish_is_told_on_the_channel_and_a_board_is_whole(pipeline: Pipeline) -> None:
    pipeline.worker().start().wait_ready()
    with pipeline.redis as redis, redis.pubsub() as channel:
        channel.subscribe(pipeline.settings.redis.keys.changed("text"))
        pipeline.produce(make_votes(500, seed=8))
        board = pipeline.wait_counted(500)

        def told() -> bool:
            message = channel.get_message(ignore_subscribe_messages=True, timeout=0.1)
            return message is not None and json.loads(message["data"])["ledger"] == board.position.ledger

        eventually(told)
    for text in pipeline.boards().values():
        read_board(text)
