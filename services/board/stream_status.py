"""What a listener is told of an arena's stream: live, behind, stopped or gone. The rule, and who applies it."""

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
"""Votes that wait longer than this, in Kafka or in a fold, make the stream one that is behind."""
LOOK_SECONDS = 0.25
REPEAT_SECONDS = 5.0
"""How often the lag is told while it is behind."""


class StreamState(StrEnum):
    """What an arena's stream is."""

    CONNECTING = "connecting"
    """It is not known yet how far the votes are."""
    LIVE = "live"
    """What is shown is what the votes say, but for the last seconds."""
    BEHIND = "behind"
    """Votes wait, to be counted or to be shown: `lag` says for how long."""
    STOPPED = "stopped"
    """What is shown of this arena stands still: a fold has stopped it, or what it publishes cannot be read here."""
    GONE = "gone"
    """What is shown is what was known last."""


Fold = Literal["ratings", "fairness"]
assert set(get_args(Fold)) == {RATINGS_GROUP, FAIRNESS_GROUP}  # noqa: S101 -- the words of the contract are those


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
    """What one look finds: the state, for how many seconds it has been so where that is known, and who is to blame."""

    state: StreamState
    seconds: float | None = None
    away: Literal["redis", "kafka"] | None = None
    stage: Fold | None = None


def judge(held: HeldArena, lag: float | None, monotonic: float, wall: float) -> Looked:
    """State of an arena's stream while Redis and Kafka are followed.

    `lag` is by what Kafka and the ratings fold say. The folds' own views are asked besides: what is shown is old when
    the other fold counts battles that it lacks, whatever anybody says.

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
    """Tells the state of each arena whenever it changes, and the lag now and then."""

    def __init__(self, views: Views, kafka: Kafka, hub: Hub, age: Gauge) -> None:
        self._views, self._kafka, self._hub, self._age = views, kafka, hub, age
        self._told: dict[str, tuple[Stream, float]] = {}
        """What was told last of each arena, and when in monotonic time."""

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self.look(time.monotonic(), time.time())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, monotonic: float, now: float) -> None:
        """Look once."""
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
