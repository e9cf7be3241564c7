"""Follows Kafka beside Redis: ended alerts, and how far the boards are behind. The read API works without it."""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.board.cache import UNREADABLE, Views
from services.board.ended_alerts import PastAlerts
from services.board.redis_source import SourceAway, ViewSource
from services.board.sse_hub import Hub
from services.kafka.reader import KafkaReader, Unreadable
from streams.contracts.connect import aiokafka_options, close_in_time
from streams.contracts.partitioner import partitions_of
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.shown import Shown
from streams.contracts.topics import ALERTS, INTAKE_GROUP, LEDGER, VOTES

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the lag is measured."""
ANSWER_SECONDS = 5.0
"""Longest wait for Kafka."""
RETRY_SECONDS = 1.0


class DescribedPartition(TypedDict):
    """What we read of a partition in aiokafka's description of a topic."""

    partition: int


class DescribedTopic(TypedDict):
    """What we read of aiokafka's description of a topic."""

    topic: str
    partitions: list[DescribedPartition]


class Kafka(Protocol):
    """What is known of Kafka.

    `away` says why it is not followed (`None` while it is), `asked` whether that was ever tried, `unreadable` at which
    batch the reading of the topic `alerts` has ended.
    """

    away: str | None
    unreadable: str | None
    asked: bool

    def lag_of(self, arena: str, now: float) -> float | None:
        """Seconds for which votes have waited that are not on an arena's boards yet; None when unknown."""

    async def run(self) -> None:
        """Follow Kafka, for ever."""


REMEMBERED = 3_600
"""Maximum of remembered looks; the oldest stays, so that a longer lag is still measured from it."""


@dataclass(slots=True)
class Lag:
    """End offsets of `votes` at each look, kept until intake has reached them.

    A stream under load always has some records in flight, so their number says little. Seconds do: how long ago did
    the topic end where intake is now?

    >>> lag = Lag()
    >>> lag.look(0.0, ends={0: 10}, committed={0: 10}), lag.look(1.0, {0: 12}, {0: 10}), lag.look(4.0, {0: 20}, {0: 11})
    (0.0, 0.0, 3.0)
    >>> lag.look(5.0, ends={0: 20}, committed={0: 19}), lag.look(6.0, {0: 21}, {0: 21})
    (1.0, 0.0)
    """

    looks: deque[tuple[float, Mapping[int, int]]] = field(default_factory=deque)

    def look(self, now: float, ends: Mapping[int, int], committed: Mapping[int, int]) -> float:
        """Seconds for which intake has had votes that it has not committed."""
        self.looks.append((now, ends))
        while self.looks and all(committed.get(at, 0) >= end for at, end in self.looks[0][1].items()):
            self.looks.popleft()
        while len(self.looks) > REMEMBERED:
            del self.looks[1]  # the oldest says since when, the newer ones when it is over
        return now - self.looks[0][0] if self.looks else 0.0


@dataclass(slots=True)
class FoldLag:
    """End offset of each ledger partition at each look, kept until all arenas in it have reached it.

    The lag of an arena depends on its own boards alone: a slow arena does not put others behind.

    >>> lag = FoldLag()
    >>> lag.look(0.0, {0: 10}, {0: Shown(10, {"slow": 4})})
    >>> lag.look(9.0, {0: 12}, {0: Shown(12, {"slow": 4})})
    >>> lag.of("slow", 9.0), lag.of("quick", 9.0)
    (9.0, 0.0)
    """

    looks: dict[int, tuple[list[float], list[int]]] = field(default_factory=dict)
    """Times and ends of each partition, oldest first."""
    shown: Mapping[int, Shown] = field(default_factory=dict)
    _partitions: dict[tuple[str, int], int] = field(default_factory=dict)

    def look(self, now: float, ends: Mapping[int, int], shown: Mapping[int, Shown]) -> None:
        """Record where the partitions end, and how far the boards count them."""
        self.shown = shown
        self.looks = {at: self.looks.get(at, ([], [])) for at in ends}
        for at, end in ends.items():
            times, seen = self.looks[at]
            times.append(now)
            seen.append(max(end, seen[-1] if seen else end))
            gone = bisect_right(seen, shown[at].whole if at in shown else 0)
            if gone:
                del times[:gone], seen[:gone]
            if len(seen) > REMEMBERED:
                del times[1], seen[1]  # the oldest says since when, the newer ones when it is over

    def of(self, arena: str, now: float) -> float:
        """Seconds for which the ledger has had records that are not on an arena's boards."""
        if not self.looks:
            return 0.0
        at = self._partition(arena)
        times, seen = self.looks.get(at, ([], []))
        first = bisect_right(seen, self.shown[at].of(arena) if at in self.shown else 0)
        return now - times[first] if first < len(times) else 0.0

    def _partition(self, arena: str) -> int:
        place = arena, len(self.looks)
        if place not in self._partitions:
            self._partitions[place] = partitions_of([arena.encode()], len(self.looks))[0]
        return self._partitions[place]


class KafkaFollower:
    """One consumer without a group, from the beginning of the topic `alerts`: it is compacted, so it is short.

    Parameters
    ----------
    settings
        Settings of this process: where Kafka is.
    past
        Keeps the ended alerts.
    hub
        Sends an event when an alert ends.
    views
        Receives how far the ledger goes, and how far Redis shows it.
    source
        Redis.
    """

    def __init__(self, settings: KafkaSettings, past: PastAlerts, hub: Hub, views: Views, source: ViewSource) -> None:
        self._settings, self._past, self._hub = settings, past, hub
        self._views, self._source = views, source
        self._options = aiokafka_options(settings)
        self._since = time.time()
        self._intake, self._fold = Lag(), FoldLag()
        self._waiting: float | None = None
        """Seconds for which intake has had votes to read; their arenas are not known before intake reads them."""
        self.away: str | None = "Kafka was not reached yet"
        self.unreadable: str | None = None
        self.asked = False

    def lag_of(self, arena: str, now: float) -> float | None:
        """How long votes wait; see `Kafka`."""
        return None if self._waiting is None else max(self._waiting, self._fold.of(arena, now))

    async def run(self) -> None:
        """Follow Kafka, for ever."""
        while True:
            consumer = AIOKafkaConsumer(
                **self._options,
                client_id="isonomy-board",
                group_id=None,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                enable_auto_commit=False,
                fetch_max_wait_ms=200,
                request_timeout_ms=int(ANSWER_SECONDS * 1000),
            )
            admin = AIOKafkaAdminClient(**self._options, client_id="isonomy-board")
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await consumer.start()
                    await admin.start()
                await self._follow(consumer, admin)
            except (KafkaError, OSError, TimeoutError) as error:
                self._set_away(f"Kafka is away: {error or 'it does not answer'}")
            except Exception:  # any error of the client: the board must not lose its alerts for good
                log.exception("following Kafka failed; it starts over")
                self._set_away("Kafka is not followed: a fault of this server")
            finally:
                await close_in_time(consumer.stop, ANSWER_SECONDS)
                await close_in_time(admin.close, ANSWER_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        name = self._settings.topic(ALERTS.name)
        alerts: KafkaReader | None = None
        self.unreadable = None
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                topics = await admin.describe_topics()  # all of them: asking for one by name may create it
                if alerts is None and self.unreadable is None and _partitions(topics, name):
                    alerts = KafkaReader(consumer, [name])
                    await alerts.start()
            await self._look(consumer, admin, topics)
            self._set_away(None)
            end = time.monotonic() + LOOK_SECONDS
            while (left := end - time.monotonic()) > 0:
                if alerts is None:
                    await asyncio.sleep(left)
                    continue
                try:
                    records = await alerts.fetch(int(left * 1000) + 1)
                except Unreadable as error:
                    # Ended alerts matter less than the rest, which continues; the list reports `past` as away.
                    self.unreadable, alerts = str(error), None
                    log.error("no more ended alerts until this is fixed and the board restarts: %s", error)  # noqa: TRY400 -- the message says it all
                    continue
                for record in records:
                    if record.value is not None:
                        self._take(record.value, (record.timestamp or 0) / 1000)

    def _take(self, value: bytes, recorded: float) -> None:
        try:
            ended = self._past.take(value)
        except UNREADABLE as error:
            log.warning("a record of the topic %s is not an alert: %s", ALERTS.name, error)
            return
        # An alert that ended before this process started is no news: clients have read it, or will.
        if ended is not None and recorded >= self._since:
            self._hub.tell(ended.arena, "alert", value)

    async def _look(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, topics: list[DescribedTopic]) -> None:
        """Ask for the offsets of votes, intake, ledger and boards.

        The end of a topic is the last stable offset: the consumer and the stages read committed records only.
        """
        votes = _partitions(topics, self._settings.topic(VOTES.name))
        ledger = _partitions(topics, self._settings.topic(LEDGER.name))
        if not votes:
            self._waiting = None
            return
        async with asyncio.timeout(ANSWER_SECONDS):
            ends = await consumer.end_offsets([*votes, *ledger])
            known = await admin.list_consumer_group_offsets(self._settings.group(INTAKE_GROUP), partitions=votes)
        now = time.monotonic()
        committed = {at.partition: max(0, known[at].offset) for at in votes if at in known}
        self._waiting = self._intake.look(now, {at.partition: ends[at] for at in votes}, committed)
        await self._look_at_ledger(now, {at.partition: ends[at] for at in ledger})

    async def _look_at_ledger(self, now: float, ends: dict[int, int]) -> None:
        try:
            shown = await self._source.shown(ends)
        except SourceAway:  # the follower of Redis reports it
            return
        whole = {partition: each.whole for partition, each in shown.items()}
        self._views.ledger.ends, self._views.ledger.shown = ends, whole
        self._fold.look(now, ends, shown)

    def _set_away(self, away: str | None) -> None:
        if not self.asked or (away is None) != (self.away is None):
            log.log(logging.INFO if away is None else logging.ERROR, "%s", away or "Kafka is followed")
        if away is not None:
            self._waiting = None
        self.away, self.asked = away, True


def _partitions(topics: list[DescribedTopic], name: str) -> list[TopicPartition]:
    """Partitions of a topic, none while it does not exist."""
    found = [topic["partitions"] for topic in topics if topic["topic"] == name]
    return [TopicPartition(name, number) for number in sorted(each["partition"] for each in found[0])] if found else []
