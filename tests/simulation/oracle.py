"""The expected outcome, by one process that reads vote by vote with a dictionary of ids; shares no code with intake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.contracts.model import parse_model, split_key
from streams.contracts.settings import Settings
from streams.contracts.vote import InvalidRecord, Vote, parse_vote
from tests.simulation.broker import Partition, Record, Slot

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(slots=True)
class _Reading:
    position: int = 0
    latest: dict[tuple[str, str], Place] = field(default_factory=dict)
    """Arena and id to the offset and record second of the latest occurrence."""


class Oracle:
    """Follows the simulated topics of votes and models, up to their last stable offsets."""

    def __init__(self, settings: Settings, votes: list[Partition], models: list[Partition]) -> None:
        self._settings, self._votes, self._models = settings, votes, models
        self._readings = [_Reading() for _ in votes]
        self._declared = [0 for _ in models]
        self.accepted: dict[Place, Vote] = {}
        self.refused: set[tuple[str, int, int]] = set()
        self.duplicates = 0
        self.notices: dict[Place, str] = {}
        """Arena of each valid record of models."""

    def advance(self) -> None:
        """Process the new records."""
        for log, reading in zip(self._votes, self._readings, strict=True):
            for record in _visible(log, reading.position):
                self._take(log.number, record, reading)
            self._park(log, reading.position)
            reading.position = max(reading.position, log.stable)
        for log in self._models:
            for record in _visible(log, self._declared[log.number]):
                self._declare(log.number, record)
            self._park(log, self._declared[log.number])
            self._declared[log.number] = max(self._declared[log.number], log.stable)

    def _park(self, log: Partition, position: int) -> None:
        """Expect one dead letter for each unreadable batch."""
        for offset in range(position, log.stable):
            record = log.records[offset]
            if log.slots[offset] is Slot.UNREADABLE and record is not None and record.batch == offset:
                self.refused.add((log.topic, log.number, offset))

    def _take(self, partition: int, record: Record, reading: _Reading) -> None:
        try:
            vote = parse_vote(record.value, record.timestamp / 1000)
        except InvalidRecord:
            self.refused.add((record.topic, partition, record.offset))
            return
        if record.key != vote.id.encode():
            self.refused.add((record.topic, partition, record.offset))
            return
        second = record.timestamp // 1000
        before, when = reading.latest.get((vote.arena, vote.id), (-(10**9), 0))
        if (
            record.offset - before > self._settings.intake.dedup_records
            or second - when > self._settings.intake.dedup_seconds
        ):
            self.accepted[partition, record.offset] = vote
        else:
            self.duplicates += 1
        reading.latest[vote.arena, vote.id] = (record.offset, second)

    def _declare(self, partition: int, record: Record) -> None:
        try:
            if record.value is not None:
                parse_model(record.value, record.key, record.timestamp / 1000)
            self.notices[partition, record.offset] = split_key(record.key)[0]
        except InvalidRecord:
            self.refused.add((record.topic, partition, record.offset))

    def of_arena(self, arena: str) -> dict[Place, Vote]:
        """Accepted votes of an arena."""
        return {place: vote for place, vote in self.accepted.items() if vote.arena == arena}

    def arenas(self) -> set[str]:
        """Arenas with accepted votes or valid model records."""
        return {vote.arena for vote in self.accepted.values()} | set(self.notices.values())


def _visible(log: Partition, position: int) -> Iterable[Record]:
    for offset in range(position, log.stable):
        record = log.records[offset]
        if log.slots[offset] is Slot.PLAIN and record is not None:
            yield record


def tallies(votes: Iterable[Vote]) -> dict[str, tuple[int, int, dict[str, tuple[int, int]]]]:
    """Board to its votes, its battles, and both by model."""
    boards: dict[str, tuple[int, int, dict[str, tuple[int, int]]]] = {}
    for vote in votes:
        counts = int(vote.winner != "none")
        for name in ["overall", *([f"language:{vote.language}"] if vote.language else [])]:
            total, battles, models = boards.get(name, (0, 0, {}))
            for model in (vote.model_a, vote.model_b):
                before = models.get(model, (0, 0))
                models[model] = (before[0] + counts, before[1] + 1)
            boards[name] = (total + counts, battles + 1, models)
    return boards
