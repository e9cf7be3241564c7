"""(h) The read API: leaderboards of 243 models per second from one core, and their latency at 2,000 per second."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from tests.bench.place import Servers
from tests.bench.report import Bound, Row, number, over_rounds

LINE = "h"
DEADLINE = 90.0
CONNECTIONS = 64
RATE = 2_000
"""Requests per second that one core must serve."""
P99_MS = 20.0
FORMS = {"plain": "whole", "gzip": "packed with gzip", "known": "304 to who has it"}
REPEATS = 20_000


def measure(servers: Servers, rounds: int, seconds: float) -> Iterator[Row]:
    """Maximum rate in each form; then latency at the given rate while the board changes four times per second."""
    place = servers.place()
    fastest: dict[str, list[dict[str, float]]] = {form: [] for form in FORMS}
    steady: list[dict[str, float]] = []
    with place.board() as board:
        told = {"port": board.port, "pid": board.pid, "not_on": board.processor, "connections": CONNECTIONS}
        for _ in range(rounds):
            for form, found in fastest.items():
                found.append(place.run("read", DEADLINE, **told, form=form, rate=0, seconds=seconds))
            steady.append(place.run("read", DEADLINE, **told, form="plain", rate=RATE, seconds=2 * seconds))
    for form, what in FORMS.items():
        seen = fastest[form]
        size = number(seen[0]["bytes"] / 1000)
        note = f"{size} kB an answer; {_middle(seen, 'cpu_us')} µs of processor time each"
        bound = Bound(least=RATE) if form != "known" else None
        yield over_rounds(
            LINE, f"leaderboard of 243 models, one core, {what}", _all(seen, "a_second"), "requests/s", bound, note
        )
    note = f"p50 {_middle(steady, 'p50')} ms; {_middle(steady, 'busy')} of a core; the board changes 4 times a second"
    what = f"answer at {RATE:,} requests a second, p99"
    yield over_rounds(LINE, what, _all(steady, "p99"), "ms", Bound(most=P99_MS), note)
    inside = place.run("asgi", DEADLINE, repeats=REPEATS)
    yield Row(
        LINE, "processor time in our code, leaderboard", inside["fast"], "µs", None, "ASGI in one process, no sockets"
    )
    yield Row(LINE, "the same bytes by way of the routes", inside["routed"] / inside["fast"], "times the above")


def _all(seen: list[dict[str, float]], name: str) -> list[float]:
    return [each[name] for each in seen]


def _middle(seen: list[dict[str, float]], name: str) -> str:
    return number(statistics.median(_all(seen, name)))
