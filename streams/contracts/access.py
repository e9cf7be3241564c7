"""Who may do what: the least that each process needs of Kafka and of Redis. Pure.

The Helm chart's KafkaUsers and the users of Redis in docs/operations/security.md are made from this, and the secured
tests run under exactly it.
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
"""Faust's own group, of the agent that counts dead letters."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations on one topic or group, by Kafka's names; an empty name stands for all that have the prefix."""

    resource: str
    name: str
    operations: tuple[str, ...]


def _topic(name: str, *operations: str) -> Grant:
    """Every process looks at the settings of its topics before it begins."""
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
    # Who scales workers by what intake has not taken.
    "scaler": (Grant("topic", VOTES.name, ("Describe",)), _group(INTAKE_GROUP, "Describe")),
    # A person, or a deployment: `topics`, `replay`, `simulate`, `rebuild`, `intake`, `dead-letters`.
    "operator": (
        _topic("", "AlterConfigs", "Create", "Describe", "Read", "Write"),
        _group("", "Describe"),
        _group(ACCEPTED_GROUP, "Read"),  # to commit to a group is to read it
    ),
}
"""By process, what of Kafka."""

_CONNECT = "+ping +info +client|setname"
_READ = "+get +mget +smembers"
# A pattern may be subscribed to only when it stands here word for word.
_CHANGED = "&{prefix}:{{*}}:changed"

REDIS: Mapping[str, str] = {
    "worker": (
        f"~{{prefix}}:* {_CHANGED} {_CONNECT} {_READ} +hgetall +hget +hmget +hset +sadd +srem +set +del"
        " +evalsha +script|load +time +publish"
    ),
    "board": f"%R~{{prefix}}:* {_CHANGED} {_CONNECT} {_READ} +subscribe +psubscribe +unsubscribe +punsubscribe",
    "operator": f"~{{prefix}}:* {_CONNECT} {_READ} +hget +hmget +hset +del +evalsha +script|load +time",
}
"""By process, the rules of its user in Redis, after its password and `-@all`; the herald and the gateway need none."""


def redis_users(prefix: str) -> Iterator[tuple[str, str]]:
    """Name each user of Redis with its rules, under the prefix of our keys."""
    for name, rules in REDIS.items():
        yield name, "resetkeys resetchannels -@all " + rules.format(prefix=prefix)
