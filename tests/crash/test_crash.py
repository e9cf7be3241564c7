"""While votes stream in, processes are killed and frozen, and Redis is flushed: every vote counts once.

Environment: ISONOMY_CRASH_VOTES (200,000), ISONOMY_CRASH_KILLS (10), ISONOMY_CRASH_FREEZES (2), ISONOMY_CRASH_SEED.
The broker is killed and restarted, too, if it keeps its data (ISONOMY_TEST_BROKER=kafka).
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.topics import DEAD_LETTERS, VOTES
from streams.contracts.vote import Vote, parse_vote
from tests.crash.sender import Sender
from tests.crash.stack import EventLog, Stack, disturb
from tests.support.gateway import GatewayProcess, gateway_process
from tests.support.pipeline import (
    Pipeline,
    assert_same_boards,
    assert_same_counts,
    fold_votes,
    make_votes,
    named_counts,
)
from tests.support.stack import TestBroker, TestRedis

pytestmark = [pytest.mark.crash, pytest.mark.integration, pytest.mark.timeout(1_800)]

VOTES_SENT = int(os.environ.get("ISONOMY_CRASH_VOTES", "200000"))
KILLS = int(os.environ.get("ISONOMY_CRASH_KILLS", "10"))
FREEZES = int(os.environ.get("ISONOMY_CRASH_FREEZES", "2"))
SEED = int(os.environ.get("ISONOMY_CRASH_SEED", "1"))

ARENAS = ("text", "code", "search", "chat")
"""One arena on each of the four ledger partitions, so that both members of the ratings group have some."""
WORKERS = {"intake-1": "intake", "intake-2": "intake", "ratings-1": "ratings", "ratings-2": "ratings"}
SENT_WITHIN = 300.0
COUNTED_WITHIN = 240.0


class RatingsStack(Stack):
    """Two intakes, two ratings folds and a gateway."""

    def __init__(self, broker: TestBroker, redis: TestRedis, pipeline: Pipeline, log: EventLog) -> None:
        self.gateway: GatewayProcess = gateway_process(
            broker.bootstrap, pipeline.topic_prefix, pipeline.directory, ISONOMY_PRODUCE_TIMEOUT="3"
        )
        super().__init__(broker, redis, pipeline, log, WORKERS, {"gateway": self.gateway.process})

    def start(self) -> None:
        super().start()
        self.gateway.wait("/readyz")

    def counted(self) -> int:
        """Battles on the overall boards of all arenas."""
        boards = [self.pipeline.board(arena) for arena in ARENAS]
        return sum(board.battles for board in boards if board is not None)


@pytest.fixture
def stack(
    broker: TestBroker, redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path, log: EventLog
) -> Iterator[RatingsStack]:
    # The watchdog detects a hanging stage sooner than in production, so that the suite ends.
    environ = {"ISONOMY_WATCHDOG_SECONDS": "40", "ISONOMY_REPLICATION": str(broker.replication)}
    pipeline = Pipeline(broker.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path, environ)
    pipeline.create_topics()
    stack = RatingsStack(broker, redis_server, pipeline, log)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def schedule(rng: random.Random, stack: RatingsStack) -> list[Callable[[], None]]:
    """The events: kills divided evenly among intake, ratings and gateway, and the other faults."""

    def one_of(kind: str) -> str:
        return rng.choice([name for name in stack.children if name.startswith(kind)])

    kinds = [("intake", "ratings", "gateway")[number % 3] for number in range(KILLS)]
    events: list[Callable[[], None]] = [lambda kind=kind: stack.kill(one_of(kind)) for kind in kinds]  # type: ignore[misc]
    events += [lambda kind=kind: stack.freeze(one_of(kind)) for kind in ("intake", "ratings")[:FREEZES]]  # type: ignore[misc]
    events.append(stack.flush)
    if stack.broker.durable:
        events.append(stack.crash_broker)
    return events


def usable_votes(records: list[Any]) -> list[Vote]:
    """Votes by the contract's rule: valid records, of which the first of an arena and id in each partition counts."""
    seen: set[tuple[int, str, str]] = set()
    votes = []
    for record in records:
        vote = parse_vote(record.value, record.timestamp / 1000)
        assert record.key == vote.id.encode()
        if (record.partition, vote.arena, vote.id) not in seen:
            seen.add((record.partition, vote.arena, vote.id))
            votes.append(vote)
    return votes


def as_dict(vote: Vote) -> dict[str, Any]:
    fields = {name: getattr(vote, name) for name in ("id", "arena", "model_a", "model_b", "winner", "tstamp")}
    return {**fields, "language": vote.language, "categories": list(vote.categories or ())}


def test_whatever_falls_every_acknowledged_vote_is_counted_exactly_once(
    stack: RatingsStack, log: EventLog, tmp_path: Path
) -> None:
    log.say(f"{VOTES_SENT:,} votes, {KILLS} kills, {FREEZES} freezes, seed {SEED}, {stack.broker.kind} broker")
    rng = random.Random(SEED)
    sender = Sender(stack.gateway.url, stack.gateway.headers, make_votes(VOTES_SENT, SEED, arenas=ARENAS))
    sender.start()
    try:
        disturb(rng, stack, sender, schedule(rng, stack))
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
    log.say(f"in the logs: {stack.log_lines(*words)}; exit codes on the way: {dict(stack.exits)}")
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
