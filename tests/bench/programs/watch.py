"""Watches a board from outside until it counts so many battles: the pace of the whole pipeline."""

from __future__ import annotations

import os
import time
from typing import Any

from redis import Redis

from streams.contracts.settings import Settings
from streams.contracts.view import OVERALL
from tests.bench.programs.boards import battles_of
from tests.bench.programs.talk import answer, given


def measure(arena: str, total: int) -> tuple[int, float, int]:
    """Votes between the first and the last board seen, the seconds between, and the number of boards."""
    settings = Settings.from_env(os.environ)
    redis: Any = Redis.from_url(settings.redis_url)  # its pub/sub is not typed
    listening = redis.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(settings.keys.changed(arena))
    key = settings.keys.board(arena, OVERALL)
    seen = first = boards = 0
    began = ended = 0.0
    while seen < total:
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
    votes, seconds, boards = measure(parameters["arena"], parameters["total"])
    answer(votes=votes, seconds=seconds, boards=boards)
