"""Watches an arena from outside until its board counts `total` battles, to measure the pace of the pipeline.

With fairness, it also waits for the evidence. The evidence is published only once per second, so its pace is measured
between its first publication and the last one before the end.
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
"""Pairs of battles counted and the time at which that was first seen, in seconds."""


def measure(arena: str, total: int, fairness: bool) -> tuple[Seen, Seen]:
    """Battles that the boards, and with fairness the evidence, counted over time."""
    settings = Settings.from_env(os.environ)
    redis: Any = Redis.from_url(settings.redis.url)  # its pub/sub is not typed
    listening = redis.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(settings.redis.keys.changed(arena))
    boards: Seen = [(0, 0.0)]
    evidence: Seen = [(0, 0.0)]
    watched = [(settings.redis.keys.board(arena, OVERALL), boards)]
    if fairness:
        watched.append((settings.redis.keys.fairness(arena), evidence))
    while any(seen[-1][0] < total for _, seen in watched):
        if listening.get_message(timeout=1.0) is None:
            continue
        for key, seen in watched:
            now, battles = time.perf_counter(), battles_of(redis.get(key))
            if battles != seen[-1][0]:
                seen.append((battles, now))
    return boards[1:], evidence[1:]


def pace(seen: Seen) -> tuple[int, float]:
    """Battles between the first and the last observation, and the seconds between them."""
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
