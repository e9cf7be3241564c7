"""Playing a scenario: ledger records, blocks of battles and the registry's notices at their exact place among them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.simulate.arena import Arena
from services.simulate.battles import Battles
from services.simulate.clock import Times
from services.simulate.ground_truth import Truth
from services.simulate.rehearsal import BLOCK, Turn, World
from services.simulate.scenario import Scenario
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows


class Simulation:
    """Iterates once over the ledger records of a scenario.

    Parameters
    ----------
    world
        What is played.
    start
        Epoch seconds of the beginning, in place of the scenario's.
    partitions
        Of the votes topic that the rows pretend to come from, in turn.

    Attributes
    ----------
    truth
        What happens; rows and times are filled in as it does.
    drawn
        Battles so far, those that nobody finished included.
    rows, notices
        Rows and notices so far.
    """

    def __init__(self, world: World, start: float | None = None, partitions: int = 1) -> None:
        self.world = world
        self.truth: Truth = world.truth
        self.drawn = self.rows = self.notices = 0
        self.times = Times(world.scenario.clock, world.seed, start)
        self._silence = 0.0
        self._partitions = partitions
        self._records = self._play()

    def __iter__(self) -> Iterator[Block | Notice]:
        return self

    def __next__(self) -> Block | Notice:
        return next(self._records)

    def silence(self) -> float:
        """Seconds of outage since this was asked last."""
        silence, self._silence = self._silence, 0.0
        return silence

    def _play(self) -> Iterator[Block | Notice]:
        world = self.world
        arena = world.enter()
        battles = Battles(world.scenario, world.seed, arena.names)
        untold = iter(self.truth.events)
        for number, turn in enumerate(world.turns):
            yield from self._turn(turn, arena, untold)
            until = world.turns[number + 1].battle if number + 1 < len(world.turns) else world.after
            stage = battles.under(arena)
            while self.drawn < (world.battles if until is None else min(until, world.battles)):
                n = BLOCK if until is None else min(BLOCK, until - self.drawn)
                rows = stage.draw(n, self.times)
                # The last block is drawn whole and cut, so that a longer run begins with a shorter one.
                kept = min(n, world.battles - self.drawn)
                self.drawn += kept
                block = self._block(arena.name, stage.finished(rows, kept))
                if len(block.rows):
                    yield block

    def _turn(self, turn: Turn, arena: Arena, untold: Iterator[object]) -> Iterator[Notice]:
        for step in turn.steps:
            before = self.times.now
            declared, done = arena.apply(step, self.times.tick)
            for _ in done:
                happening = next(untold)
                happening.row, happening.tstamp = self.rows, round(before, 3)  # type: ignore[attr-defined]
            silence, arena.conditions.outage = arena.conditions.outage, 0.0
            self.times.silence(silence)
            self._silence += silence
            for name, model in declared:
                tstamp = self.times.now if model is None else model.tstamp
                yield Notice(arena.name, name, model, 0, self.notices, round(tstamp * 1_000))
                self.notices += 1

    def _block(self, arena: str, rows: Rows) -> Block:
        number = np.arange(self.rows, self.rows + len(rows), dtype=np.int64)
        rows.partition[:] = number % self._partitions
        rows.offset[:] = number // self._partitions
        self.rows += len(rows)
        last = range(max(0, self.rows - self._partitions), self.rows)
        return Block(arena, rows, {each % self._partitions: each // self._partitions for each in last})


def simulate(
    scenario: Scenario,
    seed: int = 0,
    battles: int | None = None,
    *,
    arena: str | None = None,
    start: float | None = None,
    partitions: int = 1,
) -> Simulation:
    """Play a scenario without a broker and without JSON.

    Parameters
    ----------
    scenario
        From `load_scenario` or `read_scenario`.
    seed
        The same seed gives the same records, in whatever number.
    battles, arena, start
        In place of the scenario's own.
    partitions
        Of the votes topic that the rows pretend to come from.

    Returns
    -------
    An iterator of `Block` and `Notice` in ledger order, with the attribute `truth`.
    """
    return Simulation(World(scenario, seed, battles, arena), start, partitions)
