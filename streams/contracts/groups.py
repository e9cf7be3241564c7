"""Check that a consumer group uses the protocol of our clients. Pure."""

from __future__ import annotations


def refusal_of_group(name: str, kind: str | None, state: str | None) -> str | None:
    """Return why our members must not join a group; None when they may, or when the broker does not report it.

    aiokafka speaks the classic protocol. Kafka lets a classic member join a group of the new protocol (KIP-848, type
    `consumer`), but silently assigns it no partitions. Kafka converts an empty group to a classic one.

    Parameters
    ----------
    name
        Name with the prefix.
    kind, state
        As in ListGroups from version 5 on; None from an older broker or for a group that does not exist.

    >>> refusal_of_group("isonomy.intake", "classic", "Stable")
    >>> refusal_of_group("isonomy.intake", "consumer", "Empty")
    """
    if not kind or kind.lower() == "classic":
        return None
    if kind.lower() == "consumer" and (state or "").lower() == "empty":
        return None
    return (
        f"the consumer group {name} is of type {kind}, in which Kafka assigns no partitions to this member:"
        " end its other members, because this one can only join a classic group"
    )
