"""Watches an arena from outside until its board, or that and its evidence, counts so many: the pace of the pipeline."""

from __future__ import annotations

import os
import time
from typing import Any

from redis import Redis

from streams.contracts.settings import Settings
from streams.contracts.view import OVERALL
from tests.bench.programs.boards import battles_of
from tests.bench.programs.talk import answer, given


def measure(arena: str, total: int, fairness: bool = False) -> tuple[int, float, int]:
    """Votes between the first and the last board seen, the seconds between, and the number of boards.

    With `fairness` the end is when the evidence, shown once a second, covers every battle too.
    """
    settings = Settings.from_env(os.environ)
    redis: Any = Redis.from_url(settings.redis_url)  # its pub/sub is not typed
    listening = redis.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(settings.keys.changed(arena))
    key, evidence = settings.keys.board(arena, OVERALL), settings.keys.fairness(arena)
    seen = first = boards = 0
    began = ended = 0.0
    while seen < total or (fairness and battles_of(redis.get(evidence)) < total):
        if listening.get_message(timeout=1.0) is None:
            continue
        text = redis.get(key)
        ended = time.perf_counter()
        seen = battles_of(text)
        boards += 1
        if not first:
            first, began = seen, ended
    return seen - first, ended - began, boards


if __name__ == "__main__":
    parameters = given()
    votes, seconds, boards = measure(parameters["arena"], parameters["total"], parameters.get("fairness", False))
    answer(votes=votes, seconds=seconds, boards=boards)
