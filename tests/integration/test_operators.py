"""What operators do to Kafka: groups reset, topics shortened, unreadable batches. No vote is lost in silence."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from streams.contracts.dead_letter import read_dead_letter
from streams.contracts.reasons import Reason
from streams.contracts.topics import DEAD_LETTERS, INTAKE_GROUP, LEDGER, VOTES
from streams.kafka.clients import mark_of
from tests.support.eventually import eventually
from tests.support.pipeline import (
    COUNTED,
    Pipeline,
    Vote,
    Worker,
    encode,
    fold_votes,
    make_votes,
    wait_same_boards,
)
from tests.support.stack import TestBroker
from tests.support.topics import admin
from tests.support.writers import cannot_unpack

pytestmark = pytest.mark.integration

PARTITIONS = 4


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline) -> None:
    pipeline.create_topics()


def partitions(pipeline: Pipeline) -> list[Any]:
    return [TopicPartition(pipeline.settings.kafka.topic(VOTES.name), number) for number in range(PARTITIONS)]


def reset(pipeline: Pipeline, offsets: dict[Any, int]) -> None:
    """What `kafka-consumer-groups --reset-offsets` does: commits of the group, without a member."""
    with admin(pipeline.bootstrap) as client:
        wanted = {at: OffsetAndMetadata(offset, "", -1) for at, offset in offsets.items()}
        group = pipeline.settings.kafka.group(INTAKE_GROUP)

        def done() -> bool:
            # The group is empty only when the session of its last member is over.
            try:
                client.alter_group_offsets(group, wanted)
            except Exception as error:  # noqa: BLE001 -- whatever says that it is not empty yet
                raise AssertionError(repr(error)) from None
            found = client.list_group_offsets({group: list(wanted)})[group]
            return all(found[at].offset == offset for at, offset in offsets.items())

        eventually(done, 30, every=0.5)


def ends(pipeline: Pipeline) -> dict[Any, int]:
    records = pipeline.topic(VOTES.name)
    return {
        at: max((record.offset + 1 for record in records if record.partition == at.partition), default=0)
        for at in partitions(pipeline)
    }


def shorten(pipeline: Pipeline, before: dict[Any, int]) -> None:
    with admin(pipeline.bootstrap) as client:
        client.delete_records(before)


def worker_of(pipeline: Pipeline, name: str, **environ: str) -> Worker:
    return pipeline.worker(name, **environ).start()


@pytest.fixture
def _resettable(broker: TestBroker) -> None:
    if not broker.durable:
        pytest.skip("the embedded broker does not let an administrator set a group's offsets")


@pytest.mark.usefixtures("_resettable")
@pytest.mark.parametrize("tool", ["without metadata", "with the metadata kept"])
def test_a_reset_to_the_latest_offsets_loses_no_vote(pipeline: Pipeline, tmp_path: Path, tool: str) -> None:
    votes = make_votes(1_500, seed=1, arenas=("text", "code"))
    first = worker_of(pipeline, "first").wait_ready()
    pipeline.produce(votes[:700])
    wait_all(pipeline, votes[:700], tmp_path)
    assert first.stop() == 0
    pipeline.produce(votes[700:1_400])
    reset(pipeline, ends(pipeline))
    if tool == "with the metadata kept":
        commit = {at: OffsetAndMetadata(end, mark_of(at, 1), -1) for at, end in ends(pipeline).items()}
        with admin(pipeline.bootstrap) as client:
            client.alter_group_offsets(pipeline.settings.kafka.group(INTAKE_GROUP), commit)
    second = worker_of(pipeline, "second").wait_ready()
    pipeline.produce(votes[1_400:])
    wait_all(pipeline, votes, tmp_path)
    assert "intake did not write the group's commit" in second.log()
    assert second.metric("intake_foreign_commits_total") == PARTITIONS


@pytest.mark.usefixtures("_resettable")
def test_a_reset_to_the_earliest_offsets_counts_no_vote_twice(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(1_200, seed=2, arenas=("text", "code"))
    first = worker_of(pipeline, "first").wait_ready()
    pipeline.produce(votes[:1_000])
    wait_all(pipeline, votes[:1_000], tmp_path)
    assert first.stop() == 0
    reset(pipeline, dict.fromkeys(partitions(pipeline), 0))
    second = worker_of(pipeline, "second").wait_ready()
    pipeline.produce(votes[1_000:])
    wait_all(pipeline, votes, tmp_path)
    assert second.metric("ratings_rows_dropped_total") == 1_000


def test_commits_that_are_gone_are_found_again_in_the_ledger(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(900, seed=3)
    first = worker_of(pipeline, "first", ISONOMY_FETCH_RECORDS="20").wait_ready()
    for start in range(0, 800, 100):
        pipeline.produce(votes[start : start + 100])
        wait_all(pipeline, votes[: start + 100], tmp_path)
    assert first.stop() == 0
    # As after seven days without a member: the group's offsets have expired. Here it is another group.
    with admin(pipeline.bootstrap) as client:
        eventually(lambda: _deleted(client, pipeline.settings.kafka.group(INTAKE_GROUP)), 30, every=0.5)
    second = worker_of(pipeline, "second", ISONOMY_FETCH_RECORDS="1").wait_ready()
    pipeline.produce(votes[800:])
    wait_all(pipeline, votes, tmp_path)
    dropped = second.metric("ratings_rows_dropped_total")
    assert 0 < dropped < 800, "it goes on near the end, not at the beginning"


def _deleted(client: KafkaAdminClient, group: str) -> bool:
    try:
        client.delete_groups([group])
    except Exception as error:  # noqa: BLE001 -- whatever says that it is not empty yet
        raise AssertionError(repr(error)) from None
    return True


def test_a_log_that_lost_votes_stops_intake_until_a_person_accepts_it(
    broker: TestBroker, pipeline: Pipeline, tmp_path: Path
) -> None:
    if not broker.durable:
        pytest.skip("the embedded broker does not delete records")
    votes = make_votes(1_000, seed=4)
    first = worker_of(pipeline, "first").wait_ready()
    pipeline.produce(votes[:400])
    wait_all(pipeline, votes[:400], tmp_path)
    assert first.stop() == 0
    pipeline.produce(votes[400:800])
    gone_before = ends(pipeline)
    shorten(pipeline, gone_before)
    second = worker_of(pipeline, "second", ISONOMY_REFRESH_SECONDS="0.1")
    eventually(lambda: "are gone that were never counted" in second.log(), COUNTED)
    asked = set(re.findall(r"accept-gap (votes/\d) --up-to (\d+)", second.log()))
    assert len(asked) == 1, "one partition at a time"
    assert not second.is_ready()
    assert second.process.alive, "ratings go on"
    assert second.metric("intake_records_gone") > 0
    shown = pipeline.isonomy("intake", "show").stdout
    assert re.search(r"votes/0 .* \d+ to \d+ .* [1-9]\d*$", shown, re.MULTILINE), shown

    mistake = pipeline.isonomy("intake", "accept-gap", "votes/0", "--up-to", "999999", "--yes", check=False)
    assert mistake.returncode == 1
    assert "there is nothing to accept" in mistake.stderr
    for at, offset in gone_before.items():
        pipeline.isonomy("intake", "accept-gap", f"votes/{at.partition}", "--up-to", str(offset), "--yes")
    second.wait_ready()
    pipeline.produce(votes[800:])
    wait_all(pipeline, votes[:400] + votes[800:], tmp_path)


@pytest.mark.usefixtures("_resettable")
def test_a_gap_is_accepted_also_where_the_group_was_reset_behind_it(pipeline: Pipeline, tmp_path: Path) -> None:
    votes = make_votes(1_000, seed=8)
    first = worker_of(pipeline, "first").wait_ready()
    pipeline.produce(votes[:400])
    wait_all(pipeline, votes[:400], tmp_path)
    assert first.stop() == 0
    pipeline.produce(votes[400:800])
    gone_before = ends(pipeline)
    shorten(pipeline, gone_before)
    reset(pipeline, gone_before)
    second = worker_of(pipeline, "second")
    eventually(lambda: "are gone that were never counted" in second.log(), COUNTED)
    for at, offset in gone_before.items():
        pipeline.isonomy("intake", "accept-gap", f"votes/{at.partition}", "--up-to", str(offset), "--yes")
    second.wait_ready()
    pipeline.produce(votes[800:])
    wait_all(pipeline, votes[:400] + votes[800:], tmp_path)


def test_a_shortened_log_says_that_old_ids_are_no_longer_known(
    broker: TestBroker, pipeline: Pipeline, tmp_path: Path
) -> None:
    if not broker.durable:
        pytest.skip("the embedded broker does not delete records")
    votes = make_votes(400, seed=5)
    first = worker_of(pipeline, "first").wait_ready()
    pipeline.produce(votes)
    wait_all(pipeline, votes, tmp_path)
    assert first.stop() == 0
    shorten(pipeline, {at: end - 10 for at, end in ends(pipeline).items()})
    second = worker_of(pipeline, "second").wait_ready()
    assert second.log().count("was shortened: the id memory lacks") == PARTITIONS
    assert second.metric("intake_dedup_records_missing") == 400 - 10 * PARTITIONS


def test_a_shortened_ledger_is_folded_on_but_never_anew(broker: TestBroker, pipeline: Pipeline, tmp_path: Path) -> None:
    """Boards of what is left would lack votes: what was published stays, and the gauge says why."""
    if not broker.durable:
        pytest.skip("the embedded broker does not delete records")
    votes = make_votes(400, seed=8, arenas=("text", "code"))
    first = worker_of(pipeline, "first").wait_ready()
    for begin, end in ((0, 100), (100, 300)):  # two ledger records of each arena at least
        pipeline.produce(votes[begin:end])
        wait_all(pipeline, votes[:end], tmp_path)
    assert first.stop() == 0
    ledger = pipeline.topic(LEDGER.name)
    last = {
        TopicPartition(pipeline.settings.kafka.topic(LEDGER.name), record.partition): record.offset for record in ledger
    }
    assert len(last) == 2
    assert all(last.values())
    shorten(pipeline, last)
    said = pipeline.isonomy("topics", "--check")
    assert f"begins at offset {max(last.values())}: earlier records are gone" in said.stdout
    refused = pipeline.isonomy("rebuild", "--arena", "text", check=False)
    assert refused.returncode == 1
    assert "only the saved states still have all votes" in refused.stderr

    second = worker_of(pipeline, "second").wait_ready()
    pipeline.produce(votes[300:])
    wait_all(pipeline, votes, tmp_path)
    before = {arena: pipeline.boards(arena) for arena in ("text", "code")}
    assert second.stop() == 0
    with pipeline.redis as redis:
        for number in range(LEDGER.partitions):
            redis.delete(pipeline.settings.redis.keys.partition(number, "ratings"))
    third = worker_of(pipeline, "third").wait_ready()
    for at in last:
        assert third.metric("fold_arena_stopped", arena=f"{LEDGER.name}/{at.partition}") == 1, third.log()
    pipeline.produce(make_votes(50, seed=9, arenas=("text",)))
    eventually(lambda: third.metric("intake_votes_total") == 50)
    pipeline.produce(make_votes(60, seed=10, arenas=("chat",)))  # in a partition that is whole, and behind the others
    pipeline.wait_counted(60, "chat")
    assert {arena: pipeline.boards(arena) for arena in ("text", "code")} == before
    assert third.metric("stage_failures_total") == 0


def test_a_batch_that_cannot_be_read_is_parked_and_the_rest_goes_on(pipeline: Pipeline, tmp_path: Path) -> None:
    # A worker that cannot unpack stands for any batch that no client can read.
    environ = cannot_unpack(tmp_path)
    worker = worker_of(pipeline, "worker", **environ).wait_ready()
    votes = make_votes(600, seed=6, arenas=("text", "code"))
    pipeline.produce(votes[:200])
    lost = send_lz4(pipeline, votes[200:230])
    pipeline.produce(votes[230:400])
    lost += send_lz4(pipeline, votes[400:420])
    pipeline.produce(votes[420:])
    read = votes[:200] + votes[230:400] + votes[420:]
    wait_all(pipeline, read, tmp_path)
    letters = [read_dead_letter(dict(record.headers), record.value) for record in pipeline.topic(DEAD_LETTERS.name)]
    assert {letter.reason for letter in letters} == {Reason.UNREADABLE}
    spans = {
        (letter.partition, offset) for letter in letters for offset in range(letter.offset, letter.last_offset + 1)
    }
    assert spans == set(lost), "each lost vote lies in a parked batch, and nothing else does"
    assert all(len(letter.value) > 60 for letter in letters), "the batch as it stands, header included"
    assert worker.metric("intake_unreadable_batches_total", topic="votes") == len(letters)
    eventually(lambda: worker.metric("consumer_lag") == 0)
    assert worker.stop() == 0

    # The same in front of a position: the next owner's id memory passes over it, and parks nothing twice.
    second = worker_of(pipeline, "second", **environ).wait_ready()
    pipeline.produce(read[:50] + [{**vote, "id": f"new-{vote['id']}"} for vote in read[:50]])
    eventually(lambda: second.metric("intake_votes_total") == 100)
    assert second.metric("intake_votes_total", outcome="duplicate") == 50
    assert len(pipeline.topic(DEAD_LETTERS.name)) == len(letters)


def send_lz4(pipeline: Pipeline, votes: list[Vote]) -> list[tuple[int, int]]:
    """Send votes compressed; returns partition and offset of each."""
    producer = KafkaProducer(
        bootstrap_servers=pipeline.bootstrap, acks="all", compression_type="lz4", linger_ms=100, batch_size=100_000
    )
    try:
        topic = pipeline.settings.kafka.topic(VOTES.name)
        futures = [producer.send(topic, key=vote["id"].encode(), value=encode(vote)) for vote in votes]
        written = [future.get(timeout=30) for future in futures]
    finally:
        producer.close()
    return [(each.partition, each.offset) for each in written]


def wait_all(pipeline: Pipeline, votes: list[Vote], tmp_path: Path) -> None:
    """Wait until the boards are those of the votes, no more and no less."""
    for arena, state in fold_votes(votes, tmp_path).items():
        pipeline.wait_counted(state.boards["overall"].battles, arena)
        wait_same_boards(pipeline, state)


def test_what_intake_has_read_is_shown_and_mistakes_are_named(
    broker: TestBroker, pipeline: Pipeline, tmp_path: Path
) -> None:
    fresh = json.loads(pipeline.isonomy("intake", "show", "--format", "json").stdout)
    assert [(each["topic"], each["partition"]) for each in fresh] == [
        *((VOTES.name, n) for n in range(4)),
        ("models", 0),
    ]
    assert all((each["committed"], each["missing"], each["accepted"]) == (None, None, None) for each in fresh)
    votes = make_votes(100, seed=7)
    worker = worker_of(pipeline, "worker").wait_ready()
    pipeline.produce(votes)
    wait_all(pipeline, votes, tmp_path)
    assert worker.stop() == 0
    shown = json.loads(pipeline.isonomy("intake", "show", "--format", "json").stdout)
    known = (True, 0) if broker.durable else (False, None)  # the embedded broker keeps no metadata of a commit
    assert sum(each["committed"] for each in shown if each["topic"] == VOTES.name) == len(votes)
    assert [(each["ours"], each["missing"]) for each in shown if each["topic"] == VOTES.name] == [known] * PARTITIONS

    for place, words in (("votes/99", "there is no partition votes/99"), ("votes/1", "there is nothing to accept")):
        mistake = pipeline.isonomy("intake", "accept-gap", place, "--up-to", "1", "--yes", check=False)
        assert mistake.returncode == 1
        assert words in mistake.stderr
        assert "Traceback" not in mistake.stderr
