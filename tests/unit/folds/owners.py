"""A model of intake's owners: each reads votes from a committed offset and writes the ledger, and any may die."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import numpy as np

from streams.contracts.vote import InvalidRecord, Vote, parse_vote
from streams.intake.accept import PartitionMemory, accept, remember
from streams.intake.decode import decode
from streams.intake.dedup import SeenIds
from streams.intake.records import Records
from streams.intake.reject_limit import Refusals
from streams.ledger.codec import encode_block

HORIZON_RECORDS, HORIZON_SECONDS = 25, 30
PARTITIONS = 3


@dataclass(slots=True)
class Log:
    """One partition of votes."""

    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    recorded: list[int] = field(default_factory=list)

    def records(self, partition: int, begin: int, end: int) -> Records:
        """The records at places `begin` to `end`."""
        n = len(self.keys[begin:end])
        return Records(
            self.keys[begin:end],
            self.values[begin:end],
            np.full(n, partition, np.int32),
            np.array(self.offsets[begin:end], np.int64),
            np.array(self.recorded[begin:end], np.int64),
        )

    def place_of(self, offset: int) -> int:
        """Place of the first record at or after an offset."""
        return next((place for place, each in enumerate(self.offsets) if each >= offset), len(self.offsets))


def make_logs(random: Random) -> list[Log]:
    """Votes of two arenas in three partitions, with duplicates, garbage, gaps, and a clock of its own for each."""
    logs = [Log() for _ in range(PARTITIONS)]
    for number, log in enumerate(logs):
        offset, clock = random.randint(0, 50), 1_000_000
        for serial in range(random.randint(0, 90)):
            offset += random.choice([1, 1, 1, 1, 3])
            clock += random.choice([0, 10, 900, 3_000])
            name = f"v{number}-{serial}"
            if serial and random.random() < 0.05:
                name = f"v{number}-{random.randrange(serial)}"
            good, plain = name.encode(), json.dumps(_fields(random, name)).encode()
            key: bytes | None = good
            value: bytes | None = plain
            if random.random() < 0.05:
                broken: list[tuple[bytes | None, bytes | None]]
                broken = [(good, None), (None, plain), (good, b""), (good, b"\xff"), (good, plain + b"}")]
                key, value = random.choice(broken)
            log.keys.append(key)
            log.values.append(value)
            log.offsets.append(offset)
            log.recorded.append(clock)
    return logs


def _fields(random: Random, name: str) -> dict[str, object]:
    model_a, model_b = random.sample(["x", "y", "z", "w"], 2)
    fields: dict[str, object] = {
        "id": name,
        "arena": random.choice(["text", "text", "vision"]),
        "model_a": model_a,
        "model_b": model_b if random.random() > 0.02 else model_a,
        "winner": random.choice(["model_a", "model_b", "tie", "both_bad", "tie (bothbad)", "none"]),
        "tstamp": random.randint(0, 1_000),
    }
    if random.random() < 0.5:
        fields["language"] = random.choice(["en", "fr", ""])
    if random.random() < 0.5:
        fields["categories"] = random.choices(["code", "math", ""], k=random.randint(0, 3))
    return fields


def accepted_votes(logs: list[Log]) -> tuple[list[Vote], set[tuple[int, int]]]:
    """One process, one vote after the other, a dictionary for the ids: what counts, and what is refused where."""
    accepted: list[Vote] = []
    refused: set[tuple[int, int]] = set()
    for partition, log in enumerate(logs):
        latest: dict[tuple[str, str], tuple[int, int]] = {}
        for key, value, offset, recorded in zip(log.keys, log.values, log.offsets, log.recorded, strict=True):
            try:
                vote = parse_vote(value, recorded / 1000)
            except InvalidRecord:
                refused.add((partition, offset))
                continue
            if key != vote.id.encode():
                refused.add((partition, offset))
                continue
            before, when = latest.get((vote.arena, vote.id), (-(10**9), 0))
            if offset - before > HORIZON_RECORDS or recorded // 1000 - when > HORIZON_SECONDS:
                accepted.append(vote)
            latest[vote.arena, vote.id] = (offset, recorded // 1000)
    return accepted, refused


@dataclass(slots=True)
class World:
    """The logs, the ledger that owners write, and what is committed."""

    logs: list[Log]
    ledger: dict[str, list[bytes]] = field(default_factory=dict)
    refused: set[tuple[int, int]] = field(default_factory=set)
    committed: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    generation: int = 0

    def done(self) -> bool:
        """Whether everything is written and committed."""
        return all(log.place_of(at) == len(log.offsets) for log, at in zip(self.logs, self.committed, strict=True))


def own(world: World, partitions: list[int], generation: int, random: Random) -> Iterator[None]:
    """Own some partitions from what is committed on; yields wherever the owner may stop for ever or be overtaken.

    The order is that of the intake stage: a fetch is written piece by piece, the next one begins only after the
    acknowledgement, and the commit follows later, if the group still knows the owner.
    """
    sources = {partition: _rebuilt(world, partition, random) for partition in partitions}
    positions = {partition: world.committed[partition] for partition in partitions}
    while True:
        fetched = []
        for partition in random.sample(partitions, random.randint(0, len(partitions))):
            log = world.logs[partition]
            begin = log.place_of(positions[partition])
            records = log.records(partition, begin, begin + random.choice([1, 2, 5, 20, 60]))
            if len(records):
                fetched.append(records)
        if fetched:
            records = _joined(fetched)
            accepted = accept(records, sources)
            for reject in accepted.rejects:
                world.refused.add((int(records.partition[reject.index]), int(records.offset[reject.index])))
            writes = [(block.arena, piece) for block in accepted.blocks for piece in encode_block(block)]
            while writes:
                arena = random.choice(writes)[0]  # the arenas' pieces are under way at once, each arena's in order
                at = next(at for at, (name, _) in enumerate(writes) if name == arena)
                yield
                world.ledger.setdefault(arena, []).append(writes.pop(at)[1])
            positions.update({partition: sources[partition].position for partition in np.unique(records.partition)})
        yield
        if random.random() < 0.4 and generation == world.generation:
            for partition, position in positions.items():
                world.committed[partition] = position
        yield


def _rebuilt(world: World, partition: int, random: Random) -> PartitionMemory:
    log, position = world.logs[partition], world.committed[partition]
    seen = SeenIds(HORIZON_RECORDS, HORIZON_SECONDS)
    source = PartitionMemory(seen, Refusals(10**9, 1.0, 10), max(0, position - max(HORIZON_RECORDS, 10)))
    place, end = log.place_of(source.position), log.place_of(position)
    while place < end:
        records = log.records(partition, place, min(end, place + random.randint(1, 30)))
        remember(records, decode(records), {partition: source})
        place += len(records)
    return source


def _joined(fetches: list[Records]) -> Records:
    return Records(
        [key for each in fetches for key in each.keys],
        [value for each in fetches for value in each.values],
        *(np.concatenate([getattr(each, name) for each in fetches]) for name in ("partition", "offset", "recorded")),
    )


def run(world: World, random: Random) -> None:
    """Let owners come, go, freeze and wake up until everything is written and committed."""
    alive: list[Iterator[None]] = []
    while not world.done():
        if not alive or (random.random() < 0.02 and world.generation < 8):
            world.generation += 1
            if random.random() < 0.5:
                alive.clear()  # kill -9; otherwise the old owners are only frozen, and write on when they wake
            shuffled = random.sample(range(PARTITIONS), PARTITIONS)
            at = random.randint(0, PARTITIONS)
            for held in (shuffled[:at], shuffled[at:]):
                if held:
                    alive.append(own(world, held, world.generation, Random(random.random())))
        next(random.choice(alive))
