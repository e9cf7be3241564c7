"""The stack as a user sees it: gateway, worker and board, with their own prefixes; and the data sent to it."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from services.simulate import Simulation, World, read_scenario
from services.simulate.records import Recorder
from streams.contracts.topics import LEDGER, MODELS, VOTES
from streams.ledger.codec import Notice
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.gateway import GatewayProcess
from tests.support.http import PLAIN
from tests.support.pipeline import COUNTED, READY, REPOSITORY, Pipeline
from tests.support.scenario import SMALL_REMOVAL


@dataclass
class BoardProcess:
    """One `isonomy board`."""

    process: ChildProcess
    url: str

    def start(self) -> BoardProcess:
        self.process.start()

        def ready() -> bool:
            assert self.process.alive, self.process.log_tail(40)
            try:
                return httpx.get(f"{self.url}/readyz", **PLAIN).status_code == 200
            except httpx.TransportError:
                return False

        eventually(ready, READY)
        return self


@dataclass
class Stack:
    """What runs."""

    pipeline: Pipeline
    gateway: GatewayProcess
    board: BoardProcess

    def vote(self, arena: str, model_a: str, model_b: str, winner: str = "model_a") -> float:
        """Send one vote through the gateway; returns when it was sent, epoch seconds."""
        now = time.time()
        vote = {
            "id": f"{arena}-{time.monotonic_ns()}",
            "arena": arena,
            "model_a": model_a,
            "model_b": model_b,
            "winner": winner,
            "tstamp": now,
        }
        with self.gateway.client() as client:
            answer = client.post("/v1/votes", json=vote)
        assert answer.status_code == 202, answer.text
        return now

    def crowd(self, arena: str, names: list[str]) -> None:
        """Create an arena with this number of models, all ranked, and wait for its board."""
        rng = random.Random(arena)
        now = time.time() - 60
        votes: list[dict[str, Any]] = []
        for at, name in enumerate(names):
            # A ring of wins joins all of them; the rest is chance.
            others = [
                names[(at + 1) % len(names)],
                *(names[(at + rng.randrange(1, len(names))) % len(names)] for _ in range(4)),
            ]
            for nth, other in enumerate(others):
                winner = "model_a" if nth == 0 or rng.random() < 0.5 else "model_b"
                number = len(votes)
                votes.append(
                    {
                        "id": f"{arena}-{number}",
                        "arena": arena,
                        "model_a": name,
                        "model_b": other,
                        "winner": winner,
                        "tstamp": now,
                    }
                )
        self.pipeline.produce(votes)
        self.pipeline.wait_counted(len(votes), arena)

    def on_page(self, arena: str) -> None:
        """Wait until the board knows an arena."""
        url = f"{self.board.url}/v1/arenas/{arena}/fairness"
        eventually(lambda: httpx.get(url, **PLAIN).status_code == 200, COUNTED)


class Feed:
    """The records of the scenario, sent in parts, the registry before the first vote."""

    def __init__(self, stack: Stack, arena: str, scenario: str = SMALL_REMOVAL) -> None:
        self.stack, self.arena = stack, arena
        world = World(read_scenario(scenario), 1, None, arena)
        start = time.time() - world.seconds
        recorder = Recorder(world, start)
        self.records: list[tuple[bytes, bytes]] = []
        self._models: list[tuple[bytes, bytes | None]] = []
        for record in Simulation(world, start):
            if isinstance(record, Notice):
                key, value = recorder.model(record)
                self._models.append((key.encode(), None if value is None else value.encode()))
            else:
                votes = recorder.votes(record)
                self.records += [(k.encode(), v.encode()) for k, v in zip(votes.keys, votes.values, strict=True)]

    def declare(self) -> None:
        """Send the registry and wait until the ledger has it."""
        pipeline = self.stack.pipeline
        before = len(pipeline.topic(LEDGER.name))
        pipeline.produce_raw(MODELS.name, self._models)
        eventually(lambda: len(pipeline.topic(LEDGER.name)) >= before + len(self._models), COUNTED, every=0.2)

    def votes(self, start: int, stop: int) -> None:
        """Send some of the votes and wait until they are counted."""
        self.stack.pipeline.produce_raw(VOTES.name, self.records[start:stop])
        self.stack.pipeline.wait_counted(stop, self.arena)


def board_process(pipeline: Pipeline, directory: Path, name: str = "board", **environ: str) -> BoardProcess:
    """A board that is not started yet."""
    port = free_port()
    process = ForkedProcess(
        name,
        [sys.executable, "-m", "services.cli.main", "board", "--port", str(port)],
        log_path=directory / f"{name}.log",
        env={**pipeline.environment, **environ},
        cwd=REPOSITORY,
    )
    return BoardProcess(process, f"http://{HOST}:{port}")
