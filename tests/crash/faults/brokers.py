"""Faults of the brokers and of the network between workers and a leader."""

from __future__ import annotations

from collections.abc import Callable

from streams.contracts.topics import LEDGER, VOTES
from tests.crash.faults.catalogue import Act, Need, fault, mends
from tests.crash.scene import Scene
from tests.support.proxy import Proxy, Way

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


# --- the network ------------------------------------------------------------------------------------------------------


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
