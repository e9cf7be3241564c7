"""A stage that waits for Redis says so once for each cause, and its gauge holds for as long as it waits."""

import logging

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from streams.contracts.metrics import Metrics
from streams.contracts.redis_away import Away
from streams.fold.stops import Waiting

FULL = OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
GONE = RedisConnectionError("Connection refused")


def causes(metrics: Metrics, stage: str = "ratings") -> set[Away]:
    values = {
        cause: metrics.registry.get_sample_value("isonomy_redis_away", {"stage": stage, "cause": cause})
        for cause in Away
    }
    assert None not in values.values()  # all series are there from the start
    return {cause for cause, value in values.items() if value == 1.0}


def test_each_cause_is_said_once_and_shown_alone(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    waiting, other = Waiting(metrics, "ratings"), Waiting(metrics, "fairness")
    assert causes(metrics) == set()
    for error, what in ((GONE, "taking over"), (GONE, "ratings"), (FULL, "ratings"), (FULL, "a new arena")):
        waiting.begin(error, what)
    assert causes(metrics) == {Away.FULL}
    assert causes(metrics, "fairness") == set()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Redis is away, taking over has to wait",
        "Redis is full",
    ]
    other.end()
    waiting.end()
    waiting.end()
    assert causes(metrics) == set()
    assert [record.getMessage()[:30] for record in caplog.records[2:]] == ["Redis is back, ratings waited "]
    waiting.begin(GONE, "ratings")
    assert len(caplog.records) == 4  # another time is news again
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
