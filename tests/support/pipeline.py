"""Runs the stream as real processes over a broker and a Redis, and compares it with the same votes in one process."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
from kafka import KafkaConsumer, KafkaProducer
from redis import Redis

from services.cli.rate import fold_source
from services.cli.topics import ensure_topics
from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from services.sources import open_source
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER, MODELS, RATINGS_GROUP, VOTES
from streams.contracts.view import Board, RatedModel
from streams.kafka.end_offsets import ask_ends, partitions_of_topic
from streams.ledger.codec import decode
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.publish import make_board
from streams.ratings.snapshot import decode_state
from tests.support.boards import shown
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess, run_isonomy
from tests.support.http import PLAIN

REPOSITORY = Path(__file__).resolve().parents[2]
READY = 90.0
"""Seconds for a process to start, join its group and take over, on a shared machine."""
COUNTED = 90.0
"""Seconds until the boards show new votes, a rebalance included."""

read_board = msgspec.json.Decoder(Board).decode
Vote = dict[str, Any]


@dataclass
class Worker:
    """One `isonomy worker`, not started yet."""

    process: ChildProcess
    port: int

    def start(self) -> Worker:
        self.process.start()
        return self

    def answer(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://{HOST}:{self.port}{path}", timeout=5, **PLAIN)
        except httpx.TransportError:
            return None

    def is_ready(self) -> bool:
        answer = self.answer("/readyz")
        return answer is not None and answer.status_code == 200

    def wait_ready(self) -> Worker:
        def ready() -> bool:
            code = self.process.poll()
            if code is not None:
                raise RuntimeError(f"{self.process.name} exited with {code}:\n{self.process.log_tail(40)}")
            return self.is_ready()

        eventually(ready, READY, every=0.1)
        return self

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the series of a name that have these labels; 0 without such a series or without an answer."""
        answer = self.answer("/metrics")
        total = 0.0
        for line in answer.text.splitlines() if answer is not None else ():
            series = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line)
            if series is None or series[1] != f"isonomy_{name}":
                continue
            if labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', series[2] or "")).items():
                total += float(series[3])
        return total

    def partitions(self, topic: str) -> set[int]:
        """Partitions of a topic (without prefix) that the worker follows, by the last such line in its log."""
        lines = re.findall(r"(?:intake|ratings) follows (\{.*\})", self.log())
        found = [line for line in lines if not line or topic in line or line == "{}"]
        return {int(number) for number in re.findall(rf"{topic}/(\d+)", found[-1])} if found else set()

    def log(self) -> str:
        return self.process.log_path.read_text() if self.process.log_path.exists() else ""

    def stop(self, within: float = 30.0) -> int:
        """Stop it with SIGTERM; returns its exit code."""
        self.process.terminate(within)
        code = self.process.poll()
        assert code is not None
        return code


@dataclass
class Pipeline:
    """One stream under prefixes of its own."""

    bootstrap: str
    redis_url: str
    topic_prefix: str
    redis_prefix: str
    directory: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    _started: list[Worker] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "REDIS_URL": self.redis_url,
            "ISONOMY_TOPIC_PREFIX": self.topic_prefix,
            "ISONOMY_REDIS_PREFIX": self.redis_prefix,
            "ISONOMY_SNAPSHOT_SECONDS": "1",
            **self.environ,
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environment)

    @property
    def redis(self) -> Redis:
        return Redis.from_url(self.redis_url)

    def create_topics(self, **partitions: int) -> Pipeline:
        ensure_topics(self.settings, create=True, partitions=partitions)
        return self

    def worker(self, name: str = "worker", stages: str = "intake,ratings", **environ: str) -> Worker:
        port = free_port()
        argv = [sys.executable, "-m", "services.cli.main", "worker", "--stages", stages, "--port", str(port)]
        process = ForkedProcess(
            name,
            argv,
            log_path=self.directory / f"{name}.log",
            env={**self.environment, **environ},
            cwd=REPOSITORY,
        )
        worker = Worker(process, port)
        self._started.append(worker)
        return worker

    def stop(self) -> None:
        """Kill all workers that still run."""
        for worker in self._started:
            if worker.process.alive:
                worker.process.kill()

    def isonomy(self, *arguments: str, check: bool = True, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run an `isonomy` command as on a command line."""
        done = run_isonomy(*arguments, env=self.environment, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"isonomy {' '.join(arguments)} exited with {done.returncode}:\n{done.stderr}")
        return done

    # --- in ----------------------------------------------------------------------------------------------------------

    def produce(self, votes: Iterable[Vote]) -> int:
        """Send votes with kafka-python, as a foreign client; returns their number."""
        return self.produce_raw(VOTES.name, ((vote["id"].encode(), encode(vote)) for vote in votes))

    def declare(self, arena: str, model: str, **fields: Any) -> None:
        """Send a model record; without fields, its tombstone."""
        record = {
            "arena": arena,
            "model": model,
            "license": "proprietary",
            "visibility": "public",
            "status": "active",
            "weight": 1.0,
            "tstamp": 1.0,
            **fields,
        }
        self.produce_raw(MODELS.name, [(f"{arena}/{model}".encode(), encode(record) if fields else None)])

    def produce_raw(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", linger_ms=5, max_request_size=4_000_000, batch_size=200_000
        )
        name = self.settings.kafka.topic(topic)
        try:
            futures = [producer.send(name, key=key, value=value) for key, value in records]
            for future in futures:
                future.get(timeout=60)
        finally:
            producer.close()
        return len(futures)

    # --- out ---------------------------------------------------------------------------------------------------------

    def board(self, arena: str = "text", name: str = "overall") -> Board | None:
        with self.redis as redis:
            text = redis.get(self.settings.redis.keys.board(arena, name))
        return None if text is None else read_board(text)

    def boards(self, arena: str = "text") -> dict[str, bytes]:
        """Every board of an arena as it is published."""
        keys = self.settings.redis.keys
        with self.redis as redis:
            names = sorted(name.decode() for name in redis.smembers(keys.boards(arena)))
            return {name: redis.get(keys.board(arena, name)) for name in names}

    def state(self, arena: str = "text") -> ArenaState:
        """The last saved state."""
        with self.redis as redis:
            fields = redis.hgetall(self.settings.redis.keys.state(arena, RATINGS_GROUP))
        return decode_state({name.decode(): value for name, value in fields.items()})

    def wait_counted(self, battles: int, arena: str = "text", within: float = COUNTED) -> Board:
        """Wait until the overall board shows exactly `battles`; more raise `RuntimeError` at once."""

        def counted() -> Board | None:
            board = self.board(arena)
            if board is not None and board.battles > battles:
                raise RuntimeError(f"{board.battles} battles counted, there are only {battles}")
            return board if board is not None and board.battles == battles else None

        try:
            return eventually(counted, within, every=0.05)  # type: ignore[return-value]  # a board, once it is true
        except AssertionError as error:
            board = self.board(arena)
            logs = "\n".join(f"{w.process.name}: {w.process.log_tail(20)}" for w in self._started)
            raise AssertionError(f"{board and board.battles} of {battles} battles counted; {error}\n{logs}") from None

    def topic(self, name: str) -> list[Any]:
        """Every record of a topic (without prefix), partition by partition, each in its order."""
        return sorted(self.read(name), key=lambda record: (record.partition, record.offset))

    def read(self, name: str) -> Iterator[Any]:
        """Every record of a topic (without prefix) as it arrives; each partition is in order."""
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_poll_records=20_000,
            fetch_max_wait_ms=100,
        )
        try:
            partitions = partitions_of_topic(consumer, self.settings.kafka.topic(name))
            ends = ask_ends(consumer, partitions)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            quiet = time.monotonic()
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for records in consumer.poll(timeout_ms=200).values():
                    yield from records
                    quiet = time.monotonic()
                assert time.monotonic() - quiet < 30, f"{name} cannot be read to its end"
        finally:
            consumer.close()

    def ledger_states(self) -> dict[str, ArenaState]:
        """Fold the ledger topic again in this process, with interpreted (not compiled) Elo."""
        return fold_ledger(self.topic(LEDGER.name), self.settings)


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def make_votes(
    count: int,
    seed: int = 0,
    *,
    arenas: Sequence[str] = ("text",),
    models: int = 12,
    start: int = 0,
    labels: bool = True,
) -> list[Vote]:
    """Votes of a synthetic arena whose models differ in strength; ids are `seed-number`."""
    rng = random.Random(f"{seed}/{start}")
    now = time.time() - 3600
    votes = []
    for number in range(start, start + count):
        a, b = rng.sample(range(models), 2)
        shown = rng.random()
        if shown < 0.06:
            winner = "none"
        elif shown < 0.16:
            winner = "both_bad" if shown < 0.1 else "tie (bothbad)"
        elif shown < 0.26:
            winner = "tie"
        else:
            winner = "model_a" if rng.random() < 1 / (1 + 1.25 ** (b - a)) else "model_b"
        vote: Vote = {
            "id": f"{seed}-{number}",
            "arena": rng.choice(arenas),
            "model_a": f"model-{a}",
            "model_b": f"model-{b}",
            "winner": winner,
            "tstamp": now + number / 1000,
        }
        if labels:
            vote["language"] = rng.choice(["English", "German", "中文"])
            vote["categories"] = rng.sample(["coding", "math", "creative"], rng.randint(0, 2))
        votes.append(vote)
    return votes


def fold_votes(votes: Iterable[Vote], directory: Path) -> dict[str, ArenaState]:
    """Fold votes in one process, as `isonomy rate` does; the first vote of an id counts."""
    path = directory / "votes.jsonl"
    path.write_bytes(b"\n".join(map(encode, votes)))
    states, summary = fold_source(open_source(str(path), now=time.time()))[:2]
    assert not summary.refused, summary.lines()
    return states


def fold_ledger(records: Iterable[Any], settings: Settings) -> dict[str, ArenaState]:
    """Fold ledger records in order, from the start, in this process."""
    states: dict[str, ArenaState] = {}
    limits = ArenaLimits(settings.fold.max_models, settings.fold.max_boards)
    for record in records:
        entry = decode(record.value)
        state = states.setdefault(entry.arena, ArenaState(entry.arena))
        fold(state, entry, limits, elo.interpreted)
        state.position = record.offset + 1
    return states


def named_counts(state: ArenaState) -> dict[str, dict[tuple[int, str, str], int]]:
    """Counts of every board by winner code and names of the two models: equal votes in any order give equal counts."""
    names = list(state.models)
    found = {}
    for name, board in state.boards.items():
        members = [names[number] for number in board.members]
        battles = shown(board)
        found[name] = {(int(w), members[a], members[b]): int(battles[w, a, b]) for w, a, b in np.argwhere(battles)}
    return found


def assert_same_counts(state: ArenaState, expected: ArenaState) -> None:
    """Assert that every board has exactly the same battles, pair by pair."""
    found, wanted = named_counts(state), named_counts(expected)
    assert sorted(found) == sorted(wanted)
    for name in wanted:
        assert found[name] == wanted[name], f"board {name}"


def assert_same_boards(published: Mapping[str, bytes], expected: ArenaState, *, elo_too: bool = False) -> None:
    """Assert that the published boards are those of the expected state: counts exactly, ratings within 1e-9 points.

    Elo depends on the order, so it is compared only with a state folded in the same order, and then exactly.
    """
    assert sorted(published) == sorted(expected.boards)
    near = partial(np.testing.assert_allclose, rtol=0, atol=1e-9)
    for name, text in published.items():
        board, wanted = read_board(text), make_board(expected, name)[0]
        assert (board.arena, board.board) == (expected.arena, name)
        assert (board.votes, board.battles) == (wanted.votes, wanted.battles), name
        assert board.solver.components == wanted.solver.components
        lines = {line.model: line for line in board.models}
        assert sorted(lines) == sorted(line.model for line in wanted.models), name
        assert [line.rating for line in board.models] == sorted((line.rating for line in board.models), reverse=True)
        for line in wanted.models:
            found = lines[line.model]
            for exact in ("rank", "votes", "battles", "provisional", "reason"):
                assert getattr(found, exact) == getattr(line, exact), (name, line.model, exact)
            near(_ends(found), _ends(line))
            assert (found.davidson is None) == (line.davidson is None)
            near(found.davidson or 0.0, line.davidson or 0.0)
            if elo_too:
                assert found.elo == line.elo, (name, line.model, "elo")


def wait_same_boards(pipeline: Pipeline, expected: ArenaState, *, elo_too: bool = False) -> None:
    """Wait until the published boards are those of the expected state; an arena's boards may appear one by one."""

    def same() -> bool:
        assert_same_boards(pipeline.boards(expected.arena), expected, elo_too=elo_too)
        return True

    eventually(same, COUNTED, every=0.1)


def _ends(line: RatedModel) -> list[float]:
    """A rating and its interval, with infinity for an open end."""
    lower, upper = -np.inf if line.lower is None else line.lower, np.inf if line.upper is None else line.upper
    return [line.rating, lower, upper]


def comparable(text: bytes) -> bytes:
    """A board's bytes without the parts that do not depend on its votes alone.

    These are the solver's iterations, which depend on its starting point, and as_of and position, the place in the
    ledger when the board was last published: an unchanged board is not published again until it is lost.
    """
    text = re.sub(rb'"as_of":[^,]+,"position":\{.*?\}\},', b"", text, count=1)
    return re.sub(rb'"iterations":\d+', b'"iterations":0', text, count=1)
