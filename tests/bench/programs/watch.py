"""Watches an arena from outside until its board counts so many battles: the pace of the pipeline.

With fairness until the evidence does too. That is shown once a second only, so its own pace is the one between the
first time it was shown and the last time before the end.
"""

from __future__ import annotations

import os
import time
from typing import Any

from redis import Redis

from streams.contracts.settings import Settings
from streams.contracts.view import OVERALL
from tests.bench.programs.boards import battles_of
from tests.bench.programs.talk import answer, given

Seen = list[tuple[int, float]]
"""Battles counted, and when that was seen first, seconds."""


def measure(arena: str, total: int, fairness: bool) -> tuple[Seen, Seen]:
    """What the boards, and with fairness the evidence, were seen to count."""
    settings = Settings.from_env(os.environ)
    redis: Any = Redis.from_url(settings.redis_url)  # its pub/sub is not typed
    listening = redis.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(settings.keys.changed(arena))
    boards: Seen = [(0, 0.0)]
    evidence: Seen = [(0, 0.0)]
    watched = [(settings.keys.board(arena, OVERALL), boards)]
    if fairness:
        watched.append((settings.keys.fairness(arena), evidence))
    while any(seen[-1][0] < total for _, seen in watched):
        if listening.get_message(timeout=1.0) is None:
            continue
        for key, seen in watched:
            now, battles = time.perf_counter(), battles_of(redis.get(key))
            if battles != seen[-1][0]:
                seen.append((battles, now))
    return boards[1:], evidence[1:]


def pace(seen: Seen) -> tuple[int, float]:
    """Battles between the first and the last, and the seconds between."""
    (first, began), (last, ended) = seen[0], seen[-1]
    return last - first, ended - began


if __name__ == "__main__":
    parameters = given()
    judges = parameters.get("fairness", False)
    boards, evidence = measure(parameters["arena"], parameters["total"], judges)
    votes, seconds = pace(boards)
    if judges:
        judged, took = pace(evidence[:-1])
        if judged / took < votes / seconds:
            votes, seconds = judged, took
    answer(votes=votes, seconds=seconds, boards=len(boards))
