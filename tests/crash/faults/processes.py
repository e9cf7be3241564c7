"""Faults of Isonomy's processes: kill, freeze, and change their number."""

from __future__ import annotations

from tests.crash.faults.catalogue import Act, fault, mends
from tests.crash.scene import Scene


def _kill(kind: str) -> Act:
    return lambda scene: scene.kill(scene.rng.choice([name for name in scene.children if name in _usual(scene, kind)]))


def _usual(scene: Scene, kind: str) -> list[str]:
    """The processes of a kind that run or are being restarted, without the spares."""
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
