"""The stage with stand-ins for clients: a fault stops only its arena, and no alert fires for ever."""

import time
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from services.herald.rules.dedup import AlertDedup, News
from streams.contracts.alert import Kind, Status, decode_alert
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import FoldSettings
from streams.contracts.settings import Settings
from streams.fairness.settings import SettingsBook
from streams.fairness.snapshot import FIELD
from streams.fairness.stage import FairnessStage
from streams.fold.partition import Owned, Partition
from streams.fold.redis_store import WriteResult
from streams.ledger.codec import Notice, encode_block, encode_notice
from tests.unit.fairness.arena import Ledger, equal_arena


class Kafka:
    """Acknowledges all but records larger than `most` bytes."""

    def __init__(self, most=1_000_000):
        self.most, self.alerts = most, []

    async def send_and_wait(self, topic, value, key):
        if len(value) > self.most:
            raise MessageSizeTooLargeError
        self.alerts.append(decode_alert(value))


class Redis:
    """Saves everything and keeps it."""

    def __init__(self):
        self.states = {}

    async def claim(self, arena):
        return 1

    async def load(self, arena):
        return dict(self.states.get(arena, {}))

    async def claim_new(self, arenas):
        return {arena: (await self.claim(arena), await self.load(arena)) for arena in arenas}

    async def publish(self, *_):
        return WriteResult.DONE

    async def save(self, arena, epoch, fields, *, whole):
        self.states.setdefault(arena, {}).update(fields)
        return WriteResult.DONE

    async def save_partition(self, *_):
        pass


class Worker:
    """A stage that holds partition 0 of a ledger."""

    def __init__(self, redis, fairness, kafka=None, end=0):
        self.kafka, self.now = kafka or Kafka(), time.monotonic()
        self.stage = FairnessStage(Settings(), Metrics())
        self.stage._producer, self.stage._store = self.kafka, redis
        self.stage._book = SettingsBook(fairness)
        self.stage._partitions[0] = Partition(0, 0, end, end, 0, -1)

        async def end_now(_):
            return end

        self.stage._log = SimpleNamespace(end_now=end_now)

    async def restore(self, name, end):
        self.stage._arenas[name], damaged = await self.stage._restore(name, 0, 0, end)
        return damaged

    async def fold(self, ledger, start=0, stop=None):
        held = self.stage._partitions[0]
        for offset, record in list(enumerate(ledger.records))[start:stop]:
            value = encode_notice(record) if isinstance(record, Notice) else b"".join(encode_block(record))
            entry = SimpleNamespace(offset=offset, value=value, key=ledger.arena.encode())
            await self.stage._take(held, 0, entry, {})
        await self.stage._quiet(TopicPartition("isonomy.ledger", 0))
        held.reached = held.position

    async def write(self):
        self.now += 10.0
        await self.stage._tell_all(self.now)
        await self.stage._publish_all(self.now, last=True)
        await self.stage._save_all()

    def told(self, kind):
        return [(alert.id, alert.status) for alert in self.kafka.alerts if alert.kind is kind]


def private(settings, arena="text", count=5):
    ledger = equal_arena(4, settings=settings) if arena == "text" else Ledger(settings=settings, arena=arena)
    for number in range(count):
        ledger.declare(f"variant-{number}", provider="lab-x", visibility="private")
    ledger.battles(300)
    return ledger


@pytest.fixture
def strict(brisk):
    return msgspec.structs.replace(brisk, private_cap=3)


@pytest.fixture
def lenient(brisk):
    return msgspec.structs.replace(brisk, private_cap=30)


async def test_an_alert_that_kafka_finds_too_large_stops_its_arena_alone(strict):
    redis = Redis()
    worker = Worker(redis, strict)
    await worker.fold(private(strict))
    other = private(strict, "vision")
    await worker.fold(other)
    text, vision = worker.stage._arenas.values()
    text.outbox[0] = msgspec.structs.replace(text.outbox[0], summary="x" * 1_000_001)
    await worker.write()
    assert "1,000" in text.stopped
    assert vision.stopped == ""
    assert {alert.arena for alert in worker.kafka.alerts} == {"vision"}
    assert list(redis.states) == ["vision"]
    gauge = worker.stage._metrics.registry.get_sample_value
    assert gauge("isonomy_fold_arena_stopped", {"stage": "fairness", "arena": "text"}) == 1.0


async def test_nothing_is_saved_past_an_alert_that_was_not_told(strict):
    redis = Redis()
    worker = Worker(redis, strict, Kafka(most=10))
    await worker.fold(private(strict))
    await worker.stage._save_all()
    assert worker.stage._arenas["text"].stopped
    assert redis.states == {}


async def test_an_alert_that_other_settings_do_not_raise_is_ended_when_the_refold_is_through(strict, lenient):
    redis, ledger = Redis(), private(strict)
    before, end = Worker(redis, strict), len(ledger.records)
    await before.fold(ledger)
    await before.write()
    ((identity, _),) = before.told(Kind.PRIVATE_VARIANTS)

    after = Worker(redis, lenient, end=end)
    assert await after.restore("text", end)
    await after.fold(ledger, stop=end - 1)
    await after.write()
    assert after.told(Kind.PRIVATE_VARIANTS) == []  # the refold may raise it yet

    # A crash in the middle of the refold, and another owner goes on from what was saved.
    another = Worker(redis, lenient, end=end)
    another.stage._partitions[0].position = end - 1
    assert not await another.restore("text", end)
    await another.fold(ledger, start=end - 1)
    await another.write()
    assert another.told(Kind.PRIVATE_VARIANTS) == [(identity, Status.RESOLVED)]
    (alert,) = (each for each in another.kafka.alerts if each.kind is Kind.PRIVATE_VARIANTS)
    assert alert.ends_at == ledger.state.scene.now.time
    assert alert.summary.startswith("Over since")
    await another.write()
    assert len(another.told(Kind.PRIVATE_VARIANTS)) == 1


async def test_an_alert_that_other_settings_raise_too_goes_on(strict):
    redis, ledger = Redis(), private(strict)
    before, end = Worker(redis, strict), len(ledger.records)
    await before.fold(ledger)
    await before.write()
    after = Worker(redis, msgspec.structs.replace(strict, private_cap=2), end=end)
    assert await after.restore("text", end)
    await after.fold(ledger)
    await after.write()
    # The third variant is over the new cap already: another beginning, so another alert, that stays the last word.
    (old,) = {identity for identity, _ in before.told(Kind.PRIVATE_VARIANTS)}
    new = after.stage._arenas["text"].state.firing[0].id
    assert after.told(Kind.PRIVATE_VARIANTS)[-2:] == [(old, Status.RESOLVED), (new, Status.FIRING)]
    same = Worker(redis, strict, end=end)
    same.stage._book = SettingsBook(msgspec.structs.replace(strict, private_cap=2, keep_days=80))
    assert await same.restore("text", end)
    await same.fold(ledger)
    await same.write()
    assert {status for _, status in same.told(Kind.PRIVATE_VARIANTS)} == {Status.FIRING}


async def test_a_state_that_no_listing_vouches_for_is_ended_as_well(strict, lenient):
    redis, ledger = Redis(), private(strict)
    before = Worker(redis, strict)
    await before.fold(ledger)
    await before.write()
    after = Worker(redis, lenient, end=len(ledger.records))
    await after.fold(ledger)
    await after.write()
    assert [status for _, status in after.told(Kind.PRIVATE_VARIANTS)] == [Status.RESOLVED]


async def test_a_damaged_state_ends_nothing(strict, lenient):
    redis, ledger = Redis(), private(strict)
    before, end = Worker(redis, strict), len(ledger.records)
    await before.fold(ledger)
    await before.write()
    redis.states["text"][FIELD] = redis.states["text"][FIELD][:-1]
    after = Worker(redis, lenient, end=end)
    assert await after.restore("text", end)
    await after.fold(ledger)
    await after.write()
    assert after.told(Kind.PRIVATE_VARIANTS) == []


async def test_a_silence_that_was_told_is_ended_by_who_takes_over(lenient, monkeypatch):
    redis, ledger = Redis(), private(lenient)
    before, end = Worker(redis, lenient), len(ledger.records)
    await before.fold(ledger)
    await before.write()
    now = ledger.state.rhythm.last / 1000
    monkeypatch.setattr("streams.fairness.stage.time.time", lambda: now + 30 * 86_400)
    before.stage._last_batch = -1e9
    await before.write()
    ((identity, status),) = before.told(Kind.FEED_STALLED)
    assert status is Status.FIRING
    ledger.battles(100)
    after = Worker(redis, lenient)
    after.stage._partitions[0].position = end
    assert not await after.restore("text", end)
    await after.fold(ledger, start=end)
    await after.write()
    assert after.told(Kind.FEED_STALLED) == [(identity, Status.RESOLVED)]


async def refold(redis, ledger, settings):
    """Another owner folds the ledger under these settings, and says what there is to be said."""
    worker = Worker(redis, settings, end=len(ledger.records))
    await worker.restore("text", len(ledger.records))
    await worker.fold(ledger)
    await worker.write()
    return [alert for alert in worker.kafka.alerts if alert.kind is Kind.PRIVATE_VARIANTS]


def heard(known, alerts):
    """What is news to a herald, with the number of the occurrence."""
    said = [(known.tell(alert), alert.id) for alert in alerts]
    return [(news, identity.partition("-")[2]) for news, identity in said if news not in (News.STALE, News.REPEAT)]


async def test_settings_that_come_back_raise_a_further_alert_which_everybody_hears_of(strict, lenient):
    redis, ledger, known = Redis(), private(strict), AlertDedup()
    ((news, onset),) = heard(known, await refold(redis, ledger, strict))
    assert news is News.NEW
    assert heard(known, await refold(redis, ledger, lenient)) == [(News.RESOLVED, onset)]
    assert known.firing() == []
    assert heard(known, await refold(redis, ledger, strict)) == [(News.NEW, f"{onset}.2")]
    # It goes on as such, and ends as such.
    keeps = msgspec.structs.replace(strict, keep_days=80)
    assert heard(known, await refold(redis, ledger, keeps)) == []
    assert heard(known, await refold(redis, ledger, lenient)) == [(News.RESOLVED, f"{onset}.2")]
    assert heard(known, await refold(redis, ledger, strict)) == [(News.NEW, f"{onset}.3")]


async def test_an_alert_that_looser_settings_detected_earlier_is_news_behind_the_end_of_the_other(strict):
    ledger = equal_arena(4, settings=strict)
    for number in range(5):
        ledger.declare(f"variant-{number}", provider="lab-x", visibility="private")
        ledger.battles(300)
    redis, known = Redis(), AlertDedup()
    heard(known, await refold(redis, ledger, strict))
    said = heard(known, await refold(redis, ledger, msgspec.structs.replace(strict, private_cap=2)))
    assert [news for news, _ in said] == [News.RESOLVED, News.NEW]
    (firing,) = known.firing()
    assert firing.detected_at < ledger.state.scene.now.time


async def test_what_another_topic_was_told_of_is_not_ended_on_this_one(strict, lenient):
    redis, ledger = Redis(), private(strict)
    await refold(redis, ledger, strict)
    redis.states["text"]["topic"] = b"before.alerts"
    assert await refold(redis, ledger, lenient) == []


def test_an_arena_that_declares_more_than_it_may_stops_at_the_notice_and_at_no_block(brisk):
    ledger = equal_arena(4, settings=brisk)
    ledger.battles(200)
    roster = ledger.state.scene.facts.roster
    declared = len(roster) - roster.undeclared

    def stage_of(most):
        stage = FairnessStage(Settings(fold=FoldSettings(max_declared=most)), Metrics())
        stage._book = SettingsBook(brisk)
        return stage, stage._new(Owned(ledger.arena, 0, 1), 0)

    stage, arena = stage_of(declared)
    for record in ledger.records:
        stage._fold(arena, record)
    assert len(arena.state.scene.facts.roster) - arena.state.scene.facts.roster.undeclared == declared
    stage, arena = stage_of(declared - 1)
    stopped = []
    for record in ledger.records:
        try:
            stage._fold(arena, record)
        except MemoryError:
            stopped.append(record)
    assert stopped
    assert all(isinstance(record, Notice) for record in stopped)
