"""The least permissions that each process needs in Kafka and in Redis. Pure.

The Helm chart's KafkaUsers and the users of Redis in docs/operations/security.md are generated from this, and the
secured tests run with exactly these permissions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streams.contracts.topics import (
    ACCEPTED_GROUP,
    ALERTS,
    DEAD_LETTERS,
    DELIVERIES,
    FAIRNESS_GROUP,
    HERALD_GROUP,
    INTAKE_GROUP,
    LEDGER,
    MODELS,
    RATINGS_GROUP,
    SUBSCRIPTIONS,
    VOTES,
)

WORKER_GROUP = "worker"
"""The group of Faust's agent, which counts dead letters."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations on one topic or group, by Kafka's names; an empty name means all with the prefix."""

    resource: str
    name: str
    operations: tuple[str, ...]


def _topic(name: str, *operations: str) -> Grant:
    """Grant on a topic; every process also reads the settings of its topics at its start."""
    return Grant("topic", name, (*operations, "DescribeConfigs"))


def _group(name: str, *operations: str) -> Grant:
    return Grant("group", name, operations)


KAFKA: Mapping[str, tuple[Grant, ...]] = {
    "gateway": (_topic(VOTES.name, "Write"), _topic(MODELS.name, "Write")),
    "worker": (
        _topic(VOTES.name, "Read"),
        _topic(MODELS.name, "Read"),
        _topic(LEDGER.name, "Read", "Write"),
        _topic(DEAD_LETTERS.name, "Read", "Write"),
        _topic(ALERTS.name, "Write"),
        *(_group(name, "Read") for name in (INTAKE_GROUP, RATINGS_GROUP, FAIRNESS_GROUP, WORKER_GROUP)),
        _group(ACCEPTED_GROUP, "Describe"),
    ),
    "board": (
        _topic(ALERTS.name, "Read"),
        _topic(VOTES.name, "Describe"),
        _topic(LEDGER.name, "Describe"),
        _topic(SUBSCRIPTIONS.name, "Read", "Write"),
        _topic(DELIVERIES.name, "Read", "Write"),
        _group(INTAKE_GROUP, "Describe"),
    ),
    "herald": (
        _topic(ALERTS.name, "Read"),
        _topic(SUBSCRIPTIONS.name, "Read", "Write"),
        _topic(DELIVERIES.name, "Read", "Write"),
        _group(HERALD_GROUP, "Read"),
    ),
    # An autoscaler of workers, by intake's lag.
    "scaler": (Grant("topic", VOTES.name, ("Describe",)), _group(INTAKE_GROUP, "Describe")),
    # A person or a deployment that runs `topics`, `replay`, `simulate`, `rebuild`, `intake`, `dead-letters`.
    "operator": (
        _topic("", "AlterConfigs", "Create", "Describe", "Read", "Write"),
        _group("", "Describe"),
        _group(ACCEPTED_GROUP, "Read"),  # committing to a group needs Read
    ),
}
"""Grants in Kafka by process."""

_CONNECT = "+ping +info +client|setname"
_READ = "+get +mget +smembers"
# Redis allows a pattern subscription only when exactly this pattern is in the rule.
_CHANGED = "&{prefix}:{{*}}:changed"

REDIS: Mapping[str, str] = {
    "worker": (
        f"~{{prefix}}:* {_CHANGED} {_CONNECT} {_READ} +hgetall +hget +hmget +hset +sadd +srem +set +del"
        " +evalsha +script|load +time +publish"
    ),
    "board": f"%R~{{prefix}}:* {_CHANGED} {_CONNECT} {_READ} +subscribe +psubscribe +unsubscribe +punsubscribe",
    "operator": f"~{{prefix}}:* {_CONNECT} {_READ} +hget +hmget +hset +del +evalsha +script|load +time",
}
"""ACL rules of each process's Redis user, after its password and `-@all`; the herald and the gateway need none."""


def redis_users(prefix: str) -> Iterator[tuple[str, str]]:
    """Name each user of Redis with its rules, under the prefix of our keys."""
    for name, rules in REDIS.items():
        yield name, "resetkeys resetchannels -@all " + rules.format(prefix=prefix)
