"""While votes stream in, processes are killed and frozen, the broker restarted, Redis flushed: every vote counts once.

Shorter or longer, by environment: ISONOMY_CRASH_VOTES (200,000), ISONOMY_CRASH_KILLS (10), ISONOMY_CRASH_FREEZES (2),
ISONOMY_CRASH_SEED. The broker is killed too when it keeps its data (ISONOMY_TEST_BROKER=kafka).
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.topics import DEAD_LETTERS, VOTES
from streams.contracts.vote import Vote, parse_vote
from tests.crash.sender import Sender
from tests.crash.stack import ARENAS, EventLog, Stack
from tests.support.pipeline import (
    Pipeline,
    assert_same_boards,
    assert_same_counts,
    fold_votes,
    make_votes,
    named_counts,
)
from tests.support.stack import TestBroker, TestRedis, make_broker, make_redis

pytestmark = [pytest.mark.crash, pytest.mark.integration, pytest.mark.timeout(1_800)]

VOTES_SENT = int(os.environ.get("ISONOMY_CRASH_VOTES", "200000"))
KILLS = int(os.environ.get("ISONOMY_CRASH_KILLS", "10"))
FREEZES = int(os.environ.get("ISONOMY_CRASH_FREEZES", "2"))
SEED = int(os.environ.get("ISONOMY_CRASH_SEED", "1"))

FROZEN_SECONDS = 15.0
"""More than two session timeouts: the group has moved on when the process wakes."""
EXPECTED_SECONDS = 12.0
"""About what one event takes, with the recovery after it; the votes are spread over all of them."""
RECOVERY_SECONDS = 90.0
"""Most that is waited for the boards to move on after an event, before the next."""
SENT_WITHIN = 300.0
COUNTED_WITHIN = 240.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker for this test alone: it is killed."""
    chosen = make_broker(tmp_path / "broker")
    with chosen.owned():
        yield chosen


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[TestRedis]:
    """A Redis for this test alone: it is flushed."""
    chosen = make_redis(tmp_path / "redis")
    if chosen.server is None:
        pytest.skip("the Redis of REDIS_URL is not ours to flush")
    with chosen.server:
        yield chosen


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> EventLog:
    def show(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True, file=sys.stderr)

    show("")
    return EventLog(show)


@pytest.fixture
def stack(
    broker: TestBroker, redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path, log: EventLog
) -> Iterator[Stack]:
    # A hanging stage is found sooner than in production, so that the suite has an end.
    environ = {"ISONOMY_WATCHDOG_SECONDS": "40"}
    pipeline = Pipeline(broker.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path, environ)
    pipeline.create_topics()
    stack = Stack(broker, redis_server, pipeline, log)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def schedule(rng: random.Random, stack: Stack) -> list[tuple[str, Callable[[], None]]]:
    """What will be done, in a random order: kills divided evenly among intake, ratings and gateway, and the rest."""

    def kill(kind: str) -> Callable[[], None]:
        def act() -> None:
            running = [name for name, child in stack.children.items() if name.startswith(kind) and child.alive]
            if not running:  # it is being restarted: wait for it, a kill must hit something
                stack.watch_until(lambda: any(c.alive for n, c in stack.children.items() if n.startswith(kind)), 30)
                running = [name for name, child in stack.children.items() if name.startswith(kind) and child.alive]
            stack.kill(rng.choice(running))

        return act

    def freeze(kind: str) -> Callable[[], None]:
        return lambda: stack.freeze(f"{kind}-{rng.randint(1, 2)}", FROZEN_SECONDS)

    kinds = [("intake", "ratings", "gateway")[number % 3] for number in range(KILLS)]
    events = [(f"kill {kind}", kill(kind)) for kind in kinds]
    events += [(f"freeze {kind}", freeze(kind)) for kind in ("intake", "ratings")[:FREEZES]]
    events.append(("flush", stack.flush))
    if stack.broker.durable:
        events.append(("broker", stack.crash_broker))
    rng.shuffle(events)
    return events


def run_chaos(rng: random.Random, stack: Stack, sender: Sender) -> None:
    """Carry the schedule out; each event comes at a random moment of a stack that counts votes."""
    events = schedule(rng, stack)
    for number, (_, act) in enumerate(events):
        # As fast as leaves enough votes for the events to come.
        sender.pace = max(200.0, sender.remaining / (EXPECTED_SECONDS * (len(events) - number)))
        before = stack.counted()
        if not stack.watch_until(lambda before=before: stack.counted() > before, RECOVERY_SECONDS):
            stack.log.say(f"NOT RECOVERED within {RECOVERY_SECONDS:.0f} s, going on")
        stack.watch(rng.uniform(0.0, 4.0))
        act()
    sender.pace = 20_000.0


def usable_votes(records: list[Any]) -> list[Vote]:
    """The votes topic as a reader of the contract sees it: usable records, the first of an id in its partition."""
    seen: set[tuple[int, str]] = set()
    votes = []
    for record in records:
        vote = parse_vote(record.value, record.timestamp / 1000)
        assert record.key == vote.id.encode()
        if (record.partition, vote.id) not in seen:
            seen.add((record.partition, vote.id))
            votes.append(vote)
    return votes


def as_dict(vote: Vote) -> dict[str, Any]:
    fields = {name: getattr(vote, name) for name in ("id", "arena", "model_a", "model_b", "winner", "tstamp")}
    return {**fields, "language": vote.language, "categories": list(vote.categories or ())}


def test_whatever_falls_every_acknowledged_vote_is_counted_exactly_once(
    stack: Stack, log: EventLog, tmp_path: Path
) -> None:
    log.say(f"{VOTES_SENT:,} votes, {KILLS} kills, {FREEZES} freezes, seed {SEED}, {stack.broker.kind} broker")
    rng = random.Random(SEED)
    sender = Sender(stack.gateway.url, stack.gateway.headers, make_votes(VOTES_SENT, SEED, arenas=ARENAS))
    sender.start()
    try:
        run_chaos(rng, stack, sender)
        sent = stack.watch_until(lambda: sender.done, SENT_WITHIN)
    finally:
        sender.stop()
    tally = sender.tally
    log.say(f"{len(tally.acknowledged):,} votes acknowledged of {len(tally.sent):,} sent; answers {tally.requests}")
    assert sent, "the sender did not finish"

    records = stack.pipeline.topic(VOTES.name)
    votes = usable_votes(records)
    ids = {vote.id for vote in votes}
    log.say(f"{len(records):,} records in the votes topic, {len(ids):,} different votes")
    assert len(ids) == len(votes), "an id is in two partitions"
    assert tally.acknowledged <= ids <= tally.sent
    caught_up = stack.watch_until(lambda: stack.counted() >= len(ids), COUNTED_WITHIN)
    log.say(f"{stack.counted():,} battles counted")
    assert caught_up, stack.tails()

    codes = stack.stop()
    log.say(f"stopped; exit codes {codes}")
    words = ("refolding ledger", "has a newer owner", "Redis lost arena", "made no progress", "Traceback")
    exits = {name: dict(Counter(found)) for name, found in stack.exits.items() if found}
    log.say(f"in the logs: {stack.log_lines(*words)}; exit codes on the way: {exits}")
    expected = fold_votes(map(as_dict, votes), tmp_path)
    ledger = stack.pipeline.ledger_states()
    assert sorted(expected) == sorted(ledger) == sorted(ARENAS)
    for arena, state in expected.items():
        assert_same_counts(ledger[arena], state)
        assert_same_counts(stack.pipeline.state(arena), state)
        published = stack.pipeline.boards(arena)
        assert_same_boards(published, state)
        assert_same_boards(published, ledger[arena], elo_too=True)
    battles = sum(sum(named_counts(state)["overall"].values()) for state in expected.values())
    assert battles == len(ids)
    assert stack.pipeline.topic(DEAD_LETTERS.name) == []
    assert set(codes.values()) == {0}, codes
    log.say(f"every one of {len(tally.acknowledged):,} acknowledged votes is counted exactly once; boards equal")
