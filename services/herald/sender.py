"""The sender: queues each message when it is due, makes the attempt, and logs the result."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback

from services.herald.channels.dispatch import Channels, limit_host
from services.herald.delivery_log import DeliveryLog
from services.herald.lease import Lease, NotOurs
from services.herald.rules.backoff import Backoff
from services.herald.rules.deliveries import got_firing
from services.herald.rules.delivery_state import keyed
from services.herald.rules.matching import matches
from services.herald.rules.notify import Notifier
from services.herald.rules.outcome import settle
from services.herald.rules.retry_queue import RetryQueue
from services.herald.send_queues import RESEND, SendLimits, SendQueues
from streams.contracts.alert import Alert
from streams.contracts.delivery import Answer, Delivery, Disabled, Outcome, Record, State
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import HeraldSettings
from streams.contracts.subscription import ChannelType, Subscription

log = logging.getLogger(__name__)

GONE = "the endpoint answered 410: it wants no more messages"
_SILENT = (Outcome.TIMEOUT, Outcome.UNREACHABLE)


class Sender:
    """Holds the attempts under way and the messages that wait for their next attempt."""

    def __init__(
        self,
        settings: HeraldSettings,
        metrics: Metrics,
        notifier: Notifier,
        delivery_log: DeliveryLog,
        lease: Lease,
        channels: Channels,
        wake: asyncio.Event,
    ) -> None:
        self._metrics = metrics
        self._notifier, self._book = notifier, notifier.book
        self._delivery_log, self._lease, self._channels, self._wake = delivery_log, lease, channels, wake
        self._backoff = Backoff.read(settings.retry_seconds)
        self._retries = RetryQueue()
        self._limits = SendLimits(settings.concurrency, settings.per_host)
        self._queues = SendQueues(self._work_and_wake)
        self._silent: set[str] = set()
        """Subscriptions whose endpoint did not answer the last attempt."""

    @property
    def failure(self) -> BaseException | None:
        """The error that ended a send queue, if any."""
        return self._queues.failure

    def put(self, deliveries: list[Delivery]) -> None:
        """Take the deliveries of one message, already in the log; it is sent at their `next_at`."""
        self._retries.put(deliveries)

    def hand_out(self, now: float) -> None:
        """Move the messages that are due into the send queues."""
        for subscription, message in self._retries.due(now):
            self._queues.put(subscription, message)

    def next_due(self) -> float:
        """Epoch seconds at which the next message is due; infinity when none waits."""
        return self._retries.next_due()

    def resend(self) -> None:
        """Send the firing alerts to every Alertmanager again."""
        for name, subscription in self._book.subscriptions.items():
            if subscription.channel.type is ChannelType.ALERTMANAGER and self._book.is_active(name):
                self._queues.put(name, RESEND)

    async def stop(self, grace: float) -> bool:
        """Start no further attempt; returns whether those under way finished within `grace` seconds."""
        return await self._queues.stop(grace)

    async def _work_and_wake(self, name: str, job: str) -> None:
        """Do one job and wake the dispatcher: the job may leave a retry, a resolved notice or an error to handle."""
        try:
            await self._work(name, job)
        finally:
            self._wake.set()

    async def _work(self, name: str, job: str) -> None:
        subscription = self._book.subscription(name)
        if subscription is None or not self._book.is_active(name):
            self._retries.give_back(job)  # on hold: the dispatcher puts it in again once the subscription is active
            return
        if job == RESEND:
            await self._resend(subscription)
            return
        members = self._retries.pending(self._book, job)
        if not members:
            self._retries.drop(job)
            return
        answer = await self._attempt(subscription, job, [each.body for each in members if each.body is not None])
        if answer is None:
            await self._work(name, job)
            return
        await self._settled(subscription, job, members, answer)

    async def _attempt(self, subscription: Subscription, message: str, alerts: list[Alert]) -> Answer | None:
        """Send once there is a free place and the lease holds; None if the subscription has changed in the meantime.

        The wait may be long. An owner who has disabled the subscription since then receives nothing, and one who has
        corrected the URL receives the message there.
        """
        stopped = True

        def changed() -> bool:
            return not self._book.is_active(subscription.id) or self._book.subscription(subscription.id) != subscription

        def still_ours() -> None:
            nonlocal stopped
            stopped = not self._lease.holds() or changed()
            if stopped:
                raise NotOurs

        doubtful = subscription.id in self._silent
        while True:
            await self._lease.wait()
            async with self._limits.slot(subscription.owner, limit_host(subscription.channel), doubtful=doubtful):
                if not self._lease.holds():
                    continue
                if changed():
                    return None
                stopped = False
                self._metrics.herald_under_way.set(self._limits.under_way)
                try:
                    answer = await self._channels.send(subscription, message, alerts, still_ours)
                except NotOurs:
                    continue
                except Exception as error:  # noqa: BLE001 -- an error in one channel must not stop the others
                    answer = _raised(subscription, error)
            self._metrics.herald_under_way.set(self._limits.under_way)
            if not stopped:
                (self._silent.add if answer.outcome in _SILENT else self._silent.discard)(subscription.id)
                return answer

    async def _settled(self, subscription: Subscription, message: str, members: list[Delivery], answer: Answer) -> None:
        channel = subscription.channel.type.value
        self._metrics.herald_attempts.labels(channel, answer.outcome.value).inc()
        self._metrics.herald_attempt_seconds.labels(channel).observe(answer.seconds)
        after = settle(members, answer, self._backoff)
        records: list[Record] = []
        if answer.outcome is Outcome.GONE:
            records.append(
                Disabled(subscription=subscription.id, revision=subscription.revision, reason=GONE, at=answer.at)
            )
        records += after
        await self._delivery_log.write(keyed(records))
        # Deliveries of the same message that arrived while it was being sent: no other job covers them.
        rest = [each for each in self._retries.pending(self._book, message) if each.id not in {one.id for one in after}]
        again = after if after[0].state is State.PENDING else []
        self._retries.drop(message)
        if again or rest:
            self._retries.put([*again, *rest])  # the sent ones first: their next_at and attempt apply to the message
        if again:
            return
        now = time.time()
        written = self._notifier.settled(after, now, time.monotonic())
        await self._delivery_log.write(keyed(list(written)))
        for delivery in [*after, *written]:
            self._metrics.herald_deliveries.labels(channel, delivery.state.value).inc()
            if delivery.state is State.DELIVERED and delivery.round == 0:
                seconds = max(0.0, answer.at + answer.seconds - delivery.created_at)
                self._metrics.herald_delivery_seconds.labels(channel).observe(seconds)

    async def _resend(self, subscription: Subscription) -> None:
        alerts = [
            alert
            for alert in self._notifier.known.firing()
            if matches(subscription.match, alert) and got_firing(self._book, subscription.id, alert.id)
        ]
        if alerts:
            answer = await self._attempt(subscription, RESEND, alerts)
            if answer is None:
                await self._work(subscription.id, RESEND)
                return
            self._metrics.herald_resends.labels(answer.outcome.value).inc()


def _raised(subscription: Subscription, error: Exception) -> Answer:
    """Answer for a channel that raised. It names the place but not the error text, which may contain tokens."""
    name, frame = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s: sending raised %s in %s, line %s", subscription.id, name, frame.filename, frame.lineno)
    return Answer(Outcome.FAILED, at=time.time(), seconds=0.0, detail=f"sending raised {name}")
