"""The short form of the simulation: some hundred seeds, every mutant, and the reproducibility of seeds."""

import os
import subprocess
import sys

import pytest

from tests.simulation.__main__ import is_of_herald, run_seeds
from tests.simulation.adapters import simulated
from tests.simulation.herald import herald_changes, run_herald_seed
from tests.simulation.mutants import MUTANTS, Mutant, hunt
from tests.simulation.world import run_seed

SEEDS = int(os.environ.get("ISONOMY_SIMULATION_SEEDS", "400"))
PIECES = 8


@pytest.mark.parametrize("piece", range(PIECES))
def test_no_seed_breaks_a_promise(piece: int) -> None:
    first, count = piece * SEEDS // PIECES, SEEDS // PIECES
    summary = run_seeds(first, first + count)
    assert summary.seeds == count
    assert summary.votes > 10 * count
    assert not summary.failed, "\n".join(
        f"python -m tests.simulation --seed {seed} --trace: {what}" for seed, what in summary.failed
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught(mutant: Mutant) -> None:
    with simulated(herald_changes()):
        assert hunt(mutant) is not None, f"not caught within {mutant.within} seeds"


def test_a_seed_tells_the_same_story_in_another_process_and_after_other_seeds() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    told = []
    for seeds in (["30", "7", "44"], ["44", "7", "30"]):
        argv = [sys.executable, "-m", "tests.simulation", "--seed", *seeds]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True)
        told.append(sorted(line for line in done.stdout.splitlines() if line.startswith("seed ")))
    assert len(told[0]) == 3
    assert all(" trace " in line for line in told[0])
    assert told[0] == told[1]


def test_the_faults_that_are_meant_to_strike_do_strike() -> None:
    with simulated(herald_changes()):
        results = [(run_herald_seed if is_of_herald(seed) else run_seed)(seed) for seed in range(60)]
    faults = {kind for result in results for kind in result.faults}
    assert len(faults) >= 15, faults
