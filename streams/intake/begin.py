"""Where intake begins in a partition that it takes over: pure, from what the group, the ledger and the log say.

A commit of ours says it. Any other, an operator's reset for instance, is not believed when it lies ahead: what it
passes over was never counted. Then the ledger says it, which holds for each of its blocks how far the votes had been
read. To begin too early is harmless, for readers drop what they know; to begin too late loses votes for ever.
"""

from __future__ import annotations

from dataclasses import dataclass


class AnotherLog(RuntimeError):  # noqa: N818 -- what it is
    """The topic is not the one that was read before: its offsets mean other votes, and would be dropped as known."""


class RecordsGone(RuntimeError):  # noqa: N818 -- what happened
    """Records that intake has not taken are no longer in the log: a person has to accept that."""

    def __init__(self, text: str, missing: int) -> None:
        super().__init__(text)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a partition.

    Attributes
    ----------
    place
        `topic/partition`, for messages.
    first, end
        Offsets that the log holds, `end` excluded.
    commit
        Committed offset; None when there is none.
    ours
        Whether the commit is one of ours.
    proven
        Offset up to which the ledger shows the partition to have been read; None when it shows nothing.
    whole
        Offset before which the ledger lacks nothing: of the last write before `proven`, some arenas' blocks may be
        missing.
    other
        Offset at which the log holds another record than the ledger says; None when there is none.
    accepted
        Offset up to which an operator has accepted that records are missing; 0: nothing.
    """

    place: str
    first: int
    end: int
    commit: int | None
    ours: bool
    proven: int | None
    whole: int = 0
    other: int | None = None
    accepted: int = 0


def begin(known: Known) -> int:
    """Offset at which intake begins.

    Raises
    ------
    AnotherLog
        When the log ends before what was read of it, or holds other records.
    RecordsGone
        When records between the beginning and the log's first one are missing, and nobody has accepted that.

    Examples
    --------
    >>> begin(Known("votes/0", first=0, end=900, commit=400, ours=True, proven=None))
    400
    >>> begin(Known("votes/0", first=0, end=900, commit=900, ours=False, proven=400, whole=350))
    350
    """
    reached = known.commit if known.ours else known.proven
    if reached is not None and reached > known.end:
        raise AnotherLog(f"{known.place} ends at {known.end}, but {reached} records of it are in the ledger: {_ANEW}")
    if known.other is not None:
        raise AnotherLog(
            f"{known.place} holds another record at offset {known.other} than the one that is in the ledger: {_ANEW}"
        )
    if reached is None:
        position = known.first  # never read: nothing of it is missed
    elif known.ours:
        position = reached
    else:
        position = known.whole
        if known.commit is not None and known.first <= known.commit:
            position = min(position, known.commit)
    if reached is not None and known.first > max(reached, known.accepted):
        missing = known.first - max(reached, known.accepted)
        raise RecordsGone(
            f"{known.place} begins at offset {known.first}, and intake has read it up to {reached}: {missing} records"
            " are gone that were never counted. Retention or a person has removed them. Find out what they were; then"
            f" `isonomy intake accept-gap {known.place} --up-to {known.first}` lets intake go on without them",
            missing,
        )
    return max(position, known.first)


_ANEW = "a topic that was made anew needs a new ISONOMY_TOPIC_PREFIX"
