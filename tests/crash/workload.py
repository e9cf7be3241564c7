"""The votes of a chaos run: a function of seed and number, so that a million need no memory and can be regenerated."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.contracts.connect import close_kafka_python
from streams.contracts.topics import VOTES
from tests.support.pipeline import Pipeline, Vote, encode

ARENAS = ("text", "code", "search", "chat")
"""One arena on each of the four ledger partitions, so that every fold has some."""
DECLARED = ("text", "code")
"""The arenas with a registry and therefore with alerts."""
MODELS = tuple(f"model-{number:02}" for number in range(12))
SHUNNED = "model-07"
"""The model that the sampler silently drops and restores, again and again."""
BATCH = 100
WINNERS = ("model_a", "model_b", "tie", "tie (bothbad)", "none")
CHANCES = (45, 35, 10, 4, 6)


class Votes(Sequence[Vote]):
    """Votes with the ids `name-number`, generated on access.

    Parameters
    ----------
    name
        Unique name of the stream of votes.
    count
        Number of votes.
    shun_every
        Length, in votes, of the alternating periods with and without the model `SHUNNED`.
    """

    def __init__(self, name: str, seed: int, count: int, shun_every: int, start: float) -> None:
        self.name, self._seed, self._count = name, seed, count
        self._shun_every, self._start = shun_every, start

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Vote: ...
    @overload
    def __getitem__(self, at: slice) -> list[Vote]: ...
    def __getitem__(self, at: int | slice) -> Vote | list[Vote]:
        if isinstance(at, int):
            return self._batch(at // BATCH)[at % BATCH]
        first, last, step = at.indices(self._count)
        assert first % BATCH == 0
        assert step == 1
        found = [vote for batch in range(first // BATCH, -(-last // BATCH)) for vote in self._batch(batch)]
        return found[: last - first]

    def __iter__(self) -> Iterator[Vote]:
        for first in range(0, self._count, BATCH):
            yield from self[first : first + BATCH]

    def _batch(self, number: int) -> list[Vote]:
        rng = random.Random(f"{self.name}/{self._seed}/{number}")
        return [self._vote(rng, number * BATCH + at) for at in range(BATCH)]

    def _vote(self, rng: random.Random, number: int) -> Vote:
        shown = [model for model in MODELS if model != SHUNNED or number // self._shun_every % 2 == 0]
        a, b = rng.sample(shown, 2)
        return {
            "id": f"{self.name}-{number}",
            "arena": rng.choice(ARENAS),
            "model_a": a,
            "model_b": b,
            "winner": rng.choices(WINNERS, CHANCES)[0],
            "tstamp": self._start + number / 1_000,
            "language": rng.choice(("English", "German", "中文")),
            "categories": rng.sample(("coding", "math", "creative"), rng.randint(0, 2)),
        }


@dataclass
class Books:
    """Ids of votes that are not sent through the gateway, by state."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    aborted: set[str] = field(default_factory=set)


class DirectWriter:
    """Sends votes directly to Kafka with kafka-python, and resends them until they are acknowledged."""

    def __init__(self, pipeline: Pipeline, votes: Votes, books: Books) -> None:
        self._topic, self._bootstrap = pipeline.settings.kafka.topic(VOTES.name), pipeline.bootstrap.split(",")
        self._votes, self._books = votes, books
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="direct-writer", daemon=True)
        self._next = 0
        self.pace = 50.0
        self.failures: dict[str, int] = {}
        """Number of errors by name."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop; votes that are not acknowledged are given up."""
        self._halt.set()
        self._thread.join(60.0)

    @property
    def remaining(self) -> int:
        return len(self._votes) - self._next

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self.remaining and not self._halt.is_set():
            try:
                producer = KafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", request_timeout_ms=5_000, delivery_timeout_ms=12_000
                )
            except KafkaError as error:
                self._failed(error)
                continue
            try:
                self._write_with(producer)
            except KafkaError as error:  # after a failure an idempotent producer may never write again: create another
                self._failed(error)
            finally:
                close_kafka_python(producer, 2.0)  # its remaining votes are not acknowledged and stay so

    def _failed(self, error: KafkaError) -> None:
        name = type(error).__name__
        self.failures[name] = self.failures.get(name, 0) + 1
        self._halt.wait(0.3)

    def _write_with(self, producer: KafkaProducer) -> None:
        while self.remaining and not self._halt.is_set():
            began = time.monotonic()
            batch = self._votes[self._next : self._next + BATCH]
            self._books.sent.update(vote["id"] for vote in batch)
            sent = [(vote["id"], producer.send(self._topic, encode(vote), vote["id"].encode())) for vote in batch]
            for each, future in sent:
                future.get(20)
                self._books.acknowledged.add(each)
            self._next += len(batch)
            self._halt.wait(max(0.0, began + len(batch) / self.pace - time.monotonic()))
