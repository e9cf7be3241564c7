"""Negative controls: the real code with one deliberate bug, which the checker must catch.

A mutant counts as caught only if its own rule reports it, and the same seed is clean without the mutant.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import streams.fold.redis_scripts as scripts
import streams.intake.accept
import streams.intake.stage
import streams.intake.take_over
import streams.kafka.clients
import streams.ratings.fold
from services.herald.lease import Lease
from services.herald.rules.delivery_state import keyed
from services.herald.rules.outcome import settle
from services.herald.sender import Sender
from streams.contracts.delivery import Answer
from streams.contracts.delivery import Outcome as Came
from streams.contracts.gaps import Gaps
from streams.contracts.setting_groups import KafkaSettings
from streams.fairness.stage import FairnessStage
from streams.fold.redis_store import FoldStore, WriteResult
from streams.fold.runner import FoldStage
from streams.intake.accept import PartitionMemory
from streams.intake.begin import begin
from streams.intake.dedup import SeenIds, marks_of
from streams.intake.merge_by_time import Aligner
from streams.intake.reject_limit import Refusals
from streams.intake.stage import IntakeStage
from streams.kafka.consumer import Log
from tests.simulation.checker import Result
from tests.simulation.herald import run_herald_seed
from tests.simulation.world import run_seed

Change = tuple[Any, str, Any]
"""Object, name of the attribute, and its replacement."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One deliberate bug.

    Attributes
    ----------
    rule
        Text in the expected violation.
    within
        Maximum number of seeds until it is caught.
    kinds
        Kinds of faults of the seeds; empty for any.
    run
        Function that runs a seed of the stages or of the herald.
    first
        The first seed; where the revealing fault is rare, shortly before a seed that has it.
    """

    name: str
    rule: str
    within: int
    changes: Callable[[], list[Change]]
    kinds: tuple[str, ...] = ()
    run: Callable[..., Result] = run_seed
    first: int = 0


@contextlib.contextmanager
def in_place(mutant: Mutant) -> Iterator[None]:
    """Apply a mutant to the code while the context is open."""
    changes = mutant.changes()
    before = [(where, name, getattr(where, name)) for where, name, _ in changes]
    try:
        for where, name, value in changes:
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


def hunt(mutant: Mutant) -> tuple[int, Result] | None:
    """Run seeds until the mutant is caught; returns their number and the result. `simulated` must be active."""
    for count, seed in enumerate(range(mutant.first, mutant.first + mutant.within), 1):
        with in_place(mutant):
            found = mutant.run(seed, kinds=mutant.kinds)
        if (
            any(mutant.rule in each for each in found.violations)
            and not mutant.run(seed, kinds=mutant.kinds).violations
        ):
            return count, found
    return None


# --- intake ----------------------------------------------------------------------------------------------------------


def _commit_before_acknowledgement() -> list[Change]:
    write = IntakeStage._write

    def eager(self: Any, outcome: Any) -> Any:
        self._acknowledged.update(outcome.positions)
        return write(self, outcome)

    return [(IntakeStage, "_write", eager)]


def _two_writes_in_flight() -> list[Change]:
    async def finish_the_one_before(self: Any) -> None:
        under_way = self.__dict__.setdefault("_under_way", [])
        if self._writing is not None:
            under_way.append(self._writing)
            self._writing = None
        while under_way and (under_way[0].done() or len(under_way) > 1):
            positions = await under_way.pop(0)
            self._acknowledged.update(positions)
            self.positions.update(positions)

    return [(IntakeStage, "_finish_writing", finish_the_one_before)]


def _position_by_last_record() -> list[Change]:
    async def note(self: Any, partitions: Any, batch: Any) -> None:
        for at in batch:
            self.reached[at] = batch[at][-1].offset + 1

    return [(Log, "_note", note)]


def _partial_take_committed_too_far() -> list[Change]:
    return [(Aligner, "position", lambda self, partition: self._queues[partition].end)]


def _dedup_by_id_alone() -> list[Change]:
    return [(streams.intake.accept, "marks_of", lambda ids, arenas: marks_of(ids, [""] * len(ids)))]


def _memory_not_rebuilt() -> list[Change]:
    async def forget(self: Any, log: Any, partitions: Any, first: Any) -> None:
        settings = self._settings.intake
        for at in partitions:
            seen = SeenIds(settings.dedup_records, settings.dedup_seconds)
            refusals = Refusals(settings.dead_letter_run, settings.dead_letter_ratio, settings.dead_letter_window)
            self._sources[at.partition] = PartitionMemory(seen, refusals, self.positions[at])

    return [(IntakeStage, "_rebuild", forget)]


def _foreign_commit_believed() -> list[Change]:
    commits = Log.commits

    async def believe(self: Any, partitions: Any) -> Any:
        return {at: (offset, True) for at, (offset, _) in (await commits(self, partitions)).items()}

    return [(Log, "commits", believe)]


def _gap_passed_over() -> list[Change]:
    return [
        (streams.intake.take_over, "begin", lambda known: begin(replace(known, accepted=known.first))),
    ]


def _aborted_votes_read() -> list[Change]:
    options = streams.kafka.clients._options

    def uncommitted(settings: KafkaSettings, client: str) -> dict[str, Any]:
        return {**options(settings, client), "isolation_level": "read_uncommitted"}

    return [(streams.kafka.clients, "_options", uncommitted)]


def _unreadable_batch_dropped() -> list[Change]:
    decide = IntakeStage._decide

    def drop(self: Any, log: Any, due: Any) -> Any:
        log.unreadable.clear()
        return decide(self, log, due)

    return [(IntakeStage, "_decide", drop)]


def _gaps_not_looked_for() -> list[Change]:
    return [(Gaps, "whole", lambda self, at, records, expected, now: len(records))]


# --- folds -----------------------------------------------------------------------------------------------------------


def _no_watermark() -> list[Change]:
    return [(streams.ratings.fold, "unknown_rows", lambda block, watermark: block.rows)]


def _scripts(before: str, after: str, names: tuple[str, ...] = ("CHECK", "SAVE", "PUBLISH")) -> list[Change]:
    changed = [(scripts, name, getattr(scripts, name).replace(before, after)) for name in names]
    if any(text == getattr(scripts, name) for _, name, text in changed):
        raise LookupError(f"the scripts have no {before!r} any more: the mutant must be written anew")
    return changed


def _no_fence() -> list[Change]:
    return _scripts("if epoch > tonumber(ARGV[1]) then return 0 end", "")


def _no_serial() -> list[Change]:
    return _scripts(" or serial < tonumber(ARGV[2])", "")


def _late_writes_taken() -> list[Change]:
    """Redis accepts a write that its owner has given up and that arrives after a later one."""
    late = "if not lost and serial >= tonumber(ARGV[3]) then return 1 end"
    return _scripts(late, "", ("SAVE", "PUBLISH"))


def _published_at_once() -> list[Change]:
    take_over = FoldStage._take_over

    async def at_once(self: Any, log: Any, partitions: Any) -> None:
        await take_over(self, log, partitions)
        for held in self._partitions.values():
            held.quiet_until = 0

    return [(FoldStage, "_take_over", at_once)]


def _saved_before_told() -> list[Change]:
    async def tell_nobody(self: Any, arena: Any) -> None:
        await asyncio.sleep(0)

    return [(FairnessStage, "_before_saving", tell_nobody)]


def _loss_unnoticed() -> list[Change]:
    async def all_is_well(self: Any, owned: Any) -> list[WriteResult]:
        return [WriteResult.DONE for _ in owned]

    return [(FoldStore, "check", all_is_well)]


# --- herald ----------------------------------------------------------------------------------------------------------


def _no_lease() -> list[Change]:
    return [(Lease, "holds", lambda self: not self.fenced)]


def _settled_before_answered() -> list[Change]:
    """Record a message as delivered before it is sent."""
    attempt = Sender._attempt

    async def optimistic(self: Any, subscription: Any, message: str, alerts: Any) -> Any:
        members = self._retries.pending(self._book, message)
        answer = Answer(Came.DELIVERED, at=0.0, seconds=0.0)
        await self._delivery_log.write(keyed(list(settle(members, answer, self._backoff))))
        return await attempt(self, subscription, message, alerts)

    return [(Sender, "_attempt", optimistic)]


CRASHES = ("kill", "freeze", "cut", "stop", "broker down")
AWAY = ("broker down",)
MUTANTS = (
    Mutant("commit before acknowledgement", "commits:", 20, _commit_before_acknowledgement),
    Mutant("no watermark in the fold", "board ", 20, _no_watermark, CRASHES),
    Mutant("two writes in flight", "exactly once", 100, _two_writes_in_flight, CRASHES),
    Mutant("no epoch fence", "fence:", 60, _no_fence, ("freeze", "cut")),
    Mutant("positions by last record + 1", "stuck:", 30, _position_by_last_record, ("join",)),
    Mutant("dedup by id alone", "not in the ledger", 30, _dedup_by_id_alone, ("join",)),
    Mutant("id memory not rebuilt", "exactly once", 60, _memory_not_rebuilt, CRASHES),
    Mutant("published at once after a take-over", "boards never go back", 100, _published_at_once, ("kill",)),
    Mutant("foreign commit believed", "exactly once", 80, _foreign_commit_believed, ("offsets reset",)),
    Mutant("no serial in saves", "board ", 60, _no_serial, ("redis rolled back",)),
    Mutant("late writes taken", "boards never go back", 200, _late_writes_taken, ("redis stalls",)),
    Mutant("partial take committed too far", "commits:", 30, _partial_take_committed_too_far, ("join",)),
    Mutant("retention gap passed over silently", "exactly once", 80, _gap_passed_over, ("votes cut",), first=110),
    Mutant("aborted votes read", "exactly once", 30, _aborted_votes_read, ("join",)),
    Mutant("unreadable batch dropped", "dead letters", 60, _unreadable_batch_dropped, ("join",)),
    Mutant("saved before told", "alerts of", 200, _saved_before_told, ("kill", "stop")),
    Mutant("herald without its lease", "one herald sends", 150, _no_lease, ("freeze", "cut"), run_herald_seed),
    Mutant("delivered before sent", "owed:", 100, _settled_before_answered, ("kill",), run_herald_seed),
    Mutant("skipped records not read again", "commits:", 60, _gaps_not_looked_for, ("join",)),
    Mutant("herald reads over skipped records", "owed:", 60, _gaps_not_looked_for, AWAY, run_herald_seed, first=275),
    Mutant("Redis's loss unnoticed", "board", 60, _loss_unnoticed, ("redis flushed",)),
)
