"""The plan that a seed determines before the run: votes, owners, settings, and the times and kinds of faults."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random

from streams.contracts.setting_groups import FoldSettings, IntakeSettings, KafkaSettings
from streams.contracts.settings import Settings
from tests.simulation.network import Chances

MODELS = ("ant", "bee", "cat", "dog", "elk")
KINDS = (
    "kill",
    "freeze",
    "cut",
    "stop",
    "join",
    "broker down",
    "redis away",
    "redis stalls",
    "redis flushed",
    "redis rolled back",
    "redis full",
    "redis key overwritten",
    "offsets reset",
    "votes cut",
)
"""Faults at a moment; faults of single requests are in `Chances`."""
FAIRNESS_EVERY, SOLVE_EVERY = 8, 24
"""One seed in this many has the fairness fold, or the solver, because they take most of the time."""
EMBEDDED = 0.4
"""Share of seeds on the embedded broker, among those without transactions."""
STAGES = ("intake", "ratings", "fairness")
SETTLE_SECONDS = 60.0
"""Virtual seconds after the last fault within which everything must settle."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: time, kind, duration, stage of the process that it strikes, and that process's steps before it."""

    at: float
    kind: str
    seconds: float
    stage: str
    choice: int
    steps: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one topic that are stored at once; `transaction` is the end of their transaction, None without one."""

    at: float
    topic: str
    entries: list[tuple[bytes | None, bytes | None, tuple[()]]]
    transaction: str | None
    open_seconds: float
    unreadable: bool = False


@dataclass(slots=True)
class Plan:
    """A whole run."""

    seed: int
    settings: Settings
    partitions: int
    ledger_partitions: int
    owners: dict[str, int]
    batches: list[Batch]
    faults: list[Fault]
    chances: Chances
    redis_answer_lost: float
    redis_slow: float
    write_ttl: float
    load_seconds: float
    embedded: bool
    """Whether the broker is the embedded one: it has no transactions, and shows some records late."""
    solve: bool
    """Whether ratings are solved, or replaced by a function of the counts."""
    skews: list[float] = field(default_factory=list)


def make_plan(seed: int, kinds: tuple[str, ...] = ()) -> Plan:
    """Draw a plan from the seed, with faults of these kinds only, if any are given."""
    random = Random(f"plan {seed}")
    seconds = random.uniform(2.0, 6.0)
    owners = {"intake": random.choice([1, 2, 2, 3]), "ratings": random.choice([1, 1, 2])}
    if seed % FAIRNESS_EVERY == 0:
        owners["fairness"] = random.choice([1, 1, 2])
    settings = Settings(
        intake=IntakeSettings(
            dedup_records=random.choice([12, 40, 1_000]),
            dedup_seconds=random.choice([3.0, 3_600.0]),
            dead_letter_window=random.choice([10, 1_000]),
            dead_letter_ratio=1.0,
            fetch_records=random.choice([4, 15, 1_000]),
        ),
        kafka=KafkaSettings(topic_prefix="", fetch_wait_ms=random.choice([200, 800])),
        fold=FoldSettings(snapshot_seconds=random.choice([0.5, 2.0]), refresh_seconds=random.choice([0.1, 0.5])),
    )
    calm = random.random() < 0.08
    faults = [] if calm else make_faults(random, seconds, kinds or KINDS)
    # No duplicates then: intake does not know ids from before a cut, and reports that, so no promise is broken.
    cut = any(fault.kind == "votes cut" for fault in faults)
    batches = make_batches(random, seconds, duplicates=not cut)
    chances = Chances() if calm else make_chances(random)
    embedded = not any(batch.transaction for batch in batches) and Random(f"embedded {seed}").random() < EMBEDDED
    chances.skipped = 0.1 if embedded and not calm else 0.0
    return Plan(
        seed=seed,
        settings=settings,
        partitions=random.choice([1, 2, 2, 3]),
        ledger_partitions=random.choice([1, 2]),
        owners=owners,
        batches=batches,
        faults=faults,
        chances=chances,
        redis_answer_lost=0.0 if calm else random.choice([0.0, 0.0, 0.05]),
        redis_slow=0.0 if calm else random.choice([0.0, 0.1]),
        write_ttl=random.choice([2.0, 8.0, 30.0]),
        load_seconds=seconds,
        embedded=embedded,
        solve=seed % SOLVE_EVERY == 0,
        skews=[0.0 if random.random() < 0.7 else random.uniform(-1e6, 1e6) for _ in range(12)],
    )


def make_chances(random: Random) -> Chances:
    """Draw the probabilities of faults of requests."""

    def some(most: float) -> float:
        return random.choice([0.0, 0.0, most / 4, most])

    return Chances(
        slow=some(0.2),
        lost=some(0.1),
        answer_lost=some(0.1),
        twice_late=some(0.2),
        stale=random.choice([0.0, 0.2, 0.5]),
    )


def make_faults(
    random: Random, seconds: float, every: tuple[str, ...], stages: tuple[str, ...] = STAGES
) -> list[Fault]:
    """Draw a few kinds, and a few faults of these: combinations of few kinds reveal more than a mixture of all."""
    kinds = random.sample(every, min(len(every), random.randint(1, 4)))
    faults = [
        Fault(
            at=random.uniform(0.3, seconds + 3.0),
            kind=random.choice(kinds),
            seconds=random.choice([0.3, 1.0, 3.0, 8.0, 11.0]),
            stage=random.choice(stages),
            choice=random.randrange(1_000),
            steps=random.randrange(60),
        )
        for _ in range(random.randint(1, 6))
    ]
    return sorted(faults, key=lambda fault: fault.at)


def make_batches(random: Random, seconds: float, *, duplicates: bool) -> list[Batch]:
    """Draw votes with duplicates and invalid records, and model records, in batches and transactions."""
    arenas = random.sample(["text", "vision", "code"], random.choice([1, 2, 2, 3]))
    batches: list[Batch] = []
    transactions, unreadable = random.random() < 0.4, random.random() < 0.15
    for arena in arenas:
        for model in random.sample(MODELS, random.randint(2, 4)):
            at = random.choice([0.0, 0.0, random.uniform(0, seconds)])
            batches.append(Batch(at, "models", [_model(random, arena, model)], None, 0.0))
    count, made = random.randint(20, 110), 0
    sent: list[tuple[str, str]] = []
    while made < count:
        size = min(random.choice([1, 1, 3, 8, 20]), count - made)
        entries = [_vote(random, arenas, sent if duplicates else [], made + number) for number in range(size)]
        made += size
        ending = random.choice(["commit", "commit", "abort"]) if transactions and random.random() < 0.5 else None
        at, lasts = random.uniform(0, seconds), random.choice([0.0, 0.2, 3.0])
        batches.append(Batch(at, "votes", entries, ending, lasts))
        if unreadable and random.random() < 0.2:
            lost = [(b"x", b"in a codec that nobody has", ())] * random.randint(1, 3)
            topic = random.choice(["votes", "votes", "models"])
            batches.append(Batch(random.uniform(0, seconds), topic, lost, None, 0.0, unreadable=True))
    return sorted(batches, key=lambda batch: batch.at)


def _model(random: Random, arena: str, model: str) -> tuple[bytes, bytes | None, tuple[()]]:
    key = f"{arena}/{model}".encode()
    if random.random() < 0.05:
        return key, None, ()
    fields = {
        "arena": arena,
        "model": model,
        "provider": random.choice(["north", "south"]),
        "license": random.choice(["proprietary", "open_weight"]),
        "visibility": random.choice(["public", "public", "private"]),
        "status": random.choice(["active", "active", "active", "retired"]),
        "weight": random.choice([0, 1, 1, 2]),
        "tstamp": 1_699_999_000 + random.randrange(1_000),
    }
    return key, json.dumps(fields).encode(), ()


def _vote(
    random: Random, arenas: list[str], sent: list[tuple[str, str]], number: int
) -> tuple[bytes | None, bytes | None, tuple[()]]:
    name, arena = f"v{number}", random.choice(arenas)
    drawn = random.random()
    if sent and drawn < 0.1:
        name, arena = random.choice(sent[-40:])
    elif sent and drawn < 0.13 and len(arenas) > 1:
        # The same id in another arena is another vote.
        name, other = random.choice(sent[-40:])
        arena = random.choice([each for each in arenas if each != other])
    sent.append((name, arena))
    first, second = random.sample(MODELS, 2)
    fields: dict[str, object] = {
        "id": name,
        "arena": arena,
        "model_a": first,
        "model_b": second,
        "winner": random.choice(["model_a", "model_a", "model_b", "tie", "both_bad", "none"]),
        "tstamp": 1_700_000_000 + number / 10,
    }
    if random.random() < 0.1:
        fields["language"] = random.choice(["en", "fr"])
    key, value = name.encode(), json.dumps(fields).encode()
    if random.random() < 0.03:
        return random.choice([(key, None, ()), (None, value, ()), (key, b"\xff", ()), (key, value + b"}", ())])
    return key, value, ()
