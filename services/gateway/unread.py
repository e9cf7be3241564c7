"""An answer that counts as held until its client has read it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway.holding import Holding
from services.http.responses import json_response

LARGE_BYTES = 65_536


class Unread(Response):
    """A JSON answer that names each of thousands of items, and is a hundred times what was sent.

    A client that reads it a byte at a time is not cut off, so without a bound it could make one such answer after the
    other and hold them all. What was done is done and is answered whatever is held; the key's next requests wait.

    Parameters
    ----------
    content, status
        As in `json_response`.
    holding, key
        Where the bytes are held, and for whom.
    """

    def __init__(self, content: Any, status: int, holding: Holding, key: str) -> None:
        encoded = json_response(content, status)
        super().__init__(encoded.body, status, media_type="application/json")
        self._holding, self._key = holding, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; returns when it is read as far as the kernel holds it no more, or the client is gone."""
        size = len(self.body)
        if size <= LARGE_BYTES:
            await super().__call__(scope, receive, send)
            return
        self._holding.keep(self._key, size)
        try:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})  # uvicorn takes it when the rest is written
        finally:
            self._holding.release(self._key, size)
