"""What a listener is told of the stream itself: live, behind or gone. The rule, and the coroutine that applies it."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Literal

import msgspec
from prometheus_client import Gauge

from services.board.hub import Hub
from services.board.kafka import Kafka
from services.board.views import Views

BEHIND_SECONDS = 5.0
"""Votes that wait longer than this, in Kafka or in a fold, make the stream one that is behind."""
LOOK_SECONDS = 0.25
REPEAT_SECONDS = 5.0
"""How often the lag is told while it is behind."""


class State(StrEnum):
    """What the stream is."""

    LIVE = "live"
    """What is shown is what the votes say, but for the last seconds."""
    BEHIND = "behind"
    """Votes wait, to be counted or to be shown: `lag` says for how long."""
    GONE = "gone"
    """What is shown is what was known last."""


class Stream(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of the event `stream`. `since` is when this state began, epoch seconds; `lag` is seconds."""

    state: State
    since: float
    lag: float | None = None
    away: Literal["redis", "kafka"] | None = None


def judge(redis_age: float, kafka_away: bool, lag: float | None) -> tuple[State, Literal["redis", "kafka"] | None]:
    """State of the stream, and who is away.

    >>> judge(0.0, False, 0.2), judge(0.0, False, 60.0), judge(3.0, True, None)
    ((<State.LIVE: 'live'>, None), (<State.BEHIND: 'behind'>, None), (<State.GONE: 'gone'>, 'redis'))
    """
    if redis_age > 0:
        return State.GONE, "redis"
    if kafka_away:
        return State.GONE, "kafka"
    return (State.BEHIND if lag is not None and lag > BEHIND_SECONDS else State.LIVE), None


class Teller:
    """Tells the state whenever it changes, and the lag now and then."""

    def __init__(self, views: Views, kafka: Kafka, hub: Hub, age: Gauge) -> None:
        self._views, self._kafka, self._hub, self._age = views, kafka, hub, age
        self._now = Stream(State.GONE, round(time.time(), 3), away="redis")
        self._told_at = 0.0
        hub.tell_state(msgspec.json.encode(self._now))

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self.look(time.monotonic(), time.time())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, monotonic: float, now: float) -> None:
        """Look once."""
        redis_age = self._views.age(monotonic)
        self._age.set(redis_age)
        state, away = judge(redis_age, self._kafka.asked and self._kafka.away is not None, self._kafka.lag)
        waited = self._kafka.lag if state is State.BEHIND else None
        self._views.behind_since = None if waited is None else monotonic - waited
        lag = None if state is not State.BEHIND or self._kafka.lag is None else round(self._kafka.lag, 1)
        same = (state, away) == (self._now.state, self._now.away)
        if same and (lag == self._now.lag or monotonic - self._told_at < REPEAT_SECONDS):
            return
        began = now - (redis_age if away == "redis" else lag or 0.0)
        self._now = Stream(state, self._now.since if same else round(began, 3), lag, away)
        self._told_at = monotonic
        self._hub.tell_state(msgspec.json.encode(self._now))
