"""A peer: Quix Streams with Elo in a plain dict; it stores and publishes nothing.

It runs in its own virtual environment, and therefore imports nothing from this project.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]  # installed elsewhere

SCORES = {"model_a": 1.0, "model_b": 0.0}


def main() -> None:
    """Rate all votes of the topic, and measure the time from the first to the last."""
    given = json.loads(sys.argv[1])
    ratings: dict[str, float] = {}
    seen, began, took = 0, 0.0, 0.0

    def rate(vote: dict[str, Any]) -> None:
        nonlocal seen, began, took
        if not seen:
            began = time.perf_counter()
        a, b = vote["model_a"], vote["model_b"]
        rating_a, rating_b = ratings.get(a, 1000.0), ratings.get(b, 1000.0)
        change = 4.0 * (SCORES.get(vote["winner"], 0.5) - 1.0 / (1.0 + 10.0 ** ((rating_b - rating_a) / 400.0)))
        ratings[a], ratings[b] = rating_a + change, rating_b - change
        seen += 1
        if seen == given["total"]:
            took = time.perf_counter() - began

    app = Application(
        broker_address=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        consumer_group=os.environ["ISONOMY_TOPIC_PREFIX"] + given["group"],
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="WARNING",
    )
    topic = app.topic(os.environ["ISONOMY_TOPIC_PREFIX"] + "votes", value_deserializer="json")
    app.dataframe(topic).update(rate)
    app.run(count=given["total"], timeout=20.0, collect=False)
    result = Path(given["result"])
    scratch = result.with_suffix(".part")
    scratch.write_text(json.dumps({"votes": seen - 1, "seconds": took}))
    scratch.rename(result)


if __name__ == "__main__":
    main()
