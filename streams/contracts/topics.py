"""The topics: names, partitions and settings, in the order of the data flow; and checks of topics as found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

DAY_MS = 86_400_000

UNCOMPACTED_MS = 7 * DAY_MS
"""Time for which every record of a compacted topic can be read, even when a later one has the same key.

A consumer that was down finds only the newest record of each key once the broker has compacted the topic: of an alert
that fired and ended only the end, so the alert is never delivered. A week outlasts the longest unattended weekend, and
equals the horizon of deduplication; these topics are small, so it costs next to nothing.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: how it is created, and what it is checked against.

    Parameters
    ----------
    name
        Name without the prefix.
    partitions
        Default number; more for `votes` scales intake, more for `ledger` spreads arenas.
    config
        Broker settings.
    key
        What the record key is, in words, for the contract.
    single
        Why there must be exactly one partition, in words; empty where more are allowed.
    """

    name: str
    partitions: int
    key: str
    config: dict[str, str] = field(default_factory=dict)
    single: str = ""


_COMPACT = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(UNCOMPACTED_MS)}

VOTES = Topic(
    "votes",
    4,
    "vote id",
    # Record time must be the broker's: the dedup horizon and the future check are functions of it. Retention has no
    # limit in bytes, which could delete records that intake has not read.
    {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(30 * DAY_MS),
        "retention.bytes": "-1",
        "max.message.bytes": "1048576",
    },
)
MODELS = Topic(
    "models",
    1,
    "arena/model",
    {"message.timestamp.type": "LogAppendTime", **_COMPACT, "max.message.bytes": "1048576"},
)
LEDGER = Topic(
    "ledger",
    4,
    "arena",
    # The ledger is kept forever: every view is a fold of it.
    {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "8388608"},
)
DEAD_LETTERS = Topic(
    "dead-letters",
    1,
    "topic/partition/offset of the refused record",
    {"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS), "max.message.bytes": "4194304"},
)
ALERTS = Topic("alerts", 1, "fingerprint", {**_COMPACT, "retention.ms": "-1"})
SUBSCRIPTIONS = Topic("subscriptions", 1, "subscription id", dict(_COMPACT))
DELIVERIES = Topic(
    "deliveries",
    1,
    "delivery id, or claim, disabled/…, blocked/…, replay/…, asked/…",
    dict(_COMPACT),
    # Across partitions there is no order, so a delivery could not be placed before or after a claim.
    single="the herald reads partition 0 up to its claim, and would not know what others owe and have sent",
)

TOPICS = (VOTES, MODELS, LEDGER, DEAD_LETTERS, ALERTS, SUBSCRIPTIONS, DELIVERIES)

INTAKE_GROUP = "intake"
RATINGS_GROUP = "ratings"
FAIRNESS_GROUP = "fairness"
HERALD_GROUP = "herald"
"""Consumer groups, without the prefix."""

ACCEPTED_GROUP = "intake-accepted"
"""A group without members: its offsets store up to which offset an operator has accepted missing records."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Requirements from the settings, in addition to `TOPICS`.

    Parameters
    ----------
    replication
        Replication factor of created topics.
    dedup_seconds
        The horizon of deduplication in record time.
    """

    replication: int = 1
    dedup_seconds: float = 7 * DAY_MS / 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as a broker describes it; settings missing from `config` and numbers that are None are unknown."""

    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replication: int | None = None
    brokers: int | None = None
    """Number of brokers in the cluster."""
    first: int | None = None
    """Largest first offset of any partition's log."""


class Weight(Enum):
    """Consequence of a finding."""

    LOSES = "loses"
    """Data is or will be lost: no process starts."""
    DIFFERS = "differs"
    """Not as required: reported at the start, and `isonomy topics` exits with 1."""
    DOUBTFUL = "doubtful"
    """Perhaps intended: only reported."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a topic, in words; `repair` is the setting and value that fix it, if a setting can."""

    text: str
    weight: Weight
    repair: tuple[str, str] | None = None


def config_of(topic: Topic, wish: Wish) -> dict[str, str]:
    """Return the settings with which a topic is created.

    >>> config_of(LEDGER, Wish(replication=3))["min.insync.replicas"]
    '2'
    """
    config = dict(topic.config)
    if topic is VOTES:
        config["retention.ms"] = str(max(int(config["retention.ms"]), _horizon_ms(wish)))
    if wish.replication >= 3:  # with fewer replicas, one broker down would stop all writes
        config["min.insync.replicas"] = "2"
    return config


def judge(topic: Topic, found: Found, wish: Wish, partitions: int | None = None) -> list[Finding]:
    """Compare a topic as found with its requirements.

    Parameters
    ----------
    topic, found, wish
        The required and the actual state. Unknown values give no finding.
    partitions
        Required number of partitions; the topic's default by default.

    >>> [finding.text for finding in judge(LEDGER, Found(4, {"retention.ms": "604800000"}), Wish())]
    ['retention.ms is 604800000, must be -1']
    """
    return [
        *_settings(topic, found, wish),
        *_unclean(found),
        *_partitions(topic, found, partitions or topic.partitions),
        *_replication(topic, found, wish),
        *_beginning(topic, found),
    ]


def _beginning(topic: Topic, found: Found) -> Iterator[Finding]:
    if topic is LEDGER and found.first:
        text = f"a partition begins at offset {found.first}: earlier records are gone, and nothing can be folded again"
        yield Finding(text, Weight.DOUBTFUL)  # the folds may continue from their saved state


_AT_LEAST = {"retention.ms", "retention.bytes", "max.message.bytes", "min.compaction.lag.ms", "min.insync.replicas"}
"""Settings for which a larger value is fine too; -1 of the retentions means forever."""


def _settings(topic: Topic, found: Found, wish: Wish) -> Iterator[Finding]:
    wanted = config_of(topic, Wish(found.replication or wish.replication, wish.dedup_seconds))
    for key, value in wanted.items():
        is_value = found.config.get(key)
        if is_value is None or is_value == value:
            continue
        if topic is VOTES and key == "retention.ms":
            yield from _retention_of_votes(int(is_value), _horizon_ms(wish), value)
            continue
        if key in _AT_LEAST and _amount(key, is_value) >= _amount(key, value):
            continue
        must = f"at least {value}" if key in _AT_LEAST and value != "-1" else value
        weight = Weight.LOSES if _loses(topic, key, found.config) else Weight.DIFFERS
        yield Finding(f"{key} is {is_value}, must be {must}", weight, (key, value))


def _retention_of_votes(retention_ms: int, horizon_ms: int, value: str) -> Iterator[Finding]:
    """Accept any retention that is at least the horizon of deduplication: it is the operator's choice."""
    if 0 <= retention_ms < horizon_ms:
        yield Finding(
            f"retention.ms is {retention_ms} ({_days(retention_ms)}), shorter than the horizon of deduplication"
            f" ({_days(horizon_ms)}, ISONOMY_DEDUP_SECONDS): a vote that is sent again later than that counts twice",
            Weight.DIFFERS,
            ("retention.ms", value),
        )


def _loses(topic: Topic, key: str, config: Mapping[str, str]) -> bool:
    """Whether a wrong setting deletes records that are needed, or makes them useless."""
    if topic is VOTES:
        # Compaction removes the first record of an id that is sent again. With the sender's clock neither the dedup
        # horizon nor the future check works.
        return key == "message.timestamp.type" or (key == "cleanup.policy" and "compact" in config[key])
    if topic is LEDGER:
        return key in {"cleanup.policy", "retention.ms", "retention.bytes"}
    if "compact" in topic.config["cleanup.policy"]:
        # Deletion by age or size removes the only record of a key; without either limit it removes nothing.
        ends = any(config.get(limit, "-1") != "-1" for limit in ("retention.ms", "retention.bytes"))
        return key == "cleanup.policy" and ends
    return False


def _unclean(found: Found) -> Iterator[Finding]:
    if found.config.get("unclean.leader.election.enable") == "true":
        key = "unclean.leader.election.enable"
        yield Finding(
            f"{key} is true, must be false: a replica that lags may lead, and what it lacks is lost",
            Weight.DIFFERS,
            (key, "false"),
        )


def _partitions(topic: Topic, found: Found, wanted: int) -> Iterator[Finding]:
    if topic.single and found.partitions > 1:
        yield Finding(
            f"{found.partitions} partitions, must be 1: {topic.single} (Kafka takes none away: stop the heralds, delete"
            " the topic and run `isonomy topics`; what was sent may be sent again)",
            Weight.LOSES,
        )
    elif found.partitions < wanted:
        why = _WHY_NO_MORE.get(topic.name, "")
        yield Finding(f"{found.partitions} partitions, expected {wanted}{why}", Weight.DIFFERS)


_WHY_NO_MORE = {
    VOTES.name: " (adding some would move ids to partitions that do not know them: what is sent again would count"
    " twice; use a new ISONOMY_TOPIC_PREFIX)",
    LEDGER.name: " (adding some would move arenas away from what they have written; use a new ISONOMY_TOPIC_PREFIX)",
}


def _replication(topic: Topic, found: Found, wish: Wish) -> Iterator[Finding]:
    if found.replication is None:
        return
    if found.replication < wish.replication:
        yield Finding(
            f"{found.replication} replicas, expected {wish.replication} (kafka-reassign-partitions adds some)",
            Weight.DIFFERS,
        )
    elif topic is LEDGER and found.replication == 1 and (found.brokers or 1) > 1:
        yield Finding(
            f"1 replica on {found.brokers} brokers: a lost disk loses votes for good (ISONOMY_REPLICATION)",
            Weight.DOUBTFUL,
        )


def _amount(key: str, value: str) -> float:
    number = int(value)
    return float("inf") if number < 0 and key.startswith("retention.") else number


def _horizon_ms(wish: Wish) -> int:
    return int(wish.dedup_seconds * 1000)


def _days(milliseconds: int) -> str:
    return f"{milliseconds / DAY_MS:.3g} days"
