"""While an arena silently drops models, workers are killed and frozen, and Redis is flushed: the alerts stay correct.

For a reader that drops exact repeats, the alerts topic holds what one undisturbed process emits for the same ledger:
the same ids, the same bytes, in the same order. Environment: ISONOMY_CRASH_BATTLES (20,000 for each of two arenas),
ISONOMY_CRASH_KILLS (4), ISONOMY_CRASH_SEED. The broker is killed, too, if it keeps its data
(ISONOMY_TEST_BROKER=kafka).
"""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from services.simulate import read_scenario, simulate
from services.simulate.records import Recorder
from streams.contracts.alert import Alert, Kind, Status, decode_alert, encode_alert
from streams.contracts.topics import ALERTS, DEAD_LETTERS, LEDGER, MODELS, VOTES
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.stage import read_book
from streams.ledger.codec import Block, Notice, decode
from tests.crash.stack import EventLog, Stack, disturb
from tests.support.eventually import PATIENCE, eventually
from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis

pytestmark = [pytest.mark.crash, pytest.mark.integration, pytest.mark.timeout(1_200)]

BATTLES = int(os.environ.get("ISONOMY_CRASH_BATTLES", "20000"))
KILLS = int(os.environ.get("ISONOMY_CRASH_KILLS", "4"))
SEED = int(os.environ.get("ISONOMY_CRASH_SEED", "1"))

ARENAS = ("text", "code")
"""The arenas are on two ledger partitions, so that each fairness worker has one."""
WORKERS = {"intake-1": "intake", "intake-2": "intake", "fairness-1": "fairness", "fairness-2": "fairness"}
SCENARIO = """
name = "storm"
about = "One model leaves the sampler in silence and comes back, another leaves for good"
battles = {battles}

[[models]]
name = "model"
count = 20
provider = "lab"
providers = 10
license = ["proprietary", "open_weight"]
strength = {{ mean = 1000, sd = 80 }}

[[events]]
kind = "remove"
models = "model-07"
at = {first}

[[events]]
kind = "restore"
models = "model-07"
at = {back}

[[events]]
kind = "remove"
models = "model-12"
at = {second}
"""
DECLARED_WITHIN = 60.0
SENT_WITHIN = 240.0 * PATIENCE
WATCHED_WITHIN = 180.0 * PATIENCE
MOST_AT_ONCE = 1_000


@pytest.fixture
def pipeline(
    broker: TestBroker, redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Pipeline]:
    settings = tmp_path / "fairness.toml"
    settings.write_text("[default]\nreview_battles = 1_000\nrepeat_reviews = 2\n")
    # The watchdog detects a hanging stage sooner than in production, so that the suite ends.
    # States are saved rarely, so that a new owner emits alerts again that were already published.
    environ = {
        "ISONOMY_WATCHDOG_SECONDS": "40",
        "ISONOMY_SNAPSHOT_SECONDS": "10",
        "ISONOMY_REPLICATION": str(broker.replication),
        "ISONOMY_FAIRNESS_FILE": str(settings),
    }
    pipeline = Pipeline(broker.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path, environ)
    pipeline.create_topics()
    try:
        yield pipeline
    finally:
        pipeline.stop()


class FairnessStack(Stack):
    """Two intakes and two fairness folds."""

    def counted(self) -> int:
        """Battles in the fairness views of all arenas."""
        keys = self.pipeline.settings.redis.keys
        with self.pipeline.redis as redis:
            texts = [redis.get(keys.fairness(arena)) for arena in ARENAS]
        return sum(json.loads(text)["battles"] for text in texts if text is not None)


@pytest.fixture
def stack(broker: TestBroker, redis_server: TestRedis, pipeline: Pipeline, log: EventLog) -> Iterator[FairnessStack]:
    stack = FairnessStack(broker, redis_server, pipeline, log, WORKERS, {})
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


class Sender:
    """Sends votes in order at a variable pace; batches that are not acknowledged are resent with their ids."""

    def __init__(self, pipeline: Pipeline, votes: list[tuple[bytes, bytes]]) -> None:
        self._pipeline, self._votes = pipeline, votes
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self.sent = 0
        self.pace = 1_000.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._halt.set()
        self._thread.join(90.0)

    @property
    def remaining(self) -> int:
        return len(self._votes) - self.sent

    def _run(self) -> None:
        while self.remaining and not self._halt.is_set():
            began = time.monotonic()
            size = int(min(max(self.pace / 5, 50), MOST_AT_ONCE))
            batch = self._votes[self.sent : self.sent + size]
            try:
                self._pipeline.produce_raw(VOTES.name, batch)
            except KafkaError:
                self._halt.wait(0.3)
                continue
            self.sent += len(batch)
            self._halt.wait(max(0.0, began + len(batch) / self.pace - time.monotonic()))


def make_feed() -> tuple[list[tuple[bytes, bytes | None]], list[tuple[bytes, bytes]]]:
    """Model records, and the interleaved votes of all arenas."""
    text = SCENARIO.format(battles=BATTLES, first=BATTLES // 4, back=BATTLES // 2, second=3 * BATTLES // 4)
    models: list[tuple[bytes, bytes | None]] = []
    votes: list[list[tuple[bytes, bytes]]] = []
    for number, arena in enumerate(ARENAS):
        simulation = simulate(read_scenario(text), SEED + number, arena=arena)
        recorder = Recorder(simulation.world, simulation.world.scenario.clock.start)
        mine: list[tuple[bytes, bytes]] = []
        for record in simulation:
            if isinstance(record, Notice):
                key, value = recorder.model(record)
                models.append((key.encode(), None if value is None else value.encode()))
            else:
                found = recorder.votes(record)
                mine += [(k.encode(), v.encode()) for k, v in zip(found.keys, found.values, strict=True)]
        votes.append(mine)
    return models, [vote for turn in zip(*votes, strict=True) for vote in turn]


def schedule(rng: random.Random, stack: FairnessStack) -> list[Callable[[], None]]:
    """The events: kills divided evenly among both stages, and the other faults."""

    def one_of(kind: str) -> str:
        return f"{kind}-{rng.randint(1, 2)}"

    kinds = [("fairness", "intake")[number % 2] for number in range(KILLS)]
    events: list[Callable[[], None]] = [lambda kind=kind: stack.kill(one_of(kind)) for kind in kinds]  # type: ignore[misc]
    events += [lambda: stack.freeze(one_of("fairness")), stack.flush]
    if stack.broker.durable:
        events.append(stack.crash_broker)
    return events


def refolded(pipeline: Pipeline) -> dict[str, list[bytes]]:
    """The alerts of each arena that one undisturbed process emits when it folds the ledger from the start."""
    book = read_book(pipeline.settings.fold)
    states = {arena: ArenaFairness.start(arena, book.of(arena)) for arena in ARENAS}
    alerts: dict[str, list[bytes]] = {arena: [] for arena in ARENAS}
    for record in pipeline.topic(LEDGER.name):
        entry = decode(record.value)
        alerts[entry.arena] += map(encode_alert, fold(states[entry.arena], entry))
    assert {arena: state.scene.facts.rows for arena, state in states.items()} == dict.fromkeys(ARENAS, BATTLES)
    return alerts


def where_it_lacks(stack: FairnessStack) -> str:
    """Failure message: the number of votes in `votes`, the ledger and the views, and the votes not in the ledger."""
    pipeline, rows = stack.pipeline, set[tuple[str, int, int]]()
    for record in pipeline.topic(LEDGER.name):
        entry = decode(record.value)
        if isinstance(entry, Block):
            rows |= {
                (entry.arena, *at) for at in zip(*map(list, (entry.rows.partition, entry.rows.offset)), strict=True)
            }
    places: dict[tuple[str, str], set[tuple[str, int, int]]] = {}
    for record in pipeline.topic(VOTES.name):
        vote = json.loads(record.value)
        places.setdefault((vote["arena"], vote["id"]), set()).add((vote["arena"], record.partition, record.offset))
    missing = {vote: at for vote, at in places.items() if not at & rows}
    with pipeline.redis as redis:
        views = [json.loads(redis.get(pipeline.settings.redis.keys.fairness(arena)) or b"{}") for arena in ARENAS]
    shown = [(view.get("battles"), view.get("position")) for view in views]
    return f"{len(places)} votes, {len(rows)} rows, views {shown}, not in the ledger {missing}"


def without_repeats(values: list[bytes]) -> list[Alert]:
    """The alerts without repeats: those of the same id, status and evidence."""
    known: dict[tuple[str, Status, bytes], Alert] = {}
    for value in values:
        alert = decode_alert(value)
        known.setdefault((alert.id, alert.status, json.dumps(alert.evidence, sort_keys=True).encode()), alert)
    return list(known.values())


def test_whatever_falls_the_alerts_are_those_of_one_undisturbed_process(
    stack: FairnessStack, pipeline: Pipeline, log: EventLog
) -> None:
    log.say(f"{len(ARENAS)} × {BATTLES:,} battles, {KILLS} kills, seed {SEED}, {stack.broker.kind} broker")
    models, votes = make_feed()
    pipeline.produce_raw(MODELS.name, models)
    eventually(lambda: len(pipeline.topic(LEDGER.name)) >= len(models), DECLARED_WITHIN, every=0.3)
    sender = Sender(pipeline, votes)
    sender.start()
    try:
        rng = random.Random(SEED)
        disturb(rng, stack, sender, schedule(rng, stack))
        sent = stack.watch_until(lambda: not sender.remaining, SENT_WITHIN)
    finally:
        sender.stop()
    assert sent, f"{sender.remaining} votes are not sent"
    caught_up = stack.watch_until(lambda: stack.counted() >= len(votes), WATCHED_WITHIN)
    log.say(f"{stack.counted():,} battles watched of {len(votes):,}")
    assert caught_up, f"{where_it_lacks(stack)}\n{stack.tails()}"
    codes = stack.stop()
    log.say(f"exits on the way {dict(stack.exits)}; in the end {codes}")

    values = [record.value for record in pipeline.topic(ALERTS.name)]
    expected = refolded(pipeline)
    told = {arena: [value for value in values if decode_alert(value).arena == arena] for arena in ARENAS}
    log.say(
        f"{len(values)} alerts told, {len(set(values))} different, {sum(map(len, expected.values()))} to be expected"
    )
    for arena in ARENAS:
        assert list(map(encode_alert, without_repeats(told[arena]))) == expected[arena]
        assert list(dict.fromkeys(told[arena])) == expected[arena], "repeats are exact"
        # After an outage intake reads the backlog partition by partition, so a removal may fire and be resolved once
        # more; the named models do not change.
        fired = {a.subject.model for a in without_repeats(told[arena]) if a.kind is Kind.SILENT_REMOVAL}
        assert fired == {"model-07", "model-12"}
    assert pipeline.topic(DEAD_LETTERS.name) == []
    assert set(codes.values()) == {0}, codes
    log.say("the alerts are those of one undisturbed process")
