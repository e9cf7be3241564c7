"""A peer: a plain Faust agent with Elo in Redis, which reads two ratings and writes two for each vote.

It uses one MGET and one MSET per vote: fewer round trips than four commands, which favours the peer.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import faust
from redis.asyncio import Redis

from streams.contracts.settings import Settings
from streams.contracts.topics import VOTES
from tests.bench.programs.talk import answer, given

SCORES = {"model_a": 1.0, "model_b": 0.0}


def create(settings: Settings, group: str, port: int, seconds: float) -> faust.App:
    """The application, which writes its answer after `seconds` of votes."""
    app = faust.App(
        settings.kafka.group(group),
        broker=f"aiokafka://{settings.kafka.bootstrap}",
        store="memory://",
        web_port=port,
        web_host=settings.http.host,
        web_bind=settings.http.host,
        topic_disable_leader=True,
    )
    topic = app.topic(settings.kafka.topic(VOTES.name), key_type=bytes, value_serializer="json")
    redis = Redis.from_url(settings.redis.url)
    name = f"{settings.redis.prefix}:{group}:"

    @app.agent(topic)
    async def rate(votes: Any) -> None:
        count, began = 0, 0.0
        async for vote in votes:
            if not began:
                began = time.perf_counter()
            a, b = name + vote["model_a"], name + vote["model_b"]
            read_a, read_b = await redis.mget(a, b)
            rating_a, rating_b = float(read_a or 1000.0), float(read_b or 1000.0)
            change = 4.0 * (SCORES.get(vote["winner"], 0.5) - 1.0 / (1.0 + 10.0 ** ((rating_b - rating_a) / 400.0)))
            await redis.mset({a: rating_a + change, b: rating_b - change})
            count += 1
            if count % 500 == 0 and (took := time.perf_counter() - began) > seconds:
                answer(votes=count - 1, seconds=took)
                os._exit(0)  # Faust needs many seconds to stop, and there is nothing to save

    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    parameters = given()
    made = create(Settings.from_env(os.environ), parameters["group"], parameters["port"], parameters["measured"])
    faust.Worker(made, loglevel=logging.WARNING, quiet=True).execute_from_commandline()
