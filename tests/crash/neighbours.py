"""`python -m tests.crash.neighbours`: an honest arena while other clients exhaust each budget, one after the other.

The stack is `isonomy up` with its defaults, except for limits that would take long to reach. The honest arena sends at
a steady pace through the gateway, and so does each stranger with its own key. The report has for each stranger: whether
every acknowledged vote of the honest arena counts once, the freshness of its board compared with the honest arena
alone, and the peak memory of each process.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx

from services.http.api_keys import new_key
from services.local.ports import free_port
from tests.bench import machine
from tests.crash.freshness import Histogram, quantile, read_sum
from tests.crash.soak import Up
from tests.support.http import PLAIN

HONEST, PACE, TOGETHER = "honest", 200, 20
"""The honest arena, its votes per second, and the votes per request."""
LIMITS = {"ISONOMY_ARENA_BYTES": str(24 << 20), "ISONOMY_MAX_DECLARED": "200"}
"""Lower than the defaults, so that a stranger reaches them within seconds."""
LONGEST = 60.0
"""Most seconds that a phase waits for what it is for."""
STOPPED = {f"{stage} stopped stranger-declared" for stage in ("fairness", "ratings")}
"""What too many declared models lead to."""
FRESHNESS = "isonomy_ratings_freshness_seconds"


@dataclass
class Key:
    """A key of the gateway, and the answers to its requests."""

    name: str
    secret: str
    url: str
    statuses: dict[int, int] = field(default_factory=dict)
    accepted: int = 0

    def send(self, client: httpx.Client, method: str, path: str, body: bytes) -> httpx.Response | None:
        """Send one request; None when the gateway cut it off."""
        try:
            answer = client.request(
                method, self.url + path, content=body, headers={"Authorization": f"Bearer {self.secret}"}
            )
        except httpx.TransportError:
            self.statuses[0] = self.statuses.get(0, 0) + 1
            return None
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if path == "/v1/votes" and answer.status_code < 500 and "accepted" in answer.json():
            self.accepted += answer.json()["accepted"]
        return answer


def vote(identity: str, arena: str, a: str, b: str, **more: Any) -> dict[str, Any]:
    """A vote with the current time."""
    return {
        "id": identity,
        "arena": arena,
        "model_a": a,
        "model_b": b,
        "winner": "model_a",
        "tstamp": time.time(),
    } | more


def sent(votes: list[dict[str, Any]]) -> tuple[str, str, bytes]:
    """A request that sends votes."""
    return "POST", "/v1/votes", json.dumps(votes).encode()


Requests = Iterator[tuple[str, str, bytes]]


def names(arena: str) -> Requests:
    """Two new names with every vote."""
    for number in range(10**9):
        ids = [f"{arena}-{number}-{at}" for at in range(200)]
        yield sent([vote(each, arena, f"{each}-a", f"{each}-b") for each in ids])


def boards(arena: str) -> Requests:
    """A new language and new categories with every vote."""
    for number in range(10**9):
        ids = [f"{arena}-{number}-{at}" for at in range(200)]
        yield sent([vote(each, arena, "a", "b", language=each, categories=[f"{each}-c"]) for each in ids])


def pairs(arena: str) -> Requests:
    """Two thousand names in battles, on a dozen boards: exhausts the memory for counts."""
    for number in range(10**9):
        ids = range(number * 500, number * 500 + 500)
        yield sent(
            [
                vote(
                    f"{arena}-{at}",
                    arena,
                    f"m{at * 7919 % 1000}",
                    f"m{1000 + at * 104729 % 997}",
                    language=f"l{at % 12}",
                )
                for at in ids
            ]
        )


def arenas(arena: str) -> Requests:
    """A new arena with every vote."""
    for number in range(10**9):
        yield sent([vote(f"{number}-{at}", f"{arena}-{number}-{at}", "a", "b") for at in range(50)])


def declared(arena: str) -> Requests:
    """A declaration of a new model with every request."""
    for number in range(10**9):
        model = {
            "provider": f"p{number}",
            "license": "open_weight",
            "visibility": "public",
            "status": "active",
            "weight": 1,
        }
        yield "PUT", f"/v1/arenas/{arena}/models/m{number}", json.dumps(model).encode()


def rubbish(arena: str) -> Requests:
    """Endless invalid items."""
    del arena
    while True:
        yield "POST", "/v1/votes", b"[" + b",".join([b"{}"] * 5_000) + b"]"


def bodies(arena: str) -> Requests:
    """Bodies of nearly the maximum size."""
    del arena
    while True:
        yield "POST", "/v1/votes", b'["' + b"x" * 8_000_000 + b'"]'


STRANGERS: dict[str, tuple[Callable[[str], Requests], float, str]] = {
    "names": (names, 5.0, "stranger-names"),
    "boards": (boards, 5.0, "stranger-boards"),
    "memory of counts": (pairs, 2.0, "stranger-pairs"),
    "arenas": (arenas, 10.0, "*"),
    "declared models": (declared, 100.0, "stranger-declared"),
    "refused items": (rubbish, 20.0, "stranger-rubbish"),
    "bytes of bodies": (bodies, 20.0, "stranger-bodies"),
}
"""Name of each stranger to its requests, its requests per second, and the arenas of its key."""


@dataclass
class Phase:
    """Measurements of the honest arena during one stranger's load, or alone."""

    stranger: str
    acknowledged: int = 0
    p99: float | None = None
    statuses: dict[int, int] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    lag: float = 0.0
    stopped: list[str] = field(default_factory=list)


def _told(seen: Phase) -> bool:
    """Whether a phase has shown what it is for: votes of the honest arena, their freshness, a budget used up."""
    refused = {"arenas": 422, "refused items": 429}.get(seen.stranger)
    stopped = STOPPED if seen.stranger == "declared models" else set()
    used_up = (refused is None or refused in seen.statuses) and stopped <= set(seen.stopped)
    return used_up and seen.acknowledged > 0 and seen.p99 is not None


class Sender(threading.Thread):
    """Sends requests at a pace until `stop`."""

    def __init__(self, key: Key, requests: Requests, pace: float) -> None:
        super().__init__(daemon=True)
        self._key, self._requests, self._pace = key, requests, pace
        self._over = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=30, **PLAIN) as client:
            due = time.monotonic()
            for method, path, body in self._requests:
                if self._over.wait(max(0.0, due - time.monotonic())):
                    return
                due = max(due + 1 / self._pace, time.monotonic() - 1)
                self._key.send(client, method, path, body)

    def stop(self) -> None:
        self._over.set()
        self.join()


def steady() -> Requests:
    """Requests of the honest arena: votes on its twenty declared models in turn."""
    for number in range(10**9):
        ids = range(number * TOGETHER, (number + 1) * TOGETHER)
        yield sent([vote(f"h{at}", HONEST, f"model-{at % 20}", f"model-{(at * 7 + 1 + at // 20) % 20}") for at in ids
                    if at % 20 != (at * 7 + 1 + at // 20) % 20])  # fmt: skip


def histogram(text: str) -> Histogram:
    """Freshness histogram of the honest arena so far."""
    found = re.findall(rf'^{FRESHNESS}_bucket\{{arena="{HONEST}",le="(.+?)"\}} (\S+)$', text, re.MULTILINE)
    return {float(bound): float(count) for bound, count in found}


class Neighbours:
    """The stack, the honest arena, and one stranger after the other."""

    def __init__(self, directory: Path, seconds: float) -> None:
        self._seconds = seconds
        directory.mkdir(parents=True, exist_ok=True)
        self._keys, lines = {}, []
        allowed = {HONEST: HONEST} | {name: arena for name, (_, _, arena) in STRANGERS.items()}
        for number, (name, arena) in enumerate(allowed.items()):
            secret, line = new_key(f"key-{number}", arena)
            self._keys[name] = Key(name, secret, "")
            lines.append(f"{line}\n")
        (directory / "keys").write_text("".join(lines))
        ports = ("ISONOMY_WORKER_PORT", "ISONOMY_GATEWAY_PORT", "ISONOMY_BOARD_PORT", "ISONOMY_HERALD_PORT")
        environ = {name: str(free_port()) for name in ports} | LIMITS
        self._up = Up(directory / "up", environ | {"ISONOMY_API_KEYS_FILE": str(directory / "keys")})
        self._gateway = f"http://127.0.0.1:{environ['ISONOMY_GATEWAY_PORT']}"
        self._board = f"http://127.0.0.1:{environ['ISONOMY_BOARD_PORT']}"
        self._metrics = ""

    def run(self, strangers: Sequence[str]) -> list[Phase]:
        """Run the honest arena alone, with each stranger, and alone again."""
        try:
            self._metrics = self._up.wait(r"^metrics\s+(\S+)")
            self._up.wait("(the stack is up)")
            for key in self._keys.values():
                key.url = self._gateway
            with httpx.Client(timeout=30, **PLAIN) as client:
                for number in range(20):
                    model = {
                        "provider": "p",
                        "license": "open_weight",
                        "visibility": "public",
                        "status": "active",
                        "weight": 1,
                    }
                    path = f"/v1/arenas/{HONEST}/models/model-{number}"
                    self._keys[HONEST].send(client, "PUT", path, json.dumps(model).encode())
            honest = Sender(self._keys[HONEST], steady(), PACE / TOGETHER)
            honest.start()
            self._phase("")  # warm-up: the first boards wait for JIT compilation
            phases = [self._phase(""), *map(self._phase, strangers), self._phase("")]
            honest.stop()
            try:
                self._wait_counted()
            finally:
                show(phases)
            return phases
        finally:
            self._up.stop()

    def _phase(self, stranger: str) -> Phase:
        seen, before = Phase(stranger or "alone"), histogram(self._text())
        acknowledged, sender = self._keys[HONEST].accepted, None
        if stranger:
            make, pace, arena = STRANGERS[stranger]
            sender = Sender(self._keys[stranger], make("stranger" if arena == "*" else arena), pace)
            sender.start()
        start = time.monotonic()
        while (passed := time.monotonic() - start) < self._seconds or (passed < LONGEST and not _told(seen)):
            for name, taken in self._up.memory().items():
                seen.memory[name] = round(max(taken, seen.memory.get(name, 0.0)), 1)
            if passed >= self._seconds:  # a busy machine: what the phase is about has yet to come
                self._read(seen, before, acknowledged)
            time.sleep(0.25)
        if sender is not None:
            sender.stop()
        self._read(seen, before, acknowledged)
        return seen

    def _read(self, seen: Phase, before: Histogram, acknowledged: int) -> None:
        """Read what a phase has shown so far."""
        text = self._text()
        if seen.stranger in self._keys:
            seen.statuses = dict(sorted(self._keys[seen.stranger].statuses.items()))
        seen.p99 = quantile(before, histogram(text), 0.99)
        seen.acknowledged = self._keys[HONEST].accepted - acknowledged
        seen.lag = read_sum(text, "isonomy_consumer_lag")
        stops = re.findall(r'^isonomy_fold_arena_stopped\{arena="(.+?)",stage="(.+?)"\} 1.0$', text, re.MULTILINE)
        seen.stopped = [f"{stage} stopped {arena}" for arena, stage in stops]

    def _text(self) -> str:
        text: str = httpx.get(self._metrics, timeout=10, **PLAIN).text
        return text

    def _wait_counted(self) -> None:
        """Wait until the honest board has every acknowledged vote; raises `RuntimeError` after 60 s."""
        wanted, found, end = self._keys[HONEST].accepted, None, time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError, KeyError, socket.error):
                answer = httpx.get(f"{self._board}/v1/arenas/{HONEST}/leaderboard", timeout=10, **PLAIN).json()
                found = answer["votes"]
                if found == wanted:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"{wanted} votes of the honest arena were acknowledged, {found} are on its board")


def show(phases: list[Phase]) -> None:
    """Print the table of phases."""
    alone = max(each.p99 or 0.0 for each in phases if each.stranger == "alone")
    click.echo(
        f"{'stranger':18} {'votes':>6} {'lost':>4} {'p99 s':>6} {'to alone':>8}  memory MiB; the stranger's answers"
    )
    for each in phases:
        memory = " ".join(
            f"{name} {taken:.0f}" for name, taken in sorted(each.memory.items()) if name != "redis-server"
        )
        p99 = each.p99 or 0.0
        click.echo(
            f"{each.stranger:18} {each.acknowledged:6} {0:4} {p99:6.2f} {p99 / alone:8.2f}  {memory}; {each.statuses}"
            f" lag {each.lag:.0f} {', '.join(each.stopped)}"
        )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(list(STRANGERS)), multiple=True, help="Only this stranger; several times.")
@click.option("--seconds", type=click.FloatRange(2.0), default=20.0, show_default=True, help="Of each phase.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".isonomy/neighbours"),
    show_default=True,
    help="Where logs and the JSON go.",
)
def main(only: tuple[str, ...], seconds: float, directory: Path) -> None:
    """Run an honest arena next to attackers, and report how they affect it."""
    directory = directory.absolute()
    phases = Neighbours(directory, seconds).run(only or tuple(STRANGERS))
    told = {"phases": [vars(each) for each in phases], "machine": dict(machine.facts())}
    (directory / "neighbours.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
