"""The subscription routes, with a client for each key."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from services.herald.api.routes import subscription_routes
from services.http.api_keys import new_key
from services.http.errors import Refused
from services.http.responses import error_response
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from tests.support.eventually import eventually_async


@dataclasses.dataclass
class Board:
    """The served routes, with a client for each key; `anybody` has no key."""

    clients: dict[str, httpx.AsyncClient]
    anybody: httpx.AsyncClient
    metrics: Metrics

    async def is_there(self) -> bool:
        return (await self.call(next(iter(self.clients)), "GET")).status_code == 200

    async def has(self, key: str, name: str) -> bool:
        return (await self.call(key, "GET", f"/{name}")).status_code == 200

    async def call(self, key: str, method: str, path: str = "", body: Any = None) -> httpx.Response:
        return await self.clients[key].request(method, f"/v1/subscriptions{path}", json=body)

    def counted(self, what: str) -> float | None:
        """Number of confirmations with this result."""
        return self.metrics.registry.get_sample_value("isonomy_confirmations_total", {"what": what})

    async def states(self, key: str, name: str) -> list[tuple[str, int]]:
        answer = (await self.call(key, "GET", f"/{name}/deliveries")).json()
        return [(each["state"], each["replays"]) for each in answer["deliveries"]]


def write_keys(file: Path, keys: Mapping[str, str]) -> dict[str, str]:
    """Create a key for each name with its arenas, and write the file of keys; returns the secrets."""
    made = {name: new_key(name, arenas) for name, arenas in keys.items()}
    file.write_text("".join(f"{line}\n" for _, line in made.values()))
    return {name: secret for name, (secret, _) in made.items()}


@asynccontextmanager
async def open_board(settings: Settings, secrets: Mapping[str, str]) -> AsyncIterator[Board]:
    """Serve the routes as one process of the board does."""
    metrics = Metrics()
    routes, running = subscription_routes(settings, metrics)
    app = Starlette(routes=routes, exception_handlers={Refused: lambda _, error: error_response(error)})
    async with running, AsyncExitStack() as open_ones:

        async def client(**headers: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app=app)
            made = httpx.AsyncClient(transport=transport, base_url="http://board", headers=headers, timeout=30)
            return await open_ones.enter_async_context(made)

        clients = {name: await client(Authorization=f"Bearer {secret}") for name, secret in secrets.items()}
        board = Board(clients, await client(), metrics)
        await eventually_async(board.is_there)
        yield board
