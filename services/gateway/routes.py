"""The routes that write: votes and model declarations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol, TypeVar, TypeVarTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway.auth import OF_THE_KEY, Gate
from services.gateway.budget import REQUEST_BYTES, SHARE, Held, Holding
from services.gateway.parse_body import (
    ParsedVotes,
    is_ndjson,
    key_of,
    read_model,
    read_votes,
    split_body,
    unread_fields,
)
from services.gateway.responses import ModelAnswer, VotesAnswer
from services.http.api_keys import Key
from services.http.errors import Refusal, Refused, retry_after
from services.http.query import only
from services.http.request_body import read_body
from services.http.responses import json_response
from services.kafka.partition_queue import Record
from services.kafka.writer import Unavailable
from streams.contracts.metrics import Metrics
from streams.contracts.names import normalised
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.contracts.topics import MODELS, VOTES
from streams.contracts.vote import MAX_RECORD_BYTES

RETRY_SECONDS = 2.0
LARGE_BODY_BYTES = 131_072
"""A larger body is parsed in a thread."""
MANY_VOTES = 1_000
"""As many are looked at in a thread, too."""
UNPACKED_BYTES = 1_024
"""A compressed body costs at least one vote per this many unpacked bytes: 8 kB may unpack to 8 MB."""
LEAST_BYTES = 100
"""About the size of the smallest vote: a body that cannot be split is charged one vote per this many bytes."""

REFUSED_PART = 20
"""A request refused for its rate is still charged `1 / REFUSED_PART` of its votes, because its body was split."""

AS_WRITTEN = "as_written"
"""Parameter of DELETE: the path has the name exactly as in its record, from before names had a normal form."""

R = TypeVar("R")
Given = TypeVarTuple("Given")


class RecordLog(Protocol):
    """Where records are written: `KafkaLog`, or a list in tests."""

    def run(self) -> AbstractAsyncContextManager[None]:
        """Stay connected while the context is open."""

    def fault(self) -> str | None:
        """Why records cannot be written now; `None` when they can."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Return once all are acknowledged; raise `Unavailable` when they are not."""


class WriteRoutes:
    """The handlers and their shared state."""

    def __init__(self, settings: Settings, metrics: Metrics, gate: Gate, log: RecordLog) -> None:
        self._settings = settings
        self._outcomes = metrics.gateway_votes
        self._accepted = metrics.gateway_votes.labels("accepted")
        self._gate = gate
        self._log = log
        limits = settings.gateway
        self._holding = Holding(max(limits.bodies_limit, SHARE * (limits.body_limit + REQUEST_BYTES)))
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="votes")

    async def _beside(self, act: Callable[[*Given], R], *given: *Given) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act, *given)

    async def votes(self, request: Request) -> Response:
        """POST /v1/votes."""
        key = self._gate.enter(request)
        only(request)
        with Held(self._holding, key.name) as held:
            try:
                body = await read_body(request, self._settings.gateway.body_limit, held.more)
            except Refused as refused:
                if refused.reason in (Refusal.INVALID_ENCODING, Refusal.BODY_TOO_LARGE):
                    self._gate.charge(key, 1 + held.size // UNPACKED_BYTES)  # the body was unpacked up to this size
                raise
            packed = request.headers.get("content-encoding", "identity").lower() != "identity"
            least = len(body) // UNPACKED_BYTES if packed else 0
            return await self._votes(key, body, is_ndjson(request.headers.get("content-type", "")), least)

    async def _votes(self, key: Key, body: bytes, ndjson: bool, least: int) -> Response:
        # Parsing a large body takes more than a few milliseconds: a thread leaves the event loop to other requests.
        large = len(body) > LARGE_BODY_BYTES
        try:
            items = await self._beside(split_body, body, ndjson) if large else split_body(body, ndjson)
        except Refused as refused:
            about = 1 + len(body) // LEAST_BYTES
            self._gate.charge(key, about)  # a body that is refused as a whole still cost its reading
            self._gate.note_refused(key, refused, about)
            raise
        try:
            try:
                self._gate.spend(key, max(least, len(items)))
            except Refused:
                self._gate.charge(key, 1 + len(items) // REFUSED_PART)
                self._gate.spend(key, max(least, len(items)))  # raises again, with the wait after this charge
                raise
            now = time.time()
            votes = await self._beside(read_votes, items, now) if large else read_votes(items, now)
            votes = await self._admit(key, votes, len(items))
            duplicates = await self._beside(votes.duplicates) if large else votes.duplicates()
            await self._send(VOTES.name, votes.records)
        except Refused as refused:
            self._outcomes.labels(refused.reason).inc(len(items))
            raise
        return self._answer(key, votes, duplicates)

    async def _admit(self, key: Key, votes: ParsedVotes, items: int) -> ParsedVotes:
        """Reject votes beyond the key's budgets of names; raises `Refused` when the key may not write to an arena."""
        try:
            for arena, index in votes.arenas.items():
                self._gate.arena(key, arena, f"item {index}: ")
        except Refused as refused:
            self._gate.note_refused(key, refused, items)
            raise
        if beyond := self._gate.beyond(key, votes.arenas):
            votes = await self._beside(votes.without, Reason.TOO_MANY_ARENAS, partial(self._why_arena, key, beyond))
        names = await self._beside(votes.names) if items > MANY_VOTES else votes.names()
        unnamed = {arena: self._gate.unnamed(key, arena, models) for arena, models in names.items()}
        if any(unnamed.values()):
            before = len(votes.records)
            votes = await self._beside(votes.without, Reason.TOO_MANY_NAMES, partial(self._why_name, key, unnamed))
            self._gate.refuse_names(key, before - len(votes.records))
        first = f"{votes.rejected[0].reason}: {votes.rejected[0].detail}" if votes.rejected else ""
        unusable = sum(each.reason not in OF_THE_KEY for each in votes.rejected)
        self._gate.note(key, items, unusable, first)
        return votes

    def _why_arena(self, key: Key, beyond: Set[str], arena: str, _: tuple[str, str]) -> str | None:
        return self._gate.too_many_arenas(key, arena) if arena in beyond else None

    def _why_name(self, key: Key, beyond: Mapping[str, Set[str]], arena: str, models: tuple[str, str]) -> str | None:
        names = [model for model in models if model in beyond[arena]]
        return self._gate.too_many_names(key, arena, names) if names else None

    async def model(self, request: Request) -> Response:
        """PUT and DELETE /v1/arenas/{arena}/models/{model}."""
        key = self._gate.enter(request)
        only(request, *((AS_WRITTEN,) if request.method == "DELETE" else ()))
        arena, model = request.path_params["arena"], request.path_params["model"]
        if request.method != "DELETE" or not _as_written(request):
            model = normalised(model)
        unread: list[str] = []
        with Held(self._holding, key.name) as held:
            try:
                self._gate.arena(key, arena)
                self._gate.spend(key, 1)
                record: Record
                if request.method == "DELETE":
                    record = (key_of(arena, model), None)
                else:
                    body = await read_body(request, min(self._settings.gateway.body_limit, MAX_RECORD_BYTES), held.more)
                    record = declared = read_model(body, arena, model, time.time())
                    unread = unread_fields(declared[1])
                self._gate.model(key, arena, model)
            except Refused as refused:
                self._gate.note_refused(key, refused, 1)
                raise
            self._gate.note(key, 1)
            await self._send(MODELS.name, [record])
        return json_response(ModelAnswer(arena, model, unread), 202)

    async def _send(self, topic: str, records: Sequence[Record]) -> None:
        if not records:
            return
        try:
            await self._log.send(self._settings.kafka.topic(topic), records)
        except Unavailable as error:
            if not error.written:
                raise Refused(Refusal.UNAVAILABLE, error.detail, retry_after(RETRY_SECONDS)) from None
            again = "some or all may be written: send the same votes again, with the same ids; each id counts once"
            raise Refused(Refusal.UNCONFIRMED, f"{error.detail}; {again}", retry_after(RETRY_SECONDS)) from None

    def _answer(self, key: Key, votes: ParsedVotes, duplicates: int) -> Response:
        accepted = len(votes.records)
        self._accepted.inc(accepted)
        for rejected in votes.rejected:
            self._outcomes.labels(rejected.reason).inc()
        status = 422 if votes.rejected and not accepted else 202
        answer = VotesAnswer(accepted, votes.rejected, duplicates, votes.renamed)
        return Unread(answer, status, self._holding, key.name)


def _as_written(request: Request) -> bool:
    """Whether the path has the name exactly as in its record; raises `Refused` for a value that is no boolean."""
    given = request.query_params.get(AS_WRITTEN, "false")
    if given not in ("true", "false"):
        raise Refused(Refusal.INVALID_QUERY, f"{AS_WRITTEN}={given[:40]!r}: use true or false")
    return given == "true"


LARGE_ANSWER_BYTES = 65_536


class Unread(Response):
    """A JSON answer that may list thousands of items and be 100 times as large as its request.

    A client that reads one byte at a time is not cut off, so without a bound it could cause many such answers and keep
    all of them in memory. The votes are already written, so the answer is sent however much the key holds; the key's
    next requests are refused until there is room.

    Parameters
    ----------
    content, status
        As in `json_response`.
    holding, key
        Where the bytes of a large answer are counted, and the name of the key.
    """

    def __init__(self, content: object, status: int, holding: Holding, key: str) -> None:
        encoded = json_response(content, status)
        super().__init__(encoded.body, status, media_type="application/json")
        self._holding, self._key = holding, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; returns when the kernel has taken all of it, or the client is gone."""
        size = len(self.body)
        if size <= LARGE_ANSWER_BYTES:
            await super().__call__(scope, receive, send)
            return
        self._holding.keep(self._key, size)
        try:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})  # returns once the write buffer is empty
        finally:
            self._holding.release(self._key, size)
