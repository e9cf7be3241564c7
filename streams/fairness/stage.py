"""The fairness stage: folds the ledger into evidence, emits alerts to Kafka, publishes views to Redis."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from streams.contracts.alert import Alert, Status, decode_alert, encode_alert
from streams.contracts.arena_settings import read_file
from streams.contracts.history import EVIDENCE
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import FoldSettings
from streams.contracts.settings import Settings
from streams.contracts.topics import ALERTS, FAIRNESS_GROUP
from streams.fairness.alerts.lifecycle import settle
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import SettingsBook, read_settings
from streams.fairness.silence_alert import tell_silence
from streams.fairness.snapshot import HISTORY_FIELD, decode_state, encode_history, encode_state, inherit
from streams.fairness.tick_update import warm
from streams.fairness.view import alerts_view, fairness_view
from streams.fairness.warm_up import warm_up
from streams.fold.checkpoint import DamagedState
from streams.fold.partition import Owned
from streams.fold.redis_store import WriteResult
from streams.fold.runner import FoldStage
from streams.kafka.clients import make_producer, stop
from streams.kafka.consumer import Batch, Log
from streams.ledger.codec import Block, Notice

SILENCE_FIELD, TOPIC_FIELD = "silence", "topic"
VIEW_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""Check for silence only when no batch arrived for this long: while the stage catches up, the feed is not silent."""

_json = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Written:
    """The history bytes that Redis holds: about a megabyte, written again only when they change."""

    published: bytes | None = None
    saved: bytes | None = None
    saving: bytes | None = None


@dataclass(slots=True)
class WatchedArena(Owned):
    """An arena's state, the alerts not yet sent to Kafka, and whether Redis lacks the current view."""

    state: ArenaFairness
    outbox: list[Alert] = field(default_factory=list)
    unpublished: bool = True
    silence: Alert | None = None
    """The silence alert, which depends on wall time: saved beside the state, because the next owner must resolve it."""
    history: Written = field(default_factory=Written)


class AlertTooLarge(ValueError):  # noqa: N818 -- what it is
    """An alert too large for Kafka, whichever worker sends it: its arena stops, the other arenas continue."""


class FairnessStage(FoldStage[WatchedArena]):
    """Ledger in, alerts and views out; one per process."""

    name = FAIRNESS_GROUP

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        super().__init__(settings, metrics)
        warm()
        warm_up()
        self._book = read_book(settings.fold)
        self._topic = settings.kafka.topic(ALERTS.name)
        self._last_batch = time.monotonic()
        self._producer: AIOKafkaProducer

    async def run(self) -> None:
        """Run until cancelled."""
        self._producer = make_producer(self._settings.kafka, self.name)
        await self._producer.start()
        try:
            await super().run()
        finally:
            await stop(self._producer)

    async def process(self, log: Log, batch: Batch) -> None:
        """Fold a fetched batch, and note when the last batch with records arrived."""
        if batch:
            self._last_batch = time.monotonic()
        await super().process(log, batch)

    def _prune_series(self, arena: str) -> None:
        super()._prune_series(arena)
        self._metrics.firing.remove(arena)
        self._metrics.alerts.remove_by_labels({"arena": arena})

    def _new(self, owned: Owned, position: int) -> WatchedArena:
        state = ArenaFairness.start(owned.name, self._book.of(owned.name), position)
        return WatchedArena(owned.name, owned.partition, owned.epoch, state)

    def _restored(self, owned: Owned, fields: Mapping[str, bytes]) -> WatchedArena:
        state = decode_state(fields, self._book.of(owned.name))
        if state.arena != owned.name:
            raise DamagedState(f"it is that of arena {state.arena!r}")
        return WatchedArena(owned.name, owned.partition, owned.epoch, state, silence=_silence(fields))

    def _inherit(self, arena: WatchedArena, fields: Mapping[str, bytes]) -> None:
        if fields.get(TOPIC_FIELD) == self._topic.encode():  # else its alerts went to another topic
            arena.state.inherited, arena.state.scene.settled = inherit(fields, arena.name)
            arena.silence = _silence(fields)

    def _position(self, arena: WatchedArena) -> int:
        return arena.state.position

    def _advance(self, arena: WatchedArena, position: int) -> None:
        arena.state.position = position

    def _fold(self, arena: WatchedArena, record: Block | Notice) -> None:
        arena.outbox += fold(arena.state, record)
        arena.unpublished = True
        roster, most = arena.state.scene.facts.roster, self._settings.fold.max_declared
        if isinstance(record, Notice) and len(roster) - roster.undeclared > most:
            raise MemoryError(f"it declares more models, providers and licences than ISONOMY_MAX_DECLARED={most}")

    def _fields(self, arena: WatchedArena) -> dict[str, bytes]:
        fields, written = encode_state(arena.state), arena.history
        written.saving = fields[HISTORY_FIELD]
        if written.saving is written.saved:
            del fields[HISTORY_FIELD]
        fields[TOPIC_FIELD] = self._topic.encode()
        fields[SILENCE_FIELD] = b"" if arena.silence is None else encode_alert(arena.silence)
        return fields

    def _saved(self, arena: WatchedArena) -> None:
        arena.history.saved = arena.history.saving

    def _lost(self, arena: WatchedArena) -> None:
        arena.unpublished = True
        arena.history = Written()

    async def _before_saving(self, arena: WatchedArena) -> None:
        """Send alerts before saving: records before a saved position are not folded again, so alerts would be lost."""
        await self._tell(arena)

    async def _sweep(self, name: str, epoch: int, arena: WatchedArena | None) -> None:
        if arena is None:
            keys = self._settings.redis.keys
            views = [keys.fairness(name), keys.alerts(name), keys.history(name, EVIDENCE)]
            await self._store.forget_arena(name, epoch, views)

    async def _tell_due(self, arena: WatchedArena, now: float) -> None:
        arena.outbox += settle(arena.state.inherited, arena.state.opened, arena.state.scene.settled)
        await self._tell(arena)
        if now >= arena.due and (now - self._last_batch >= IDLE_SECONDS or arena.silence is not None):
            await self._listen(arena)

    async def _publish_due(self, arena: WatchedArena, now: float, *, last: bool) -> None:
        if last or now >= arena.due:
            if arena.unpublished:
                await self._publish(arena)
            arena.due = now + VIEW_SECONDS

    async def _tell(self, arena: WatchedArena) -> None:
        """Emit alerts in ledger order; alerts emitted again after a crash have the same ids and bytes."""
        told, arena.outbox = arena.outbox, []
        try:
            while told:
                alert = told[0]
                value = encode_alert(alert)
                try:
                    await self._producer.send_and_wait(self._topic, value, key=alert.fingerprint.encode())
                except MessageSizeTooLargeError as error:
                    # Not a Kafka failure: after a restart, or on another worker, the same alert would fail again.
                    raise AlertTooLarge(f"alert {alert.id} has {len(value):,} bytes: {error}") from error
                self._metrics.alerts.labels(arena.name, alert.kind.value, alert.status.value).inc()
                del told[0]
        finally:
            arena.outbox = told + arena.outbox

    async def _listen(self, arena: WatchedArena) -> None:
        """Fire or resolve the silence alert, from the wall time since the last record."""
        alert = tell_silence(arena.state, arena.silence, time.time())
        if alert is None:
            return
        arena.outbox.append(alert)
        arena.silence = alert if alert.status is Status.FIRING else None
        arena.unpublished = True
        await self._tell(arena)
        # The position does not move during a silence; force a save, because the alert must be saved.
        self._partitions[arena.partition].saved_position = -1

    async def _publish(self, arena: WatchedArena) -> None:
        keys, state = self._settings.redis.keys, arena.state
        view = alerts_view(state)
        if arena.silence is not None:
            view = msgspec.structs.replace(view, alerts=[arena.silence, *view.alerts])
        texts = {keys.fairness(arena.name): _json(fairness_view(state)), keys.alerts(arena.name): _json(view)}
        message = {"arena": arena.name, "fairness": True, "alerts": len(view.alerts), "ledger": state.position}
        history = encode_history(state)
        if history is not arena.history.published:
            texts[keys.history(arena.name, EVIDENCE)] = history
            message["history"] = [EVIDENCE]
        outcome = await self._store.publish(arena.name, arena.epoch, texts, message)
        if outcome is WriteResult.DONE:
            arena.unpublished = False
            arena.history.published = history
            self._metrics.firing.labels(arena.name).set(len(view.alerts))
        else:
            await self._heed(arena, outcome)


def _silence(fields: Mapping[str, bytes]) -> Alert | None:
    """Decode the saved silence alert; None when none fires or an older version did not save it."""
    try:
        return decode_alert(fields.get(SILENCE_FIELD, b""))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_book(settings: FoldSettings) -> SettingsBook:
    """Read the operator's fairness settings; the defaults when no file is named. Raises `InvalidSetting`."""
    return read_file(settings.fairness_file, "ISONOMY_FAIRNESS_FILE", read_settings)
