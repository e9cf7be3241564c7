"""`python -m tests.fuzz`: many inputs for each parser; none may raise, and none may take half a second."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click

from tests.fuzz.targets import TARGETS, Target

SLOW_SECONDS, AGAIN = 0.5, 3
"""Longer takes none, in the best of so many further tries."""
KEPT = Path(".isonomy/fuzz")
WARM = 200
SLICE = 5_000
"""Inputs that one seed makes: a slice is what a process is given."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a slice came to; `bad` names the inputs that raised or were slow, and what they did."""

    taken: int
    slowest: float
    bad: list[tuple[bytes, str]]


def run(name: str, seed: int, count: int) -> Found:
    """Try the inputs of a seed."""
    target, taken, slowest, bad = TARGETS[name], 0, 0.0, []
    for value in islice(target.inputs(-1), WARM):  # libraries are loaded, and machine code with them
        with contextlib.suppress(Exception):
            target.act(value)
    for value in islice(target.inputs(seed), count):
        began = time.perf_counter()
        try:
            taken += target.act(value)
        except Exception:  # noqa: BLE001 -- whatever it is, it is what we look for
            bad.append((value, traceback.format_exc(limit=-4)))
        took = time.perf_counter() - began
        if took > SLOW_SECONDS:  # the machine may have stood still
            took = min(took, *(_again(target, value) for _ in range(AGAIN)))
        slowest = max(slowest, took)
        if took > SLOW_SECONDS:
            bad.append((value, f"took {took:.2f} s"))
    return Found(taken, slowest, bad)


def _again(target: Target, value: bytes) -> float:
    """Seconds that an input takes another time."""
    began = time.perf_counter()
    with contextlib.suppress(Exception):
        target.act(value)
    return time.perf_counter() - began


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target", "targets", type=click.Choice(list(TARGETS)), multiple=True, help="Only these; all if not given."
)
@click.option("--inputs", type=click.IntRange(min=1), default=20_000, show_default=True, help="Inputs for each.")
@click.option("--seed", type=int, default=1, show_default=True, help="Where to begin.")
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="At once.")
def main(targets: tuple[str, ...], inputs: int, seed: int, processes: int) -> None:
    """Try inputs near good ones; an input that fails is kept in .isonomy/fuzz, and the exit code is 1."""
    failed = 0
    with ProcessPoolExecutor(processes) as pool:
        for name in targets or TARGETS:
            began = time.monotonic()
            slices = [(seed + at, min(SLICE, inputs - at * SLICE)) for at in range(-(-inputs // SLICE))]
            found = list(pool.map(run, [name] * len(slices), *zip(*slices, strict=True)))
            bad = [each for part in found for each in part.bad]
            taken, slowest = sum(part.taken for part in found), max(part.slowest for part in found)
            click.echo(
                f"{name:10} {inputs:>9,} inputs, {taken:>9,} taken, {len(bad)} bad, slowest {slowest * 1000:6.1f} ms,"
                f" {time.monotonic() - began:6.1f} s"
            )
            for value, why in bad[:3]:
                KEPT.mkdir(parents=True, exist_ok=True)
                path = KEPT / f"{name}-{hashlib.sha256(value).hexdigest()[:12]}"
                path.write_bytes(value)
                click.echo(f"  {path}\n    " + why.strip().replace("\n", "\n    "))
            failed += len(bad)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
