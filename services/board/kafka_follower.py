"""Follows Kafka beside Redis: alerts that ended, and how far the boards are behind. Reads go on without it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.board.cache import UNREADABLE
from services.board.ended_alerts import PastAlerts
from services.board.lag import FoldLag, Lag
from services.board.redis_source import Source, SourceAway
from services.board.sse_hub import Hub
from services.board.views import Views
from services.kafka.reader import Follower, Unreadable
from streams.contracts.connect import aiokafka_options, close_in_time
from streams.contracts.settings import Settings
from streams.contracts.topics import ALERTS, INTAKE_GROUP, LEDGER, VOTES

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often lag is asked for."""
ANSWER_SECONDS = 5.0
"""Longest wait for Kafka."""
RETRY_SECONDS = 1.0


class Kafka(Protocol):
    """What is known of Kafka.

    `away` says why it is not followed (`None` while it is), `asked` whether it was ever tried, `unreadable` which batch
    of the topic `alerts` ends the reading of it.
    """

    away: str | None
    unreadable: str | None
    asked: bool

    def lag_of(self, arena: str, now: float) -> float | None:
        """For how many seconds votes have been waiting that are on no board of an arena; None when unknown."""

    async def run(self) -> None:
        """Follow, for ever."""


class KafkaFollower:
    """One consumer without a group, from the beginning of the topic `alerts`: it is compacted, so it is short.

    Parameters
    ----------
    settings
        Where Kafka is.
    past
        What is kept.
    hub
        Who is told of an alert that ends.
    views
        Told how far the ledger goes, and how far Redis shows it.
    source
        Redis.
    """

    def __init__(self, settings: Settings, past: PastAlerts, hub: Hub, views: Views, source: Source) -> None:
        self._settings, self._past, self._hub = settings, past, hub
        self._views, self._source = views, source
        self._options = aiokafka_options(settings)
        self._since = time.time()
        self._intake, self._fold = Lag(), FoldLag()
        self._waiting: float | None = None
        """For how many seconds intake has had something to do: whose votes these are nobody has looked yet."""
        self.away: str | None = "Kafka was not reached yet"
        self.unreadable: str | None = None
        self.asked = False

    def lag_of(self, arena: str, now: float) -> float | None:
        """How long votes wait; see `Kafka`."""
        return None if self._waiting is None else max(self._waiting, self._fold.of(arena, now))

    async def run(self) -> None:
        """Follow, for ever."""
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
            except Exception:  # whatever its client does, the board must not lose its alerts for good
                log.exception("following Kafka failed; it begins again")
                self._set_away("Kafka is not followed: a fault of this server")
            finally:
                await close_in_time(consumer.stop, ANSWER_SECONDS)
                await close_in_time(admin.close, ANSWER_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        name = self._settings.topic(ALERTS.name)
        alerts: Follower | None = None
        self.unreadable = None
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                topics = await admin.describe_topics()  # all of them: asking for one by name may create it
                if alerts is None and self.unreadable is None and _partitions(topics, name):
                    alerts = Follower(consumer, [name])
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
                    # Ended alerts are worth less than the rest: that goes on, and the list says that it does not.
                    self.unreadable, alerts = str(error), None
                    log.error("no more ended alerts until this is mended and the board is started again: %s", error)  # noqa: TRY400 -- the message says it all
                    continue
                for record in records:
                    if record.value is not None:
                        self._take(record.value, (record.timestamp or 0) / 1000)

    def _take(self, value: bytes, recorded: float) -> None:
        try:
            ended = self._past.take(value)
        except UNREADABLE as error:
            log.warning("a record of the topic %s that is no alert: %s", ALERTS.name, error)
            return
        # What was told before this process began is no news: who listens has read it, or will.
        if ended is not None and recorded >= self._since:
            self._hub.tell(ended.arena, "alert", value)

    async def _look(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, topics: list[dict[str, Any]]) -> None:
        """Ask how far votes, intake, ledger and boards are.

        The end of a topic is the last stable offset: the consumer reads what is committed, and so do the stages.
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
        except SourceAway:  # whoever follows Redis says so
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


def _partitions(topics: list[dict[str, Any]], name: str) -> list[TopicPartition]:
    """Partitions of a topic, none while it does not exist."""
    found = [topic["partitions"] for topic in topics if topic["topic"] == name]
    return [TopicPartition(name, number) for number in sorted(each["partition"] for each in found[0])] if found else []
