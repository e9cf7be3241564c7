"""(a) Intake compared with a bare `getmany` on the same topic, with votes in two shapes; a fresh process per run."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Iterator

from tests.bench.place import Place, Servers
from tests.bench.report import Bound, Row, number, over_rounds
from tests.bench.votes import SHAPES, feed

LINE = "a"
DEADLINE = 90.0
BOUND = Bound(least=0.45)


def measure(servers: Servers, rounds: int, votes: int) -> Iterator[Row]:
    """Rows of both shapes on one broker."""
    for shape in SHAPES:
        place = servers.place()
        feed(place.settings, shape, votes)
        yield from _compare(place, shape, rounds, votes)


def _compare(place: Place, shape: str, rounds: int, votes: int) -> Iterator[Row]:
    raw, ours, cpu, share = [], [], [], []
    for _ in range(rounds):
        tag = secrets.token_hex(2)
        bare = place.run("raw", DEADLINE, group=f"raw-{tag}", total=votes)
        taken = place.run("intake", DEADLINE, group=f"intake-{tag}", total=votes)
        if taken["outcomes"] != {"counted": votes, "duplicate": 0}:
            raise RuntimeError(f"intake took {taken['outcomes']}, not {votes} votes")
        raw.append(bare["records"] / bare["seconds"])
        ours.append(taken["votes"] / taken["seconds"])
        share.append(bare["cpu_seconds"] / bare["seconds"])
        cpu.append((bare["cpu_seconds"] / bare["records"]) / (taken["cpu_seconds"] / taken["votes"]))
    where = f"{shape} votes, {place.kind}"
    # Counting keeps a core busy; if it had much less, the machine was busy, and the wall clock ratio says little.
    had = f"it had {number(100 * statistics.median(share))} % of a core"
    yield over_rounds(LINE, f"raw getmany, {where}", raw, "records/s", note=had)
    yield over_rounds(LINE, f"intake, {where}", ours, "votes/s")
    ratios = [mine / bare for mine, bare in zip(ours, raw, strict=True)]
    note = f"aim 0.6; by processor time {number(statistics.median(cpu))}"
    yield over_rounds(LINE, f"intake / raw, {where}", ratios, "", BOUND, note)
