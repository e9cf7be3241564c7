"""`python -m tests.crash.soak`: `isonomy up` under a steady load, to see whether memory, lag and freshness are stable.

Votes are rich (language, two categories, voter), make 26 boards, and are sent to Kafka in large batches like those of a
replay. Every few seconds the memory of each process, the lag and the freshness histogram are sampled.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import httpx
import psutil

from services.cli.send import VoteSender
from services.local.ports import free_port
from streams.contracts.settings import Settings
from tests.bench import machine
from tests.crash.freshness import Histogram, quantile, read_histogram, read_sum
from tests.support.http import PLAIN
from tests.support.kafka_node import KafkaNode
from tests.support.pipeline import REPOSITORY

LANGUAGES = tuple(f"Language{number:02}" for number in range(12))
CATEGORIES = tuple(f"category{number:02}" for number in range(13))
BOARDS = 1 + len(LANGUAGES) + len(CATEGORIES)
MODELS = 60
POOL = 9_973
"""Number of votes that are made once and sent repeatedly under new ids; a prime, so that patterns do not align."""
BATCH = 2_000
"""Votes sent at once, as by a replay. The embedded broker gets slower with every batch ever written."""
EVERY = 5.0
UP_WITHIN = 120.0
WINDOW = 300.0
FRESHNESS, LAG = "isonomy_ratings_freshness_seconds", "isonomy_consumer_lag"


@dataclass
class Sample:
    """One sample: seconds since the start of the load, votes sent, MiB by process, lag in records, freshness so far."""

    at: float
    sent: int
    memory: dict[str, float]
    lag: float | None
    freshness: Histogram | None


@dataclass
class Soak:
    """A soak and its samples."""

    broker: str
    minutes: float
    pace: int
    boards: int
    samples: list[Sample] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)
    """Log lines of `isonomy up` about processes that ended."""

    def windows(self, seconds: float = WINDOW) -> list[float | None]:
        """p99 of freshness, in seconds, of equal windows of about `seconds` from the first sample to the last.

        None where nothing was published; empty with fewer than two samples of freshness.
        """
        marks = [each for each in self.samples if each.freshness is not None]
        if len(marks) < 2:
            return []
        count = max(1, round((marks[-1].at - marks[0].at) / seconds))
        ends = [marks[round(number * (len(marks) - 1) / count)] for number in range(count + 1)]
        return [quantile(begin.freshness, end.freshness, 0.99) for begin, end in pairwise(ends)]


def votes(count: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Batches of keys and values."""
    pool = [_rest(number) for number in range(POOL)]
    run = f"{time.time_ns():x}"
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        now = time.time()
        keys = [f"{run}-{number}".encode() for number in numbers]
        yield (
            keys,
            [b'{"id":"%s","tstamp":%.3f,%s' % (key, now, pool[n % POOL]) for key, n in zip(keys, numbers, strict=True)],
        )


def _rest(number: int) -> bytes:
    first = number * 7 % MODELS
    second = (first + 1 + number * 11 % (MODELS - 1)) % MODELS
    winner = ("model_a", "model_b", "model_a", "tie", "model_b")[number * 13 % 5]
    categories = [CATEGORIES[number * 5 % 13], CATEGORIES[(number * 5 + 1 + number % 12) % 13]]
    fields = {
        "arena": "text",
        "model_a": f"model-{first:02}",
        "model_b": f"model-{second:02}",
        "winner": winner,
        "language": LANGUAGES[number * 7 % 12],
        "categories": categories,
        "voter": f"{number * 2654435761:032x}",
    }
    return json.dumps(fields)[1:].encode()


class Up:
    """`isonomy up` and its log lines."""

    def __init__(self, directory: Path, environ: dict[str, str]) -> None:
        argv = [sys.executable, "-m", "services.cli.main", "up", "--directory", str(directory)]
        self.process = subprocess.Popen(
            argv, env={**os.environ, **environ}, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            for line in said:
                self.lines.append(line.rstrip())

    def wait(self, pattern: str) -> str:
        """Wait for a log line that matches; returns the first group."""
        end = time.monotonic() + UP_WITHIN
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.lines:
                if found := re.search(pattern, line):
                    return found[1]
            time.sleep(0.1)
        raise RuntimeError("isonomy up did not come up:\n" + "\n".join(self.lines))

    def memory(self) -> dict[str, float]:
        """Resident memory in MiB, by kind of process."""
        found = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                found[_what(child.cmdline())] = child.memory_info().rss / 2**20
            except psutil.NoSuchProcess:  # it has just ended
                continue
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._listener.join()
        return code


def _what(command: list[str]) -> str:
    if "services.cli.main" in command:
        return command[command.index("services.cli.main") + 1]
    program = Path(command[0].split()[0]).name if command else "unknown"
    return "broker" if "tansu" in program else program


def soak(broker: str, minutes: float, pace: int, directory: Path) -> Soak:
    """Run the stack under load, with the embedded broker of `isonomy up` or an Apache Kafka."""
    seen = Soak(broker, minutes, pace, BOARDS)
    node = KafkaNode(directory / "kafka") if broker == "kafka" else None
    if node is not None:
        node.start()
    ports = ("ISONOMY_WORKER_PORT", "ISONOMY_GATEWAY_PORT", "ISONOMY_BOARD_PORT", "ISONOMY_HERALD_PORT")
    environ = {name: str(free_port()) for name in ports}
    if node is not None:
        environ["KAFKA_BOOTSTRAP_SERVERS"] = node.bootstrap
    up = Up(directory / "up", environ)
    try:
        metrics = up.wait(r"^metrics\s+(\S+)")
        bootstrap = up.wait(r"KAFKA_BOOTSTRAP_SERVERS=(\S+)")
        up.wait("(the stack is up)")
        settings = Settings.from_env({"KAFKA_BOOTSTRAP_SERVERS": bootstrap})
        load = Load(settings, pace, round(pace * minutes * 60))
        load.start()
        began = time.monotonic()
        while load.alive and up.process.poll() is None:
            time.sleep(EVERY)
            seen.samples.append(_look(up, metrics, load, time.monotonic() - began))
        load.join()
    finally:
        up.stop()
        seen.exits = [line for line in up.lines if re.search(r"exited|gave up|start failed", line)]
        if node is not None:
            node.terminate()
    return seen


def _look(up: Up, metrics: str, load: Load, at: float) -> Sample:
    try:
        text = httpx.get(metrics, timeout=5, **PLAIN).text
    except httpx.TransportError:
        return Sample(round(at, 1), load.sent, up.memory(), None, None)
    return Sample(round(at, 1), load.sent, up.memory(), read_sum(text, LAG), read_histogram(text, FRESHNESS))


class Load:
    """Sends votes at a pace, in its own thread."""

    def __init__(self, settings: Settings, pace: int, count: int) -> None:
        self._settings, self._pace, self._count = settings, pace, count
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)
        self._error: BaseException | None = None
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise RuntimeError("the votes could not be sent") from self._error

    async def _send(self) -> None:
        try:
            async with VoteSender(self._settings.kafka) as sender:
                began = time.monotonic()
                for keys, values in votes(self._count):
                    await sender.send(keys, values)
                    await sender.flush()
                    self.sent += len(keys)
                    await asyncio.sleep(max(0.0, began + self.sent / self._pace - time.monotonic()))
        except Exception as error:  # noqa: BLE001 -- `join` raises it
            self._error = error


def draw(seen: Soak, path: Path) -> None:
    """Draw memory, freshness and lag over time."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (memory, fresh, lag) = pyplot.subplots(3, 1, figsize=(9, 9), sharex=True, layout="constrained")
    minutes = [each.at / 60 for each in seen.samples]
    for name in sorted({name for each in seen.samples for name in each.memory}):
        memory.plot(minutes, [each.memory.get(name) for each in seen.samples], label=name)
    memory.set_ylabel("resident memory, MiB")
    memory.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small")
    marks = [each for each in seen.samples if each.freshness is not None]
    step = max(1, round(30 / EVERY))
    pairs = list(zip(marks[:-step:step], marks[step::step], strict=False))
    fresh.plot(
        [after.at / 60 for _, after in pairs], [quantile(a.freshness, b.freshness, 0.99) for a, b in pairs], marker="."
    )
    fresh.set_ylabel("freshness p99 of 30 s, s")
    fresh.set_ylim(bottom=0)
    lag.plot(minutes, [each.lag for each in seen.samples])
    lag.set_ylabel("lag, records")
    lag.set_xlabel("minutes")
    figure.suptitle(f"isonomy up, {seen.broker} broker, {seen.pace:,} rich votes/s, {seen.boards} boards")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def summary(seen: Soak) -> dict[str, Any]:
    """The reported figures: p99 by window, lag, memory at a third, at two thirds and at the end, and exits."""
    count = len(seen.samples)
    places = {"a third": count // 3, "two thirds": 2 * count // 3, "the end": count - 1}
    return {
        "broker": seen.broker,
        "minutes": seen.minutes,
        "pace": seen.pace,
        "boards": seen.boards,
        "sent": seen.samples[-1].sent if seen.samples else 0,
        "freshness p99 by window": seen.windows(min(WINDOW, seen.minutes * 60 / 2 - EVERY)),
        "window seconds": min(WINDOW, seen.minutes * 60 / 2 - EVERY),
        "most lag": max((each.lag for each in seen.samples if each.lag is not None), default=None),
        "memory": {when: seen.samples[place].memory for when, place in places.items()} if count else {},
        "exits": seen.exits,
        "machine": dict(machine.facts()),
    }


def measure(broker: str, minutes: float, pace: int, directory: Path, plot: Path) -> dict[str, Any]:
    """Run a soak, draw it, and write `BROKER.json` with every sample; returns the summary."""
    directory.mkdir(parents=True, exist_ok=True)
    seen = soak(broker, minutes, pace, directory / broker)
    told = summary(seen)
    samples = [asdict(each) | {"freshness": None} for each in seen.samples]
    (directory / f"{broker}.json").write_text(json.dumps(told | {"samples": samples}, indent=1) + "\n")
    draw(seen, plot)
    return told


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--broker", type=click.Choice(["embedded", "kafka"]), default="embedded", show_default=True)
@click.option("--minutes", type=click.FloatRange(0.5), default=30.0, show_default=True)
@click.option("--pace", type=click.IntRange(1), default=10_000, show_default=True, help="Votes a second.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".isonomy/reliability/soak"),
    show_default=True,
    help="Where logs, the JSON and the plot go.",
)
def main(broker: str, minutes: float, pace: int, directory: Path) -> None:
    """Run `isonomy up` under a steady load and write down how it fares."""
    directory = directory.absolute()
    told = measure(broker, minutes, pace, directory, directory / f"{broker}.png")
    click.echo(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
