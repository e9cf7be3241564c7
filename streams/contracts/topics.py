"""The topics: names, partitions and settings, in the order of the data."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is created and checked.

    Parameters
    ----------
    name
        Without the prefix.
    partitions
        Default number; more for `votes` scales intake, more for `ledger` spreads arenas.
    config
        Broker settings.
    key
        What the record key is, in words, for the contract.
    """

    name: str
    partitions: int
    key: str
    config: dict[str, str] = field(default_factory=dict)


VOTES = Topic(
    "votes",
    4,
    "vote id",
    # Record time must be the broker's: the dedup horizon and the future check are functions of it.
    {"message.timestamp.type": "LogAppendTime", "retention.ms": str(30 * DAY_MS), "max.message.bytes": "1048576"},
)
MODELS = Topic(
    "models",
    1,
    "arena/model",
    {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact", "max.message.bytes": "1048576"},
)
LEDGER = Topic(
    "ledger",
    4,
    "arena",
    # The ledger is kept for ever: every view is a fold of it.
    {"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "8388608"},
)
DEAD_LETTERS = Topic(
    "dead-letters",
    1,
    "topic/partition/offset of the refused record",
    {"retention.ms": str(90 * DAY_MS), "max.message.bytes": "4194304"},
)
ALERTS = Topic("alerts", 1, "fingerprint", {"cleanup.policy": "compact", "retention.ms": "-1"})
SUBSCRIPTIONS = Topic("subscriptions", 1, "subscription id", {"cleanup.policy": "compact"})
DELIVERIES = Topic("deliveries", 1, "delivery id, or claim, disabled/…, replay/…", {"cleanup.policy": "compact"})

TOPICS = (VOTES, MODELS, LEDGER, DEAD_LETTERS, ALERTS, SUBSCRIPTIONS, DELIVERIES)

INTAKE_GROUP = "intake"
RATINGS_GROUP = "ratings"
FAIRNESS_GROUP = "fairness"
HERALD_GROUP = "herald"
"""Consumer groups, without the prefix."""

ACCEPTED_GROUP = "intake-accepted"
"""A group that nobody joins: its offsets say up to where an operator has accepted that records are missing."""
