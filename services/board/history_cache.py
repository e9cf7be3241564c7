"""Serves history: reads it from Redis on demand, lays it out by the contract, and caches it for a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

import msgspec

from services.board.document import Document
from services.board.redis_source import SourceAway, ViewSource
from services.http.errors import Refusal, Refused, retry_after
from streams.contracts.history import InvalidHistory, arena_history, model_history
from streams.contracts.names import normalised

HELD_SECONDS = 5.0
"""History is sampled every five minutes at most, and evidence once a review."""
MOST_HELD = 256

Question = tuple[str, str, str | None, int]
"""Arena, board, model, top."""


class Histories:
    """Cached answers, by question.

    Parameters
    ----------
    source
        Where to read the parts of a history.
    """

    def __init__(self, source: ViewSource) -> None:
        self._source = source
        self._held: OrderedDict[Question, tuple[float, Document]] = OrderedDict()
        self._asked: dict[Question, asyncio.Task[Document]] = {}

    async def get(self, arena: str, board: str, model: str | None, top: int) -> Document:
        """History of one model, or of an arena's first ones; raises `Refused`."""
        question = (arena, board, model, top)
        held = self._held.get(question)
        if held is not None and time.monotonic() - held[0] < HELD_SECONDS:
            return held[1]
        try:
            # Concurrent requests for the same share one read; a client that disconnects does not cancel it for others.
            task = self._asked.get(question)
            if task is None:
                task = self._asked[question] = asyncio.create_task(self._read(question))
                task.add_done_callback(lambda done: self._answered(question, done))
            document = await asyncio.shield(task)
        except SourceAway as error:
            if held is not None:
                return held[1]
            raise Refused(Refusal.UNAVAILABLE, f"Redis is away: {error}", retry_after(1.0)) from None
        self._held[question] = (time.monotonic(), document)
        self._held.move_to_end(question)
        if len(self._held) > MOST_HELD:
            self._held.popitem(last=False)
        return document

    def _answered(self, question: Question, done: asyncio.Task[Document]) -> None:
        self._asked.pop(question, None)
        if not done.cancelled():
            done.exception()  # retrieve it, or asyncio logs that it never was, if all clients are gone

    async def _read(self, question: Question) -> Document:
        arena, board, model, top = question
        parts = await self._source.history(arena)
        try:
            found = await asyncio.to_thread(_lay_out, arena, board, model, top, parts)
        except InvalidHistory as error:
            raise Refused(Refusal.UNAVAILABLE, f"the history cannot be read: {error}", retry_after(60.0)) from None
        if found is None:
            raise Refused(Refusal.NOT_FOUND, f"there is no history of model {model!r} in arena {arena}")
        return found


def _lay_out(arena: str, board: str, model: str | None, top: int, parts: dict[str, bytes | None]) -> Document | None:
    if model is None:
        return Document(msgspec.json.encode(arena_history(arena, parts, board, top=top)))
    # The name as requested, since old ledgers have names as they were sent; else its normal form.
    found = model_history(model, parts, board) or model_history(normalised(model), parts, board)
    return None if found is None else Document(msgspec.json.encode(found))
