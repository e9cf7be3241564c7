"""(b) The whole pipeline in one worker compared with a plain Faust agent and with Quix Streams, on the same votes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from services.local.ports import free_port
from tests.bench import quix
from tests.bench.place import Place, Servers
from tests.bench.report import Bound, Row, over_rounds
from tests.bench.votes import feed

LINE = "b"
DEADLINE = 120.0
FAUST_SECONDS = 6.0
ARENA = "text"


def measure(servers: Servers, rounds: int, votes: int) -> Iterator[Row]:
    """Rows of our pipeline, of both peers and of both ratios."""
    python = quix.interpreter()
    ours, faust, streams = [], [], []
    for _ in range(rounds):
        place = servers.place()
        feed(place.settings, "plain", votes)
        ours.append(_ours(place, votes))
        faust.append(_faust(place))
        streams.append(_quix(place, python, votes))
    yield over_rounds(LINE, f"ours: intake and ratings in one worker, {servers.kind}", ours, "votes/s")
    yield over_rounds(LINE, "Faust agent, Elo in Redis (MGET, MSET a vote)", faust, "votes/s")
    yield over_rounds(LINE, f"Quix Streams {quix.version(python)}, Elo in memory", streams, "votes/s")
    yield _ratio("ours / Faust agent", ours, faust, Bound(least=60), "")
    yield _ratio("ours / Quix Streams", ours, streams, Bound(least=1.8), "aim 2.5")


def _ratio(what: str, ours: list[float], theirs: list[float], bound: Bound, note: str) -> Row:
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return over_rounds(LINE, what, ratios, "", bound, note)


def _ours(place: Place, votes: int) -> float:
    """Votes per second, from the first board to the one that counts every vote."""
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(place.run, "watch", DEADLINE, arena=ARENA, total=votes)
        with place.worker():
            seen = watching.result()
    return float(seen["votes"] / seen["seconds"])


def _faust(place: Place) -> float:
    group = f"faust-{secrets.token_hex(2)}"
    seen = place.run("faust_elo", DEADLINE, group=group, port=free_port(), measured=FAUST_SECONDS)
    return float(seen["votes"] / seen["seconds"])


def _quix(place: Place, python: str, votes: int) -> float:
    seen = place.run("quix_elo", DEADLINE, python, group=f"quix-{secrets.token_hex(2)}", total=votes)
    if seen["votes"] != votes - 1:
        raise RuntimeError(f"Quix Streams stopped after {seen['votes'] + 1} of {votes} votes")
    return float(seen["votes"] / seen["seconds"])
