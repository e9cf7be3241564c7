"""The commands around the stream, as a person runs them."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from streams.contracts.topics import DEAD_LETTERS, LEDGER, TOPICS, VOTES
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, Pipeline, encode, fold_votes, make_votes, wait_same_boards
from tests.support.writers import without_codecs, write_packed

pytestmark = pytest.mark.integration


def listed(pipeline: Pipeline, *options: str) -> list[dict[str, Any]]:
    """What `dead-letters list` says, as a program reads it."""
    lines = pipeline.isonomy("dead-letters", "list", "--format", "json", *options).stdout.splitlines()
    return [json.loads(line) for line in lines]


# --- topics -----------------------------------------------------------------------------------------------------------


def test_topics_are_missing_then_created_then_right(pipeline: Pipeline) -> None:
    missing = pipeline.isonomy("topics", "--check", check=False)
    assert missing.returncode == 1
    assert missing.stdout.count("missing") == len(TOPICS)
    created = pipeline.isonomy("topics", "--partitions", "votes=6")
    assert created.stdout.count("created") == len(TOPICS)
    found = json.loads(pipeline.isonomy("topics", "--check", "--format", "json").stdout)
    assert {topic["topic"]: topic["state"] for topic in found} == {
        pipeline.settings.kafka.topic(topic.name): "ok" for topic in TOPICS
    }
    assert next(topic["partitions"] for topic in found if topic["topic"].endswith(".votes")) == 6


def test_a_topic_with_too_few_partitions_differs(pipeline: Pipeline) -> None:
    pipeline.isonomy("topics", "--partitions", "ledger=2")
    differs = pipeline.isonomy("topics", "--check", check=False)
    assert differs.returncode == 1
    assert "2 partitions, expected 4" in differs.stdout


# --- replay -----------------------------------------------------------------------------------------------------------


def test_a_file_is_replayed_and_followed_until_every_vote_is_on_the_board(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.create_topics()
    pipeline.worker().start().wait_ready()
    votes = make_votes(3_000, seed=41, arenas=("text",))
    source = tmp_path / "arena.jsonl"
    source.write_bytes(b"\n".join(map(encode, [*votes, {**votes[0], "id": "bad", "winner": "lefty"}, *votes[:50]])))

    stopped = pipeline.isonomy("replay", str(source), check=False)
    assert stopped.returncode == 1
    assert "winner 'lefty' in 1 row. Nothing was sent" in stopped.stderr
    assert "Nothing was sent" in stopped.stderr
    first = pipeline.isonomy("replay", str(source), "--follow", "--top", "3", "--drop-unreadable", check=False)
    assert first.returncode == 3
    assert "refused line 3001: unknown_winner" in first.stderr
    sent, counted = first.stderr.splitlines()[-1].split(": ")
    assert sent.startswith("sent 3,050 votes")
    assert counted == "counted 3,000, duplicates 50"
    board = pipeline.board()
    assert board is not None
    assert board.battles == 3_000  # there when the command ends, not some time after
    assert all(line.model in first.stdout for line in board.models[:3])
    wait_same_boards(pipeline, fold_votes(votes, tmp_path)["text"])

    # The last record of the ledger changes no board: a model that is on none.
    pipeline.declare("text", "not yet voted on", provider="Acme")
    eventually(lambda: len([each for each in pipeline.topic(LEDGER.name) if each.key == b"text"]) >= 2)
    again = pipeline.isonomy("replay", str(source), "--follow", "--drop-unreadable", check=False)
    assert "counted 0, duplicates 3,050" in again.stderr
    board = pipeline.board()
    assert board is not None
    assert board.battles == 3_000

    rate = pipeline.isonomy("rate", str(source), "--format", "json", "--drop-unreadable", check=False)
    rated = json.loads(rate.stdout)["boards"]
    assert rated.keys() == pipeline.boards().keys()
    for name, text in pipeline.boards().items():
        published = json.loads(text)
        for shown, wanted in zip(published["models"], rated[name]["models"], strict=True):
            assert (shown["model"], shown["rank"], shown["votes"]) == (wanted["model"], wanted["rank"], wanted["votes"])
            assert shown["rating"] == pytest.approx(wanted["rating"], abs=1e-9, rel=0)


def test_a_replay_into_topics_that_do_not_exist_says_what_to_do(pipeline: Pipeline, tmp_path: Path) -> None:
    source = tmp_path / "arena.jsonl"
    source.write_bytes(encode(make_votes(1)[0]))
    failed = pipeline.isonomy("replay", str(source), check=False)
    assert failed.returncode == 1
    assert "`isonomy topics` creates it" in failed.stderr


# --- dead letters -----------------------------------------------------------------------------------------------------


def test_refused_records_are_listed_with_their_reason_and_sent_again(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    worker = pipeline.worker().start().wait_ready()
    good = make_votes(20, seed=42, labels=False)
    wrong = [{**vote, "id": f"w{vote['id']}", "winner": "left"} for vote in good[:5]]
    pipeline.produce([*good, *wrong])
    # Refused now, and right in a few seconds: its clock is five minutes and a little ahead.
    early = {**good[0], "id": "early", "tstamp": time.time() + 300 + 8}
    pipeline.produce([early])
    pipeline.wait_counted(20)
    letters = eventually(lambda: len(found := listed(pipeline)) == 6 and found, 60)
    assert sorted(letter["reason"] for letter in letters) == ["future_tstamp", *["unknown_winner"] * 5]
    one = next(letter for letter in letters if letter["reason"] == "future_tstamp")
    assert base64.b64decode(one["value"]) == encode(early)
    assert base64.b64decode(one["key"]) == b"early"
    assert one["topic"] == pipeline.settings.kafka.topic("votes")
    assert len(listed(pipeline, "--reason", "unknown_winner", "--limit", "3")) == 3
    table = pipeline.isonomy("dead-letters", "list").stdout
    assert "6 refused: 5 unknown_winner, 1 future_tstamp" in table

    eventually(lambda: time.time() > early["tstamp"] - 300, 30)
    sent = pipeline.isonomy("dead-letters", "redrive", "--reason", "future_tstamp", "--yes")
    assert "sent 1 records again" in sent.stdout
    pipeline.wait_counted(21)
    # It is not sent a second time: its id is not remembered for as long as the letter is kept. What is still wrong is
    # refused once more.
    second = pipeline.isonomy("dead-letters", "redrive", "--yes")
    assert "1 were sent again before and are skipped" in second.stdout
    assert "sent 5 records again" in second.stdout
    eventually(lambda: len(listed(pipeline)) == 11, 60)
    assert sum(letter["redriven"] for letter in listed(pipeline)) == 6
    assert worker.metric("intake_votes_total", outcome="duplicate") == 0
    # Unless it is asked for.
    pipeline.isonomy("dead-letters", "redrive", "--reason", "future_tstamp", "--again", "--yes")
    assert eventually(lambda: worker.metric("intake_votes_total", outcome="duplicate") == 1)
    board = pipeline.board()
    assert board is not None
    assert board.battles == 21
    assert eventually(lambda: worker.metric("dead_letters_total", reason="unknown_winner") == 10, COUNTED)


def test_without_dead_letters_there_is_nothing_to_list_and_nothing_to_send(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    assert listed(pipeline) == []
    assert "0 refused: none" in pipeline.isonomy("dead-letters", "list").stdout
    assert "nothing to send" in pipeline.isonomy("dead-letters", "redrive", "--yes").stdout


async def test_a_letter_without_key_and_value_is_named_and_what_is_behind_it_is_sent(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    worker = pipeline.worker().start().wait_ready()
    votes = pipeline.settings.kafka.topic(VOTES.name)
    async with AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap) as producer:
        batch = producer.create_batch()  # no client of ours sends such a record otherwise
        batch.append(key=None, value=None, timestamp=None)
        batch.close()
        await (await producer.send_batch(batch, votes, partition=0))
    pipeline.produce([{**vote, "winner": "left"} for vote in make_votes(4, seed=43, labels=False)])
    letters = eventually(lambda: len(found := listed(pipeline)) == 5 and found, 60)
    (nothing,) = [letter for letter in letters if letter["key"] is None and letter["value"] is None]

    sent = pipeline.isonomy("dead-letters", "redrive", "--yes", check=False)
    assert sent.returncode == 1
    assert "Traceback" not in sent.stderr
    assert f"not sent: {votes}/0/{nothing['offset']}: it has neither key nor value" in sent.stderr
    assert "sent 4 records again" in sent.stdout
    assert "Error: 1 could not be sent" in sent.stderr
    assert eventually(lambda: worker.metric("dead_letters_total", reason="unknown_winner") == 8, COUNTED)


def test_a_batch_that_nobody_can_read_is_listed_with_its_offsets_and_not_sent_again(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    votes = pipeline.settings.kafka.topic(VOTES.name)
    place = [("topic", votes.encode()), ("partition", b"2"), ("offset", b"10"), ("last_offset", b"17")]
    headers = [("reason", b"unreadable"), ("detail", b"a codec of nobody"), *place]
    with KafkaProducer(bootstrap_servers=pipeline.bootstrap) as producer:
        producer.send(pipeline.settings.kafka.topic(DEAD_LETTERS.name), b"\0" * 61, b"k", headers=headers).get(
            timeout=30
        )
    assert f"{votes}/2/10-17" in pipeline.isonomy("dead-letters", "list").stdout
    assert [(letter["offset"], letter["last_offset"]) for letter in listed(pipeline)] == [(10, 17)]
    sent = pipeline.isonomy("dead-letters", "redrive", "--yes", check=False)
    assert sent.returncode == 1
    assert f"not sent: {votes}/2/10-17: it stands for a whole batch" in sent.stderr
    assert "sent 0 records again" in sent.stdout
    assert pipeline.topic(VOTES.name) == []


async def test_letters_behind_a_batch_that_cannot_be_read_are_listed_and_sent(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.create_topics()
    letters, votes = pipeline.settings.kafka.topic(DEAD_LETTERS.name), pipeline.settings.kafka.topic(VOTES.name)

    async def letter(offset: int) -> None:
        place = [("topic", votes.encode()), ("partition", b"0"), ("offset", str(offset).encode()), ("key", b"k")]
        headers = [("reason", b"invalid_json"), ("detail", b"x"), *place]
        async with AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap) as producer:
            await producer.send_and_wait(letters, b"{%d" % offset, key=b"k", headers=headers)

    for offset in (1, 2):
        await letter(offset)
    for _ in range(2):
        await write_packed(pipeline.bootstrap, letters, b"k", b"in a codec that the command lacks")
    await letter(3)
    async with AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap) as producer:
        await producer.send_and_wait(letters, b"", key=b"k", headers=[("topic", None)])
    await letter(4)
    pipeline.environ = {**pipeline.environ, **without_codecs(tmp_path)}
    told = pipeline.isonomy("dead-letters", "list")
    assert "4 refused: 4 invalid_json" in told.stdout
    assert [f"{letters}/0/{at} cannot be read" in told.stderr for at in range(7)] == [at in (2, 3) for at in range(7)]
    assert "record 5 is not a dead letter" in told.stderr
    assert "sent 4 records again" in pipeline.isonomy("dead-letters", "redrive", "--yes").stdout
    assert "4 were sent again before" in pipeline.isonomy("dead-letters", "redrive", "--yes").stdout
    assert [record.value for record in pipeline.topic(VOTES.name)] == [b"{1", b"{2", b"{3", b"{4"]


def test_a_letter_of_a_topic_that_is_gone_is_named_and_the_others_are_sent(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    with KafkaProducer(bootstrap_servers=pipeline.bootstrap) as producer:
        for topic in ("gone", pipeline.settings.kafka.topic(VOTES.name)):
            place = [("topic", topic.encode()), ("partition", b"0"), ("offset", b"1"), ("key", b"k")]
            headers = [("reason", b"invalid_json"), *place]
            producer.send(pipeline.settings.kafka.topic(DEAD_LETTERS.name), b"{", headers=headers).get(timeout=30)
    sent = pipeline.isonomy("dead-letters", "redrive", "--yes", check=False)
    assert sent.returncode == 1
    assert "not sent: gone/0/1: gone is not an existing topic of Isonomy" in sent.stderr
    assert "sent 1 records again" in sent.stdout
    assert [(record.key, record.value) for record in pipeline.topic(VOTES.name)] == [(b"k", b"{")]
