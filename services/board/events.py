"""The answer that never ends: server-sent events of one client, until it goes, is cut, or the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.board.document import OPEN
from services.board.sse_hub import Client, Hub, Over
from services.http.uvicorn_protocol import ABORT, OWN_PACE

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
    OPEN,
]


class EventStream(Response):
    """Sends a client's events as they come.

    Parameters
    ----------
    hub
        Which the client leaves in the end.
    client
        Whose stream it is.
    """

    def __init__(self, hub: Hub, client: Client) -> None:
        super().__init__()
        self._hub, self._client = hub, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it is over; how long it may last the hub says."""
        own_pace: Callable[[], None] | None = scope.get("extensions", {}).get(OWN_PACE)
        if own_pace is not None:
            own_pace()
        writing = asyncio.create_task(self._write(send))
        going = asyncio.create_task(_gone(receive))
        over = asyncio.create_task(self._client.ended.wait())
        try:
            await asyncio.wait({writing, going, over}, return_when=asyncio.FIRST_COMPLETED)
            if self._client.over is Over.CUT:
                # Writing hangs in a full buffer that this client does not empty: nothing more can be said to it.
                abort: Callable[[], None] | None = scope.get("extensions", {}).get(ABORT)
                if abort is not None:
                    abort()
                    await going
            elif self._client.over is Over.STOPPED:
                await asyncio.wait({writing, going}, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
        finally:
            self._hub.leave(self._client)
            for task in (writing, going, over):
                task.cancel()
            await asyncio.wait({writing, going, over})
        if not writing.cancelled() and writing.exception() is not None:
            raise writing.exception()  # type: ignore[misc]  # it is not None

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        while text := await self._client.take():
            await send({"type": "http.response.body", "body": text, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
