"""A synthetic arena for the fairness tests: it draws battles by weights, writes a ledger, and misbehaves on request."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Kind
from streams.contracts.model import Model
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows

SECONDS = 0.864
"""Between two battles: 100,000 a day."""
START = 1_700_000_000.0


def draw_pairs(random: np.random.Generator, weights: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """int64[n, 2]: first model by weight, second by weight among the rest, sides swapped at random."""
    cumulated = np.cumsum(weights)
    first = np.searchsorted(cumulated, random.random(n) * cumulated[-1], side="right")
    second = first.copy()
    clash = np.ones(n, bool)
    while clash.any():  # rejection is exactly the draw among the rest
        drawn = random.random(int(clash.sum())) * cumulated[-1]
        second[clash] = np.searchsorted(cumulated, drawn, side="right")
        clash = second == first
    pairs = np.stack([first, second], axis=1)
    swap = random.random(n) < 0.5
    pairs[swap] = pairs[swap, ::-1]
    return pairs


def make_rows(
    models: list[str],
    pairs: NDArray[Any],
    winner: NDArray[Any],
    tstamp: NDArray[Any],
    offset: int = 0,
    partition: int = 0,
    prompts=None,
) -> Rows:
    n = len(pairs)
    return Rows(
        models=list(models),
        model_a=pairs[:, 0].astype(np.int32),
        model_b=pairs[:, 1].astype(np.int32),
        winner=np.asarray(winner, np.uint8),
        tstamp=np.asarray(tstamp, np.float64),
        partition=np.full(n, partition, np.int32),
        offset=np.arange(offset, offset + n, dtype=np.int64),
        recorded=(np.asarray(tstamp) * 1000).astype(np.int64),
        languages=[""],
        language=None,
        category_sets=[()],
        categories=None,
        voters=[""],
        voter=None,
        prompts=[""] if prompts is None else prompts[0],
        prompt=None if prompts is None else prompts[1],
        battles=[""],
        battle=None,
        p_pair=None,
        drawn_at=None,
        style=None,
    )


class Ledger:
    """Writes an arena's records and folds them at once; `records` and `alerts` are what came of it."""

    def __init__(
        self, seed: int = 0, settings: FairnessSettings | None = None, arena: str = "text", block: int = 2_000
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.state = ArenaFairness.start(arena, settings or FairnessSettings())
        self.arena, self.block = arena, block
        self.names: list[str] = []
        self.weights = np.zeros(0)  # what is really drawn
        self.strength = np.zeros(0)
        self.records: list[Block | Notice] = []
        self.alerts: list[Alert] = []
        self.rows = self.notices = 0
        self.clock = START

    def declare(self, name: str, weight: float = 1.0, *, keep: bool = False, gone: bool = False, **fields: str) -> None:
        """Send a notice; the arena follows it unless `keep`."""
        known = self.known(name)
        model = None
        if not gone:
            given = {
                "provider": f"provider of {name}",
                "license": "proprietary",
                "visibility": "public",
                "status": "active",
                **(msgspec.structs.asdict(known) if known else {}),
                **fields,
                "arena": self.arena,
                "model": name,
                "weight": weight,
                "tstamp": self.clock,
            }
            model = Model(**given)
        self._place(name)
        drawn = 0.0 if model is None or model.status == "retired" else weight
        if not keep:
            self.sample(name, drawn)
        self.send(Notice(self.arena, name, model, 0, self.notices, int(self.clock * 1000)))
        self.notices += 1

    def known(self, name: str) -> Model | None:
        return self.state.scene.facts.roster.registry.get(name)

    def sample(self, name: str, weight: float) -> None:
        """Really draw a model so often, whatever is declared."""
        place = self._place(name)  # first: it may lengthen the weights
        self.weights[place] = weight

    def _place(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
            self.weights = np.append(self.weights, 0.0)
            self.strength = np.append(self.strength, 0.0)
        return self.names.index(name)

    def battles(
        self,
        n: int,
        *,
        finish: NDArray[np.float64] | None = None,
        none: float = 0.0,
        report_none: bool = True,
        prompts=None,
        zeros: bool = False,
        days: int | None = None,
    ) -> None:
        """Play n battles. `finish`: chance per model that people finish a battle with it."""
        seconds = SECONDS if days is None else days * 86_400 / n
        while n > 0:
            size = min(n, self.block)
            n -= size
            pairs = draw_pairs(self.random, self.weights, size)
            gap = self.strength[pairs[:, 0]] - self.strength[pairs[:, 1]]
            winner = np.where(self.random.random(size) < 1 / (1 + np.exp(-gap)), 0, 1)
            winner[self.random.random(size) < 0.2] = 2
            if finish is not None:
                chance = finish[pairs[:, 0]] * finish[pairs[:, 1]]
                unfinished = self.random.random(size) >= chance
                winner[unfinished] = 4
            winner[self.random.random(size) < none] = 4
            if zeros:
                winner[:] = 4
            if not report_none:
                pairs, winner = pairs[winner != 4], winner[winner != 4]
            times = self.clock + seconds * np.arange(1, len(pairs) + 1)
            self.clock = float(times[-1])
            words = None if prompts is None else prompts(len(pairs))
            rows = make_rows(self.names, pairs, winner, times, self.rows, prompts=words)
            self.rows += len(pairs)
            self.send(Block(self.arena, rows, {0: self.rows - 1}))

    def send(self, record: Notice | Block) -> None:
        self.records.append(record)
        self.state.position += 1
        self.alerts += fold(self.state, record)

    def firing(self, kind: Kind | None = None):
        return [alert for alert in self.state.firing if kind is None or alert.kind == kind]

    def told(self, kind: Kind):
        return [alert for alert in self.alerts if alert.kind == kind]


def equal_arena(models: int = 20, **given: Any) -> Ledger:
    """An arena of equal models, all declared."""
    ledger = Ledger(**given)
    for number in range(models):
        ledger.declare(f"model-{number:03}", provider=f"lab-{number % 5}", license="proprietary")
    return ledger
