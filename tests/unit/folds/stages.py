"""Folds without servers: a Redis in this process that runs the real scripts, and a ledger that is a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from redis.exceptions import ConnectionError as RedisConnectionError

import streams.fairness.stage
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import FoldSettings, KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.view import Board
from streams.fold.redis_store import FoldStore
from streams.fold.runner import FoldStage
from streams.kafka.fetch import Rebalanced
from streams.kafka.unreadable import UnreadableBatch
from streams.ledger.codec import Block, encode_block, encode_notice
from streams.ratings import elo
from streams.ratings.stage import RatingsStage
from tests.simulation.redis import Pipeline, Script, Server
from tests.unit.folds.making import block, notice, vote

SETTINGS = Settings(
    kafka=KafkaSettings(topic_prefix=""),
    fold=FoldSettings(refresh_seconds=0.0, refresh_share=1.0, snapshot_seconds=1.0),
)
KEYS = SETTINGS.redis.keys
LEDGER = TopicPartition("ledger", 0)


class DirectRedis:
    """A client of the simulated Redis that is answered at once; commands are methods, as of redis-py."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def register_script(self, text: str) -> Script:
        return Script(text, lambda keys, args: self._ask(lambda: self._script(text, keys, args)))

    def pipeline(self, transaction: bool = True) -> Pipeline:
        world = self.server.loop.world
        return Pipeline(self._ask, lambda name, arguments: self.server.do(name, arguments, world), self._script)

    def _script(self, text: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        return self.server.script(text, keys, args, self.server.loop.world)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def run(*arguments: Any) -> Any:
            return await self._ask(lambda: self.server.do(name, arguments, self.server.loop.world))

        return run

    async def _ask(self, perform: Callable[[], Any]) -> Any:
        if self.server.away:
            raise RedisConnectionError("Redis is away")
        return perform()


class Ledger:
    """One partition."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes]] = []
        self.first = 0
        """Where the log begins: what is before is gone."""
        self.broken = False
        """Whether no record can be read."""

    def add(self, arena: str, *, first: int, language: str = "", at: int = 1) -> None:
        """Append the vote at offset `first` of its partition of votes, which was cast and arrived at second `at`."""
        votes = [vote("x", "y", language=language, tstamp=float(at))]
        made: Block = replace(block(votes, first=first, recorded=at * 1_000), arena=arena)
        self.records += [(arena, piece) for piece in encode_block(made)]

    def declare(self, arena: str, name: str, *, first: int, gone: bool = False) -> None:
        """Append the notice at offset `first` of its partition of models."""
        made = replace(notice(name, first), arena=arena)
        self.records.append((arena, encode_notice(replace(made, model=None) if gone else made)))

    def entries(self, begin: int, end: int) -> list[Any]:
        """The records from `begin` up to `end`."""
        return [
            SimpleNamespace(offset=at, key=arena.encode(), value=value)
            for at, (arena, value) in enumerate(self.records[begin:end], begin)
        ]


class FoldLog:
    """What one fold asks of it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._place = ledger, 0
        self.consumer = SimpleNamespace(beginning_offsets=self._first, partitions_for_topic=lambda topic: {0})
        self.unreadable: list[Any] = []
        self.moving = False
        self.reached: dict[TopicPartition, int] = {}
        self.anew = False

    async def _first(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self._ledger.first)

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, len(self._ledger.records))

    async def end_now(self, partition: TopicPartition) -> int:
        return len(self._ledger.records)

    def begin_anew(self) -> None:
        self.anew = True

    def give_way(self) -> None:
        if self.moving:
            raise Rebalanced

    def seek(self, partition: TopicPartition, place: int) -> None:
        self._place = place

    async def fetch(self, partition: TopicPartition, **_: Any) -> dict[TopicPartition, list[Any]]:
        assert self._place >= self._ledger.first
        if self._ledger.broken:
            self.unreadable.append(UnreadableBatch(partition, self._place, self._place, b"", "for this test"))
            return {}
        return {partition: self._ledger.entries(self._place, self._place + 1)}


class World:
    """A Redis and a ledger, and folds that are run step by step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(elo, "compiled", lambda: elo.interpreted)
        monkeypatch.setattr(streams.fairness.stage, "warm", lambda: None)
        loop: Any = SimpleNamespace(world=None, time=lambda: 0.0)
        self.server = Server(loop, Random(1), lambda *_, **__: None)
        self.ledger = Ledger()

    @property
    def redis(self) -> Any:
        return DirectRedis(self.server)

    async def take_over(self, kind: type[FoldStage[Any]] = RatingsStage) -> Any:
        """Begin a fold, up to where its first fetch would be."""
        stage: Any = kind(SETTINGS, Metrics())
        stage._redis, stage._store = self.redis, FoldStore(self.redis, KEYS, stage.name)
        stage._log = FoldLog(self.ledger)
        await stage._take_over(stage._log, [LEDGER])
        return stage

    async def fold(self, stage: Any, end: int | None = None) -> None:
        """Have a fold take the records up to `end`, and do what is due after them."""
        end = len(self.ledger.records) if end is None else end
        stage._log.reached[LEDGER] = end
        assert stage.positions[LEDGER] >= self.ledger.first, "Kafka would answer that the offset is out of range"
        records = self.ledger.entries(stage.positions[LEDGER], end)
        await stage.process(stage._log, {LEDGER: records} if records else {})

    def board(self, arena: str, name: str = "overall") -> Board | None:
        text: Any = self.server.data.get(KEYS.board(arena, name).encode())
        return None if text is None else msgspec.json.decode(text, type=Board)

    def listed(self, key: str = KEYS.arenas) -> set[str]:
        names: Any = self.server.data.get(key.encode(), set())
        return {name.decode() for name in names}
