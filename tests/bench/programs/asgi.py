"""Processor time of the board's own code for one leaderboard: the application without a server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.applications import Starlette

from services.board.app import create_board
from services.board.cache import HeldArena, HeldBoard, HeldFairness, Views
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from tests.bench.programs.shown import two_boards
from tests.bench.programs.talk import answer, given


async def each(app: Starlette, path: str, repeats: int) -> float:
    """Microseconds of processor time per answer."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "headers": [(b"host", b"127.0.0.1"), (b"accept-encoding", b"identity")],
        }
        await app(scope, receive, send)

    await ask()
    if sent[0]["status"] != 200:
        raise RuntimeError(f"{path} was answered {sent[0]['status']}")
    began = time.process_time()
    for _ in range(repeats):
        sent.clear()
        await ask()
    return 1e6 * (time.process_time() - began) / repeats


async def measure(repeats: int) -> dict[str, float]:
    """Time of the fast path, and of the same bytes through the routes."""
    app = create_board(Settings(), Metrics())
    views: Views = app.state.views
    text = two_boards()[0]
    views.arenas["text"] = HeldArena({"overall": HeldBoard(text)}, HeldFairness(text))
    views.known, views.gone_since = True, None
    return {
        "fast": await each(app, "/v1/arenas/text/leaderboard", repeats),
        "routed": await each(app, "/v1/arenas/text/fairness", repeats),
    }


if __name__ == "__main__":
    answer(**asyncio.run(measure(given()["repeats"])))
