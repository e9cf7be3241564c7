"""The offset at which intake starts in a partition that it takes over: pure, from the group, the ledger and the log.

Intake starts at its own commit. It does not trust any other commit, such as an operator's reset, that is ahead of the
ledger: the votes in between were never counted. It then uses the ledger, whose blocks each store how far the votes had
been read. To start too early is harmless, because readers drop the rows they know; to start too late loses votes.
"""

from __future__ import annotations

from dataclasses import dataclass


class AnotherLog(RuntimeError):  # noqa: N818 -- what it is
    """The topic is not the one that was read before: its offsets mean other votes, which would be dropped."""


class RecordsGone(RuntimeError):  # noqa: N818 -- what happened
    """Records that intake has not read are no longer in the log; an operator has to accept the gap."""

    def __init__(self, text: str, missing: int) -> None:
        super().__init__(text)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class KnownOffsets:
    """What the group, the ledger and the log say about a partition.

    Attributes
    ----------
    place
        `topic/partition`, for messages.
    first, end
        Range of offsets in the log, `end` excluded.
    commit
        Committed offset; None when there is none.
    ours
        Whether intake itself made the commit.
    proven
        Offset up to which the partition was read, according to the ledger; None when the ledger does not name it.
    whole
        Offset before which the ledger is complete: some arenas' blocks of the last write before `proven` may be
        missing.
    other
        Offset of a record whose time differs between the log and the ledger; None when there is none.
    accepted
        Offset up to which an operator has accepted missing records; 0 when none has.
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


def begin(known: KnownOffsets) -> int:
    """Return the offset at which intake starts.

    Raises
    ------
    AnotherLog
        When the log ends before the offset that was reached, or holds other records.
    RecordsGone
        When the log's first offset is beyond the offset that was reached, and no operator has accepted the gap.

    Examples
    --------
    >>> begin(KnownOffsets("votes/0", first=0, end=900, commit=400, ours=True, proven=None))
    400
    >>> begin(KnownOffsets("votes/0", first=0, end=900, commit=900, ours=False, proven=400, whole=350))
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
        position = known.first  # never read, so no record of it is missing
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


_ANEW = "a topic that was created again needs a new ISONOMY_TOPIC_PREFIX"
