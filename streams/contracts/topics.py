"""The topics: names, partitions and settings, in the order of the data; and what would lose data in one as found."""

# Longer than most: what a topic must be, and the judgement of one that is not, stand side by side.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

DAY_MS = 86_400_000

UNCOMPACTED_MS = 7 * DAY_MS
"""Every record of a compacted topic can be read for so long, whatever came after it.

Who follows such a topic and was away finds only the newest record of each key once the broker has compacted it: of an
alert that fired and ended nothing but the end, so it is never delivered. A week is longer than the longest weekend on
which nobody looks, and as long as the horizon of deduplication; these topics are small, so it costs next to nothing.
"""


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
    single
        Why there must be one partition and no more, in words; empty where more are as good.
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
    # Record time must be the broker's: the dedup horizon and the future check are functions of it. Bytes do not limit
    # what is kept: they could cut what intake has not taken.
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
    # The ledger is kept for ever: every view is a fold of it.
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
    # Of a delivery in another partition nobody can say whether it stands before a claim or behind it.
    single="the herald reads partition 0 up to its claim, and would not know what others owe and have sent",
)

TOPICS = (VOTES, MODELS, LEDGER, DEAD_LETTERS, ALERTS, SUBSCRIPTIONS, DELIVERIES)

INTAKE_GROUP = "intake"
RATINGS_GROUP = "ratings"
FAIRNESS_GROUP = "fairness"
HERALD_GROUP = "herald"
"""Consumer groups, without the prefix."""

ACCEPTED_GROUP = "intake-accepted"
"""A group that nobody joins: its offsets say up to where an operator has accepted that records are missing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings ask of topics, beyond `TOPICS`.

    Parameters
    ----------
    replication
        Replication factor of topics that are created.
    dedup_seconds
        The horizon of deduplication in record time.
    """

    replication: int = 1
    dedup_seconds: float = 7 * DAY_MS / 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as a broker describes it; a setting that is not in `config` and a number that is None are unknown."""

    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replication: int | None = None
    brokers: int | None = None
    """Of the whole cluster."""
    first: int | None = None
    """Offset at which the log begins, of the partition that begins last."""


class Weight(Enum):
    """What a finding means."""

    LOSES = "loses"
    """Data is or will be lost: no process begins."""
    DIFFERS = "differs"
    """Not as it must be: said at the start, and `isonomy topics` ends with 1."""
    DOUBTFUL = "doubtful"
    """Perhaps meant so: only said."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a topic, in words; `repair` is the setting and value that mend it, if a setting can."""

    text: str
    weight: Weight
    repair: tuple[str, str] | None = None


def config_of(topic: Topic, wish: Wish) -> dict[str, str]:
    """Settings that a topic is created with.

    >>> config_of(LEDGER, Wish(replication=3))["min.insync.replicas"]
    '2'
    """
    config = dict(topic.config)
    if topic is VOTES:
        config["retention.ms"] = str(max(int(config["retention.ms"]), _horizon_ms(wish)))
    if wish.replication >= 3:  # with fewer, one broker away would stop all writing
        config["min.insync.replicas"] = "2"
    return config


def judge(topic: Topic, found: Found, wish: Wish, partitions: int | None = None) -> list[Finding]:
    """Compare a topic as found with what it must be.

    Parameters
    ----------
    topic, found, wish
        What it must be and is. What is unknown is no finding.
    partitions
        Instead of the topic's default number.

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
        text = f"a partition begins at offset {found.first}: what was before is gone, and nothing can be folded anew"
        yield Finding(text, Weight.DOUBTFUL)  # the folds may go on from what they saved


_AT_LEAST = {"retention.ms", "retention.bytes", "max.message.bytes", "min.compaction.lag.ms", "min.insync.replicas"}
"""More of these is as good; -1 of the retentions is for ever."""


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
    """Any retention is the operator's choice, as long as the horizon of deduplication fits in."""
    if 0 <= retention_ms < horizon_ms:
        yield Finding(
            f"retention.ms is {retention_ms} ({_days(retention_ms)}), shorter than the horizon of deduplication"
            f" ({_days(horizon_ms)}, ISONOMY_DEDUP_SECONDS): a vote that is sent again later than that counts twice",
            Weight.DIFFERS,
            ("retention.ms", value),
        )


def _loses(topic: Topic, key: str, config: Mapping[str, str]) -> bool:
    """Whether a setting that is not as it must be takes records away that are needed, or makes them useless."""
    if topic is VOTES:
        # Compacted, an id sent again takes the first one's offset away. By the sender's clock neither the horizon nor
        # the check against the future holds.
        return key == "message.timestamp.type" or (key == "cleanup.policy" and "compact" in config[key])
    if topic is LEDGER:
        return key in {"cleanup.policy", "retention.ms", "retention.bytes"}
    if "compact" in topic.config["cleanup.policy"]:
        # Deleting by age or size takes the only record of a key; where both are without limit, it takes nothing.
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
