"""The whole stack as real processes, monitored by a real Prometheus, with a typical day of an arena in seconds."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from services.local.ports import HOST, free_port
from streams.contracts.settings import Settings
from streams.contracts.subscription import ChannelType, encode_subscription
from streams.contracts.topics import SUBSCRIPTIONS, VOTES
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.gateway import gateway_process
from tests.support.herald import Endpoints, make_subscription
from tests.support.http import PLAIN
from tests.support.pipeline import REPOSITORY, Pipeline, encode, make_votes
from tests.support.prometheus import Prometheus

ARENA, REMOVED = "trial", "model-03"
SCENARIO = """
name = "removal"
about = "One model leaves the sampler while the registry says active"
expect = "silent_removal of {removed}"
battles = {battles}

[[models]]
name = "model"
count = 16
provider = "lab"
providers = 5
license = ["proprietary", "open_weight", "proprietary", "open_source"]
strength = {{ mean = 1000, sd = 90 }}

[[events]]
kind = "remove"
models = "{removed}"
at = {at}
"""
FAIRNESS = "[default]\nreview_battles = 1000\nwindow_reviews = 3\nrepeat_reviews = 5\n"


@dataclass
class Monitored:
    """One stack, which runs while the context is open."""

    bootstrap: str
    redis_url: str
    topic_prefix: str
    redis_prefix: str
    directory: Path
    prometheus: Prometheus = field(init=False)
    gateway_url: str = ""
    board_url: str = ""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Monitored:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stack.close()

    def _start(self) -> None:
        rules = self.directory / "fairness.toml"
        rules.write_text(FAIRNESS)
        environ = {
            "ISONOMY_FAIRNESS_FILE": str(rules),
            "ISONOMY_ALLOW_PRIVATE": "1",
            "ISONOMY_HERALD_GROUP_SECONDS": "0.3",
            "ISONOMY_HERALD_RESEND_SECONDS": "2",
        }
        self.pipeline = Pipeline(
            self.bootstrap, self.redis_url, self.topic_prefix, self.redis_prefix, self.directory, environ
        ).create_topics()
        self._stack.callback(self.pipeline.stop)
        worker = self.pipeline.worker(stages="intake,ratings,fairness").start()
        self._gateway = gateway_process(self.bootstrap, self.topic_prefix, self.directory)
        self._stack.enter_context(self._gateway.process)
        self.gateway_url = self._gateway.url
        board, herald = free_port(), free_port()
        self.board_url = f"http://{HOST}:{board}"
        for name, port in (("board", board), ("herald", herald)):
            argv = [sys.executable, "-m", "services.cli.main", name, "--port", str(port)]
            log, env = self.directory / f"{name}.log", self.pipeline.environment
            self._stack.enter_context(ForkedProcess(name, argv, log_path=log, env=env, cwd=REPOSITORY))
        targets = {
            "isonomy-worker": [f"{HOST}:{worker.port}"],
            "isonomy-gateway": [self.gateway_url.removeprefix("http://")],
            "isonomy-board": [f"{HOST}:{board}"],
            "isonomy-herald": [f"{HOST}:{herald}"],
        }
        self.prometheus = Prometheus(self.directory / "prometheus", targets)
        self._stack.callback(self.prometheus.stop)
        # The first votes trigger the JIT compilation, which must not be part of the measured day.
        worker.wait_ready()
        self.pipeline.produce(make_votes(500, seed=1, arenas=("warm",)))
        self.pipeline.wait_counted(500, "warm")
        self.prometheus.start()
        self.endpoints = self._stack.enter_context(Endpoints())
        eventually(self.prometheus.all_up, 60, every=0.2)
        eventually(lambda: self.prometheus.instant("isonomy_herald_owner == 1"), 60, every=0.2)

    @property
    def settings(self) -> Settings:
        """The settings of every process."""
        return self.pipeline.settings

    def subscribe(self) -> None:
        """Create three subscriptions: one that answers, one that fails with 500, and an Alertmanager."""
        self.endpoints.behaviour["/broken"] = 500
        subscriptions = (
            make_subscription("well", self.endpoints.url("/well")),
            make_subscription("broken", self.endpoints.url("/broken")),
            make_subscription("alertmanager", self.endpoints.url("/am"), ChannelType.ALERTMANAGER),
        )
        records = [(each.id.encode(), encode_subscription(each)) for each in subscriptions]
        self.pipeline.produce_raw(SUBSCRIPTIONS.name, records)

    def play(self, battles: int, at: int, rate: float) -> None:
        """Simulate an arena that silently removes one model after `at` battles; takes battles / rate seconds."""
        path = self.directory / "removal.toml"
        path.write_text(SCENARIO.format(battles=battles, at=at, removed=REMOVED))
        self.pipeline.isonomy(
            "simulate", str(path), "--kafka", "--now", "--arena", ARENA, "--rate", str(rate), timeout=600
        )

    def bother(self, until: threading.Event) -> None:
        """Act as senders and readers: send valid, invalid and duplicate votes, read pages, follow an event stream."""
        with ExitStack() as stack:
            sender = stack.enter_context(self._gateway.client())
            reader = stack.enter_context(httpx.Client(base_url=self.board_url, timeout=30, **PLAIN))
            number, live = 0, False
            while not until.is_set():
                votes: list[dict[str, Any]] = make_votes(12, seed=7, start=number)
                wrong = {**votes[0], "id": f"wrong-{number}", "winner": "nobody"}
                sender.post("/v1/votes", json=[*votes, votes[0], wrong])
                self.pipeline.produce_raw(VOTES.name, [(wrong["id"].encode(), encode(wrong))])
                known = reader.get(f"/v1/arenas/{ARENA}/leaderboard").is_success
                for path in ("/v1/arenas", f"/v1/arenas/{ARENA}/fairness"):
                    reader.get(path)
                if known and not live:
                    live = stack.enter_context(reader.stream("GET", f"/v1/arenas/{ARENA}/events")).is_success
                number += 12
                until.wait(0.3)

    def wait_alert(self, within: float = 60.0) -> float:
        """Wait until Prometheus has the removal alert; returns the time."""
        expr = f'isonomy_arena_alert_starts_at_seconds{{arena="{ARENA}",kind="silent_removal",name="{REMOVED}"}}'
        eventually(lambda: self.prometheus.instant(expr), within, every=0.2)
        return time.time()
