"""Play a scenario into ledger records: blocks of battles, and registry notices at their exact place among them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.simulate.arena import Arena
from services.simulate.battles import BattleGenerator
from services.simulate.clock import Times
from services.simulate.columns import REFUSED
from services.simulate.ground_truth import Truth
from services.simulate.rehearsal import BLOCK, Turn, World
from services.simulate.scenario import Scenario
from streams.contracts.reasons import Reason
from streams.ledger.codec import Block, Notice
from streams.ledger.refused import Refused
from streams.ledger.rows import Rows


class Simulation:
    """Iterates once over the ledger records of a scenario.

    Parameters
    ----------
    world
        The scenario, seed and number of battles to play.
    start
        Epoch seconds at which the simulation starts; the scenario's own start unless given.
    partitions
        Number of partitions of the votes topic; rows are assigned to them in turn.

    Attributes
    ----------
    truth
        All events; their rows and times are filled in as they happen.
    drawn
        Battles so far, including unfinished ones.
    rows, notices
        Rows and notices so far; votes that intake refuses are no rows.
    """

    def __init__(self, world: World, start: float | None = None, partitions: int = 1) -> None:
        self.world = world
        self.truth: Truth = world.truth
        self.drawn = self.rows = self.notices = self._sent = 0
        self.times = Times(world.scenario.clock, world.seed, start)
        self._silence = 0.0
        self._partitions = partitions
        self._records = self._play()

    def __iter__(self) -> Iterator[Block | Notice]:
        return self

    def __next__(self) -> Block | Notice:
        return next(self._records)

    def silence(self) -> float:
        """Return the seconds of outage since the last call."""
        silence, self._silence = self._silence, 0.0
        return silence

    def _play(self) -> Iterator[Block | Notice]:
        world = self.world
        arena = world.enter()
        battles = BattleGenerator(world.scenario, world.seed, arena.names)
        untold = iter(self.truth.events)
        for number, turn in enumerate(world.turns):
            yield from self._turn(turn, arena, untold)
            until = world.turns[number + 1].battle if number + 1 < len(world.turns) else world.after
            stage = battles.under(arena)
            while self.drawn < (world.battles if until is None else min(until, world.battles)):
                n = BLOCK if until is None else min(BLOCK, until - self.drawn)
                columns = stage.draw(n, self.times)
                # Draw the last block whole and cut it, so that a longer run starts with the same battles.
                kept = min(n, world.battles - self.drawn)
                self.drawn += kept
                block = self._block(arena.name, stage.finished(columns, n, kept))
                if len(block.rows) or block.refused is not None:
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
        number = np.arange(self._sent, self._sent + len(rows), dtype=np.int64)
        rows.partition[:] = number % self._partitions
        rows.offset[:] = number // self._partitions
        self._sent += len(rows)
        last = range(max(0, self._sent - self._partitions), self._sent)
        through = {each % self._partitions: each // self._partitions for each in last}
        lost = rows.winner == REFUSED
        refused = refused_of(rows, lost) if lost.any() else None
        rows = rows.take(np.flatnonzero(~lost)) if refused is not None else rows
        self.rows += len(rows)
        return Block(arena, rows, through, refused)


def refused_of(rows: Rows, lost: NDArray[np.bool_]) -> Refused:
    """Return the votes that intake refuses, bool[n], as it tells of them: between the rows that it takes."""
    return Refused(
        reasons=[Reason.UNKNOWN_WINNER.value],
        reason=np.zeros(np.count_nonzero(lost), np.int32),
        models=["", *rows.models],
        model_a=rows.model_a[lost] + np.int32(1),
        model_b=rows.model_b[lost] + np.int32(1),
        partition=rows.partition[lost],
        offset=rows.offset[lost],
        place=np.cumsum(~lost)[lost].astype(np.int64),
    )


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
        The same seed gives the same records, however many battles are played.
    battles, arena, start
        Override the scenario's own values.
    partitions
        Number of partitions of the votes topic to which rows are assigned.

    Returns
    -------
    An iterator of `Block` and `Notice` in ledger order, with the attribute `truth`.
    """
    return Simulation(World(scenario, seed, battles, arena), start, partitions)
