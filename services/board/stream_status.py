"""State of an arena's stream, sent to SSE clients: live, behind, stopped or gone. The rule, and its task."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Literal, NamedTuple, get_args

import msgspec
from prometheus_client import Gauge

from services.board.cache import ALERTS, FAIRNESS, HeldArena, Views
from services.board.kafka_follower import Kafka
from services.board.sse_hub import Hub
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
from streams.contracts.view import OVERALL

BEHIND_SECONDS = 5.0
"""A stream is behind when votes wait longer than this in Kafka or in a fold."""
LOOK_SECONDS = 0.25
REPEAT_SECONDS = 5.0
"""How often the lag is sent while a stream is behind."""


class StreamState(StrEnum):
    """What an arena's stream is."""

    CONNECTING = "connecting"
    """It is not known yet whether votes wait."""
    LIVE = "live"
    """The views count all votes, except those of the last seconds."""
    BEHIND = "behind"
    """Votes wait to be counted or published: `lag` says for how long."""
    STOPPED = "stopped"
    """The views of this arena no longer change: a fold has stopped it, or its views cannot be read here."""
    GONE = "gone"
    """Redis or Kafka is away: the views are the last known ones."""


Fold = Literal["ratings", "fairness"]
assert set(get_args(Fold)) == {RATINGS_GROUP, FAIRNESS_GROUP}  # noqa: S101 -- the contract uses the names of the groups


class Stream(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of the event `stream`. `since` is when this state began, epoch seconds; `lag` is seconds.

    `stage` is the fold that is behind or stopped, where it is one of them.
    """

    state: StreamState
    since: float
    lag: float | None = None
    away: Literal["redis", "kafka"] | None = None
    stage: Fold | None = None


class Looked(NamedTuple):
    """Result of one look: the state, for how many seconds (if known), and whether Redis, Kafka or a fold causes it."""

    state: StreamState
    seconds: float | None = None
    away: Literal["redis", "kafka"] | None = None
    stage: Fold | None = None


def judge(held: HeldArena, lag: float | None, monotonic: float, wall: float) -> Looked:
    """State of an arena's stream while Redis and Kafka are followed.

    `lag` comes from Kafka and the ratings fold. The folds' views are compared as well: a view is old when the other
    fold's view counts battles that it lacks, whatever `lag` is.

    >>> judge(HeldArena(), 0.2, 0.0, 0.0).state, judge(HeldArena(), 60.0, 0.0, 0.0)[:2]
    (<StreamState.LIVE: 'live'>, (<StreamState.BEHIND: 'behind'>, 60.0))
    >>> judge(HeldArena(outrun={"ratings": 5.0}), 0.2, 65.0, 0.0)
    Looked(state=<StreamState.BEHIND: 'behind'>, seconds=60.0, away=None, stage='ratings')
    """
    for fold, stopped in held.stopped.items():
        return Looked(StreamState.STOPPED, max(0.0, wall - stopped.since), stage=_fold(fold))
    for view, since in held.unreadable.items():
        if view in (OVERALL, FAIRNESS, ALERTS):
            fold = RATINGS_GROUP if view == OVERALL else FAIRNESS_GROUP
            return Looked(StreamState.STOPPED, monotonic - since, stage=_fold(fold))
    if lag is not None and lag > BEHIND_SECONDS:
        return Looked(StreamState.BEHIND, lag)
    for fold, since in held.outrun.items():
        if monotonic - since > BEHIND_SECONDS:
            return Looked(StreamState.BEHIND, monotonic - since, stage=_fold(fold))
    return Looked(StreamState.LIVE)


def _fold(name: str) -> Fold:
    return "ratings" if name == RATINGS_GROUP else "fairness"


class Teller:
    """Sends the state of each arena to its clients: on every change, and the lag every `REPEAT_SECONDS`."""

    def __init__(self, views: Views, kafka: Kafka, hub: Hub, age: Gauge) -> None:
        self._views, self._kafka, self._hub, self._age = views, kafka, hub, age
        self._told: dict[str, tuple[Stream, float]] = {}
        """What was last sent for each arena, and when in monotonic time."""

    async def run(self) -> None:
        """Look at all arenas, for ever."""
        while True:
            self.look(time.monotonic(), time.time())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, monotonic: float, now: float) -> None:
        """Look at all arenas once."""
        redis_age = self._views.age(monotonic)
        self._age.set(redis_age)
        everyone: Looked | None = None
        if redis_age > 0:
            everyone = Looked(StreamState.GONE, redis_age, away="redis")
        elif not self._kafka.asked:
            everyone = Looked(StreamState.CONNECTING)
        elif self._kafka.away is not None:
            everyone = Looked(StreamState.GONE, away="kafka")
        behind = {}
        for arena, held in self._views.arenas.items():
            looked = everyone or judge(held, self._kafka.lag_of(arena, monotonic), monotonic, now)
            if looked.state is StreamState.BEHIND and looked.seconds is not None:
                behind[arena] = monotonic - looked.seconds
            self._tell(arena, looked, monotonic, now)
        self._views.behind = behind
        for arena in self._told.keys() - self._views.arenas.keys():
            del self._told[arena]
            self._hub.forget_state(arena)

    def _tell(self, arena: str, looked: Looked, monotonic: float, now: float) -> None:
        state, seconds, away, stage = looked
        lag = round(seconds, 1) if state is StreamState.BEHIND and seconds is not None else None
        before, told_at = self._told.get(arena, (None, 0.0))
        same = before is not None and (before.state, before.away, before.stage) == (state, away, stage)
        if before is not None and same and (lag == before.lag or monotonic - told_at < REPEAT_SECONDS):
            return
        since = before.since if before is not None and same else round(now - (seconds or 0.0), 3)
        stream = Stream(state, since, lag, away, stage)
        self._told[arena] = (stream, monotonic)
        self._hub.tell_state(arena, msgspec.json.encode(stream))
