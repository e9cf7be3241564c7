"""Who writes and who reads each topic: what no single module of the code knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streams.contracts.topics import (
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
    Topic,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """One process that sends to a topic or receives from it.

    Parameters
    ----------
    process
        Its name; `command line` where a person runs it.
    action
        From the process's point of view.
    topic
        Which topic.
    summary
        One sentence.
    group
        Consumer group without the prefix, where it is a member of one.
    """

    process: str
    action: Literal["send", "receive"]
    topic: Topic
    summary: str
    group: str | None = None


FLOWS = (
    Flow("gateway", "send", VOTES, "Votes that came over HTTP; answered once all in-sync replicas have them."),
    Flow("gateway", "send", MODELS, "Model records that came over HTTP; a removal is a record without value."),
    Flow("replay", "send", VOTES, "`isonomy replay`: the votes of a file or a named data set."),
    Flow("simulate", "send", VOTES, "`isonomy simulate --kafka`: the votes of a made-up arena."),
    Flow("simulate", "send", MODELS, "`isonomy simulate --kafka`: what that arena declares."),
    Flow("dead-letters", "receive", DEAD_LETTERS, "`isonomy dead-letters`: lists refused records."),
    Flow("dead-letters", "send", DEAD_LETTERS, "`isonomy dead-letters redrive`: which were sent once more."),
    Flow("dead-letters", "send", VOTES, "`isonomy dead-letters redrive`: refused votes once more."),
    Flow("dead-letters", "send", MODELS, "`isonomy dead-letters redrive`: refused model records once more."),
    Flow("intake", "receive", VOTES, "Decodes, checks and deduplicates.", INTAKE_GROUP),
    Flow("intake", "receive", MODELS, "Turns the registry's changes into notices.", INTAKE_GROUP),
    Flow("intake", "send", LEDGER, "Blocks and notices; offsets are committed after the acknowledgement."),
    Flow("intake", "send", DEAD_LETTERS, "What cannot be used, as it came, with the reason."),
    Flow(
        "ratings",
        "receive",
        LEDGER,
        "Folds it and publishes boards; starts from the position in its saved state, not from a committed offset.",
        RATINGS_GROUP,
    ),
    Flow(
        "fairness",
        "receive",
        LEDGER,
        "Folds it and judges; starts from the position in its saved state, not from a committed offset.",
        FAIRNESS_GROUP,
    ),
    Flow(
        "fairness",
        "send",
        ALERTS,
        "In the order of the ledger, each acknowledged before the next; a position is saved only after what it told.",
    ),
    Flow("herald", "receive", ALERTS, "Reads all of it at every start; matches and delivers. See subscriptions.md."),
    Flow("herald", "receive", SUBSCRIPTIONS, "Whom to tell; reads all of it at every start."),
    Flow(
        "herald",
        "receive",
        DELIVERIES,
        "What is owed and what became of it; reads all of it at every start. The group decides which herald delivers.",
        HERALD_GROUP,
    ),
    Flow("herald", "send", DELIVERIES, "Owed before the first attempt, settled after the answer; each acknowledged."),
    Flow("board", "receive", SUBSCRIPTIONS, "Serves them to their owners."),
    Flow("board", "send", SUBSCRIPTIONS, "What came over HTTP; answered once all in-sync replicas have it."),
    Flow("board", "receive", DELIVERIES, "Serves the history of deliveries; counts who was asked to confirm."),
    Flow("board", "send", DELIVERIES, "Replays that an owner asked for, and whom it has asked to confirm."),
    Flow("worker", "receive", DEAD_LETTERS, "Counts them by reason.", "worker"),
)

PURPOSE: dict[str, str] = {
    VOTES.name: "Battles and what people said of them. An arena may write here itself, without the gateway.",
    MODELS.name: "What the arena declares of its models.",
    LEDGER.name: "One ordered, deduplicated, columnar log of votes and notices per arena; kept for ever.",
    DEAD_LETTERS.name: "Refused records: their original bytes, and in the headers where they stood and why.",
    ALERTS.name: "What an arena did, to whom and since when; compaction keeps the newest record of each fingerprint.",
    SUBSCRIPTIONS.name: (
        "Who is told of alerts, and how. Holds secrets in the clear, for signing needs them: let only board and herald"
        " read it."
    ),
    DELIVERIES.name: "Notification log and retry queue in one: the newest record of a key is its state.",
}


def flows_of(topic: str, action: str) -> list[Flow]:
    """Return those who send to a topic (named without the prefix), or receive from it."""
    return [flow for flow in FLOWS if flow.topic.name == topic and flow.action == action]
