"""Whether a consumer group speaks the protocol that our clients speak. Pure."""

from __future__ import annotations


def refusal_of_group(name: str, kind: str | None, state: str | None) -> str | None:
    """Say why no member of ours may join a group; None when it may, or when the broker does not tell.

    aiokafka speaks the classic protocol. Kafka lets a classic member join a group of the new one (KIP-848, type
    `consumer`), and gives it no partitions, without a word. An empty one it turns into a classic group.

    Parameters
    ----------
    name
        With the prefix.
    kind, state
        As ListGroups tells them from version 5 on, None from an older broker or for a group that does not exist.

    >>> refusal_of_group("isonomy.intake", "classic", "Stable")
    >>> refusal_of_group("isonomy.intake", "consumer", "Empty")
    """
    if not kind or kind.lower() == "classic":
        return None
    if kind.lower() == "consumer" and (state or "").lower() == "empty":
        return None
    return (
        f"the consumer group {name} is of type {kind}, in which Kafka gives our members no partitions:"
        " end its other members, for this one can only join a classic group"
    )
