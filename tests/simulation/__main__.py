"""Run many seeds, one of them, or the mutants: `python -m tests.simulation --seeds 10000`, `--seed 123 --trace`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

HERALD_EVERY = 3
"""One seed in this many is a seed of the herald, the others are of the stages."""
PIECE = 25
"""Seeds that a process runs at a time."""
MOST_SHOWN = 20


@dataclass(slots=True)
class Summary:
    """Totals of many seeds."""

    seeds: int = 0
    votes: int = 0
    deliveries: int = 0
    virtual_seconds: float = 0.0
    steps: int = 0
    rebalances: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Add the totals of other seeds."""
        for name in ("seeds", "votes", "deliveries", "virtual_seconds", "steps", "rebalances"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        self.ends += other.ends
        self.failed += other.failed


def run_seeds(first: int, last: int) -> Summary:
    """Run the seeds from `first` up to `last`, `last` excluded."""
    from tests.simulation.adapters import simulated
    from tests.simulation.herald import herald_changes, run_herald_seed
    from tests.simulation.world import run_seed

    summary = Summary()
    with simulated(herald_changes()):
        for seed in range(first, last):
            of_herald = is_of_herald(seed)
            result = run_herald_seed(seed) if of_herald else run_seed(seed)
            summary.seeds += 1
            if of_herald:
                summary.deliveries += result.counted
            else:
                summary.votes += result.counted
            summary.virtual_seconds += result.seconds
            summary.steps += result.steps
            summary.rebalances += result.rebalances
            summary.faults += result.faults
            summary.ends += result.ends
            if result.violations:
                summary.failed.append((seed, result.violations[0]))
    return summary


def is_of_herald(seed: int) -> bool:
    """Whether a seed is a seed of the herald."""
    return seed % HERALD_EVERY == HERALD_EVERY - 1


def run_many(first: int, count: int, processes: int) -> Summary:
    """Run seeds in several processes; prints failing seeds as they are found."""
    summary = Summary()
    pieces = [(at, min(at + PIECE, first + count)) for at in range(first, first + count, PIECE)]
    for piece in _in_processes(pieces, processes):
        summary.add(piece)
        for seed, what in piece.failed:
            if len(summary.failed) <= MOST_SHOWN:
                print(f"seed {seed}: {what}\n  again: python -m tests.simulation --seed {seed} --trace", flush=True)
    return summary


def _in_processes(pieces: list[tuple[int, int]], processes: int) -> Iterator[Summary]:
    if processes == 1:
        yield from (run_seeds(*piece) for piece in pieces)
        return
    with ProcessPoolExecutor(processes, initializer=_quiet) as pool:
        yield from pool.map(run_seeds, *zip(*pieces, strict=True))


def run_one(seed: int, *, trace: bool) -> bool:
    """Run one seed and print its result; returns whether it is clean."""
    from tests.simulation.adapters import simulated
    from tests.simulation.herald import herald_changes, run_herald_seed
    from tests.simulation.world import run_seed

    with simulated(herald_changes()):
        run = run_herald_seed if is_of_herald(seed) else run_seed
        result = run(seed, keep_trace=trace)
    if trace:
        print("\n".join(result.trace))
    kind = "deliveries" if is_of_herald(seed) else "votes"
    print(
        f"seed {seed}: {result.counted} {kind}, {result.seconds:.1f} virtual seconds, {result.steps} steps,"
        f" {result.rebalances} rebalances, faults {dict(result.faults)}, ends {dict(result.ends)},"
        f" trace {result.digest:08x}"
    )
    for each in result.violations:
        print(f"  VIOLATION {each}")
    return not result.violations


def run_mutants(names: str | None = None) -> bool:
    """Hunt all mutants, or those whose names contain `names`; returns whether all were caught."""
    from tests.simulation.adapters import simulated
    from tests.simulation.herald import herald_changes
    from tests.simulation.mutants import MUTANTS, hunt

    survived = 0
    with simulated(herald_changes()):
        for mutant in MUTANTS:
            if names and names not in mutant.name:
                continue
            caught = hunt(mutant)
            if caught is None:
                survived += 1
                print(f"SURVIVED  {mutant.name}: not caught within {mutant.within} seeds", flush=True)
                continue
            count, result = caught
            told = next(each for each in result.violations if mutant.rule in each)
            print(f"caught    {mutant.name}: by seed {count} of {mutant.within}: {told[:110]}", flush=True)
    return not survived


def _quiet() -> None:
    warnings.simplefilter("ignore")


def main(argv: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, nargs="+", help="these alone, one after the other")
    parser.add_argument("--trace", action="store_true", help="with all that happened in it")
    parser.add_argument("--mutants", nargs="?", const="", help="the mutants, or those whose names hold these words")
    asked = parser.parse_args(argv)
    _quiet()
    if asked.seed is not None:
        clean = [run_one(seed, trace=asked.trace) for seed in asked.seed]
        return 0 if all(clean) else 1
    if asked.mutants is not None:
        return 0 if run_mutants(asked.mutants) else 1
    began = time.monotonic()
    print(f"seeds {asked.first} to {asked.first + asked.seeds - 1} in {asked.processes} processes", flush=True)
    summary = run_many(asked.first, asked.seeds, asked.processes)
    took = time.monotonic() - began
    print(
        f"{summary.seeds} seeds in {took:.0f} s: {len(summary.failed)} failed; {summary.votes} votes,"
        f" {summary.deliveries} deliveries, {summary.virtual_seconds / 3600:.1f} virtual hours, {summary.steps} steps,"
        f" {summary.rebalances} rebalances"
    )
    print("faults: " + ", ".join(f"{count} {kind}" for kind, count in summary.faults.most_common()))
    print("stages that ended: " + ", ".join(f"{count} {kind}" for kind, count in summary.ends.most_common()))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of names depends on it, and seeds must be reproducible.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
