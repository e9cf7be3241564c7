"""(i) The whole pipeline in one worker, with and without the fairness stage, on the same votes."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.bench.place import REPOSITORY, Place, Servers
from tests.bench.report import Bound, Row, number, over_rounds
from tests.bench.votes import feed

LINE = "i"
DEADLINE = 180.0
ARENA = "text"
STAGES = {False: "intake,ratings", True: "intake,ratings,fairness"}
SCENARIO = "healthy"
SHAPES = {"plain": "real votes, nothing declared", SCENARIO: "60 declared models, simulated"}
BOUND = Bound(least=0.8)


def measure(servers: Servers, rounds: int, votes: int) -> Iterator[Row]:
    """Rows of both kinds of votes."""
    for shape, what in SHAPES.items():
        pace: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(rounds):
            for fairness in sorted(STAGES, reverse=bool(turn % 2)):  # alternate the order
                pace[fairness].append(_pace(servers.place(), shape, votes, fairness))
        ratios = [judged / plain for plain, judged in zip(pace[False], pace[True], strict=True)]
        note = f"{number(statistics.median(pace[True]))} of {number(statistics.median(pace[False]))} votes/s"
        yield over_rounds(LINE, f"with fairness / without, {what}, {servers.kind}", ratios, "", BOUND, note)


def _pace(place: Place, shape: str, votes: int, fairness: bool) -> float:
    """Votes per second that the boards and, with fairness, the evidence count: the slower of the two."""
    if shape == SCENARIO:
        _simulate(place, votes)
    else:
        feed(place.settings, shape, votes)
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(place.run, "watch", DEADLINE, arena=ARENA, total=votes, fairness=fairness)
        with place.worker(STAGES[fairness]):
            seen = watching.result()
    return float(seen["votes"] / seen["seconds"])


def _simulate(place: Place, votes: int) -> None:
    command = [sys.executable, "-m", "services.cli.main", "simulate", SCENARIO, "--kafka", "--no-wait"]
    command += ["--arena", ARENA, "--battles", str(votes)]
    done = subprocess.run(
        command, env=place.environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the arena was not sent: {done.stderr[-500:]}")
