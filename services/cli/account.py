"""What became of votes that were sent: intake's own account, read from what it writes. With kafka-python.

Intake writes a row of the ledger for each vote that counts, with the place in `votes` that it came from, and a dead
letter, with the same place, for each that it refuses; then it commits. So of votes whose offsets are known, what is
behind the commit and has neither is a duplicate. Nothing else is kept for it, and what others send meanwhile, to the
same arena too, does not disturb it.
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
from streams.contracts.settings import Settings
from streams.contracts.topics import DEAD_LETTERS, INTAKE_GROUP, LEDGER, VOTES
from streams.kafka.end_offsets import EndsUnknown, ask_commits, ask_ends, partitions_of_topic
from streams.ledger.codec import Block, decode

PATIENCE = 30.0
"""Seconds in which the next records must be read."""

Written = Mapping[int, Sequence[range]]
"""Offsets of votes by partition, ascending, as `VoteSender.written` has them."""


@dataclass(frozen=True, slots=True)
class IntakeOutcome:
    """What became of so many votes that were sent.

    `waiting` were not taken by intake yet. A batch that the client had to send again, for an acknowledgement that was
    lost, may be in the log twice: its votes count once, and are duplicates here.
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
    """Put the account together.

    Parameters
    ----------
    written
        The votes in question.
    taken
        Offset up to which intake has committed, by partition.
    counted
        By partition, offsets of the rows of the ledger; any others and repeats among them do not matter.
    refused
        Partition and offset of refused records to the reason; any others among them do not matter.

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
    """Follows what intake writes of an arena from now on: made before the first vote is sent.

    Raises `KafkaError` when Kafka is away, and `EndsUnknown` when it does not answer.
    """

    def __init__(self, settings: Settings, arena: str) -> None:
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
        """What became of these votes, all of the account's arena, as far as intake has come.

        `waiting` is 0 when that is all of them.
        """
        votes = partitions_of_topic(self._consumer, self._settings.topic(VOTES.name))
        # Asked first: what is behind a commit was in the ledger before it.
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
                continue  # intake did not write it, and `isonomy dead-letters list` names it
            if REDRIVEN not in headers and letter.topic == self._settings.topic(VOTES.name):
                self._refused[letter.partition, letter.offset] = letter.reason.value

    def _records(self, at: Any, end: int) -> Iterator[Any]:
        """Records of a partition from where the last look ended."""
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
