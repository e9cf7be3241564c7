"""Find out from Kafka what became of sent votes: what intake did with them, and whether the boards count them.

For each vote that counts, intake writes a ledger row with the vote's partition and offset in `votes`; for each vote it
refuses, it writes a dead letter with the same place; then it commits. So a sent vote below the committed offset that
has neither is a duplicate. This needs no other bookkeeping, and votes of other senders, even to the same arena, do not
disturb it. Uses kafka-python.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from numpy.typing import NDArray

from streams.contracts.connect import kafka_python_options
from streams.contracts.dead_letter import REDRIVEN, read_dead_letter
from streams.contracts.partitioner import partitions_of
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import DEAD_LETTERS, INTAKE_GROUP, LEDGER, VOTES, Topic
from streams.kafka.end_offsets import EndsUnknown, ask_commits, ask_ends, partitions_of_topic
from streams.ledger.codec import Block, decode

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

PATIENCE = 30.0
"""Seconds within which the next records must arrive."""

Written = Mapping[int, Sequence[range]]
"""Offsets of votes by partition, ascending, as in `VoteSender.written`."""


@dataclass(frozen=True, slots=True)
class IntakeOutcome:
    """What intake did with `sent` votes.

    `waiting` votes have not been taken by intake yet. If the client lost an acknowledgement and sent a batch again, the
    log may have the batch twice: its votes count once, and the repeats are duplicates here.
    """

    sent: int
    counted: int
    duplicates: int
    refused: Mapping[str, int]
    waiting: int

    def __str__(self) -> str:
        parts = [f"counted {self.counted:,}", f"duplicates {self.duplicates:,}"]
        parts += [f"refused by intake {count:,} ({reason})" for reason, count in sorted(self.refused.items())]
        parts += [f"not taken by intake yet {self.waiting:,}"] if self.waiting else []
        return ", ".join(parts)


def outcome(
    written: Written,
    taken: Mapping[int, int],
    counted: Mapping[int, NDArray[np.int64]],
    refused: Mapping[tuple[int, int], str],
) -> IntakeOutcome:
    """Compute the outcome from offsets.

    Parameters
    ----------
    written
        The votes to account for.
    taken
        The offset committed by intake, by partition.
    counted
        Offsets of ledger rows by partition; may contain repeats and offsets of other votes.
    refused
        Maps partition and offset of a refused record to the reason; may contain other records.

    Examples
    --------
    >>> rows, letters = {0: np.array([5, 3, 5])}, {(0, 4): "same_model"}
    >>> print(outcome({0: [range(3, 8)]}, {0: 7}, rows, letters))
    counted 2, duplicates 1, refused by intake 1 (same_model), not taken by intake yet 1
    """
    sent = known = behind = 0
    why: Counter[str] = Counter()
    for partition, ranges in written.items():
        end = taken.get(partition, 0)
        offsets = np.concatenate([np.arange(each.start, each.stop) for each in ranges]) if ranges else np.zeros(0, int)
        sent += len(offsets)
        offsets = offsets[offsets < end]
        behind += len(offsets)
        known += int(np.isin(offsets, counted.get(partition, np.zeros(0, int))).sum())
        mine = {*offsets.tolist()} if refused else set()
        why.update(reason for (at, offset), reason in refused.items() if at == partition and offset in mine)
    return IntakeOutcome(sent, known, behind - known - why.total(), dict(why), sent - behind)


class _CommittedRecords:
    """Reads what is committed, as intake does: votes behind an open transaction are not counted before it ends."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        kafka = kafka_python_options(settings)
        self._consumer = KafkaConsumer(
            **kafka, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
        )
        self._admin = KafkaAdminClient(**kafka)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._admin.close()

    def _partitions(self, topic: Topic) -> list[TopicPartition]:
        return partitions_of_topic(self._consumer, self._settings.topic(topic.name))

    def _commits(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Offsets that intake has committed."""
        found = ask_commits(self._admin, self._settings.group(INTAKE_GROUP), partitions)
        return {at: known.offset for at, known in found.items()}

    def _records(self, at: TopicPartition, start: int, end: int) -> Iterator[ConsumerRecord]:
        """Yield the records of a partition from `start` up to `end`; raises `EndsUnknown` when none come any more."""
        self._consumer.assign([at])
        self._consumer.seek(at, start)
        give_up = time.monotonic() + PATIENCE
        while self._consumer.position(at) < end:
            if time.monotonic() > give_up:
                raise EndsUnknown(f"{at.topic}/{at.partition} cannot be read to its end")
            for records in self._consumer.poll(timeout_ms=500).values():
                give_up = time.monotonic() + PATIENCE
                yield from records


class IntakeAccount(_CommittedRecords):
    """Follows what intake writes about an arena from now on; create it before the first vote is sent.

    Raises `KafkaError` when Kafka is away, and `EndsUnknown` when it does not answer.
    """

    def __init__(self, settings: KafkaSettings, arena: str) -> None:
        super().__init__(settings)
        self._arena = arena.encode()
        ledger = self._partitions(LEDGER)
        self._ledger = ledger[partitions_of([self._arena], len(ledger))[0]]
        self._at = ask_ends(self._consumer, [self._ledger, *self._partitions(DEAD_LETTERS)])
        self._counted: dict[int, list[NDArray[np.int64]]] = {}
        self._refused: dict[tuple[int, int], str] = {}

    def of(self, written: Written) -> IntakeOutcome:
        """Return what intake has done so far with these votes, which must all be of the account's arena.

        `waiting` is 0 once intake has taken all of them.
        """
        # Ask for commits first: intake commits only what the ledger already has.
        commits = self._commits(self._partitions(VOTES))
        for at, end in ask_ends(self._consumer, list(self._at)).items():
            take = self._count if at == self._ledger else self._refuse
            take(self._records(at, self._at[at], end))
            self._at[at] = self._consumer.position(at)
        counted = {partition: np.concatenate(parts) for partition, parts in self._counted.items()}
        return outcome(written, {at.partition: offset for at, offset in commits.items()}, counted, self._refused)

    def _count(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            block = decode(record.value) if record.key == self._arena else None
            if isinstance(block, Block):
                for partition in np.unique(block.rows.partition).tolist():
                    offsets = block.rows.offset[block.rows.partition == partition]
                    self._counted.setdefault(partition, []).append(offsets)

    def _refuse(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            headers = dict(record.headers)
            try:
                letter = read_dead_letter(headers, record.value)
            except (KeyError, ValueError, TypeError, AttributeError):
                continue  # not written by intake; `isonomy dead-letters list` reports it
            if REDRIVEN not in headers and letter.topic == self._settings.topic(VOTES.name):
                self._refused[letter.partition, letter.offset] = letter.reason.value


class CaughtUp(_CommittedRecords):
    """Asks Kafka whether the boards count everything in the votes topic; can be asked repeatedly."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self._target: dict[TopicPartition, int] = {}

    def mark(self) -> int:
        """Set the target to the current readable ends of the votes topic; returns the sum of these offsets."""
        self._target = ask_ends(self._consumer, self._partitions(VOTES))
        return sum(self._target.values())

    def hidden(self) -> int:
        """Return the number of offsets after the target: readers get them only when an open transaction ends."""
        last = self._admin.list_partition_offsets(dict.fromkeys(self._target, OffsetSpec.LATEST))
        return sum(max(0, last[partition].offset - end) for partition, end in self._target.items() if partition in last)

    def taken(self) -> int:
        """Return how many offsets before the target intake has committed, so that the ledger has them."""
        commits = self._commits(list(self._target))
        return sum(min(end, commits[at]) for at, end in self._target.items() if at in commits)

    def folded(self, arena: str, position: int | None, shown: Callable[[int], int | None]) -> bool:
        """Return whether the boards count the arena's ledger partition to its end, or at least all of the arena in it.

        Not every record changes a board: its rows may be repeats, or it may be a notice of a model on no board.

        Parameters
        ----------
        position
            Offset up to which the arena's board counts the partition; None if there is no board.
        shown
            Returns the offset up to which all boards of a partition are complete, as published by the ratings stage, or
            None if it is unknown.
        """
        partitions = self._partitions(LEDGER)
        partition = partitions[partitions_of([arena.encode()], len(partitions))[0]]
        end = ask_ends(self._consumer, [partition])[partition]
        if (shown(partition.partition) or -1) >= end:
            return True
        if position is None:
            return False
        # The rest of the partition may hold only records of other arenas: read it.
        return all(record.key != arena.encode() for record in self._records(partition, position, end))
