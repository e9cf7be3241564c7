"""Find out what intake did with the votes that were sent, from what intake writes. With kafka-python.

For each vote that counts, intake writes a ledger row with the vote's partition and offset in `votes`; for each vote it
refuses, it writes a dead letter with the same place; then it commits. So a sent vote below the committed offset that
has neither is a duplicate. This needs no other bookkeeping, and votes of other senders, even to the same arena, do not
disturb it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from numpy.typing import NDArray

from streams.contracts.connect import kafka_python_options
from streams.contracts.dead_letter import REDRIVEN, read_dead_letter
from streams.contracts.partitioner import partitions_of
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import DEAD_LETTERS, INTAKE_GROUP, LEDGER, VOTES
from streams.kafka.end_offsets import EndsUnknown, ask_commits, ask_ends, partitions_of_topic
from streams.ledger.codec import Block, decode

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


class IntakeAccount:
    """Follows what intake writes about an arena from now on; create it before the first vote is sent.

    Raises `KafkaError` when Kafka is away, and `EndsUnknown` when it does not answer.
    """

    def __init__(self, settings: KafkaSettings, arena: str) -> None:
        self._settings, self._arena = settings, arena.encode()
        kafka = kafka_python_options(settings)
        self._consumer: Any = KafkaConsumer(
            **kafka, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
        )
        self._admin: Any = KafkaAdminClient(**kafka)
        ledger = partitions_of_topic(self._consumer, settings.topic(LEDGER.name))
        letters = partitions_of_topic(self._consumer, settings.topic(DEAD_LETTERS.name))
        self._ledger = ledger[partitions_of([self._arena], len(ledger))[0]]
        self._at: dict[Any, int] = ask_ends(self._consumer, [self._ledger, *letters])
        self._counted: dict[int, list[NDArray[np.int64]]] = {}
        self._refused: dict[tuple[int, int], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._admin.close()

    def of(self, written: Written) -> IntakeOutcome:
        """Return what intake has done so far with these votes, which must all be of the account's arena.

        `waiting` is 0 once intake has taken all of them.
        """
        votes = partitions_of_topic(self._consumer, self._settings.topic(VOTES.name))
        # Ask for commits first: intake commits only what the ledger already has.
        commits = ask_commits(self._admin, self._settings.group(INTAKE_GROUP), votes)
        for at, end in ask_ends(self._consumer, list(self._at)).items():
            if at == self._ledger:
                self._count(self._records(at, end))
            else:
                self._refuse(self._records(at, end))
        counted = {partition: np.concatenate(parts) for partition, parts in self._counted.items()}
        return outcome(written, {at.partition: known.offset for at, known in commits.items()}, counted, self._refused)

    def _count(self, records: Iterable[Any]) -> None:
        for record in records:
            block = decode(record.value) if record.key == self._arena else None
            if isinstance(block, Block):
                for partition in np.unique(block.rows.partition).tolist():
                    offsets = block.rows.offset[block.rows.partition == partition]
                    self._counted.setdefault(partition, []).append(offsets)

    def _refuse(self, records: Iterable[Any]) -> None:
        for record in records:
            headers = dict(record.headers)
            try:
                letter = read_dead_letter(headers, record.value)
            except (KeyError, ValueError, TypeError, AttributeError):
                continue  # not written by intake; `isonomy dead-letters list` reports it
            if REDRIVEN not in headers and letter.topic == self._settings.topic(VOTES.name):
                self._refused[letter.partition, letter.offset] = letter.reason.value

    def _records(self, at: Any, end: int) -> Iterator[Any]:
        """Yield the records of a partition from the end of the previous read up to `end`."""
        self._consumer.assign([at])
        self._consumer.seek(at, self._at[at])
        give_up = time.monotonic() + PATIENCE
        while self._consumer.position(at) < end:
            if time.monotonic() > give_up:
                raise EndsUnknown(f"{at.topic}/{at.partition} cannot be read to its end")
            for records in self._consumer.poll(timeout_ms=500).values():
                give_up = time.monotonic() + PATIENCE
                yield from records
        self._at[at] = self._consumer.position(at)
