"""Keeps the views as Redis has them, and tells the listeners what changed: subscribe first, then read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec

from services.board.held import HeldAlerts, HeldArena, HeldBoard, HeldFairness
from services.board.hub import Hub
from services.board.source import Changes, Source, SourceAway
from services.board.views import Views

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.25
"""Between two tries to reach Redis."""
LIST_SECONDS = 10.0
"""How often the lists of arenas and boards are compared: what is withdrawn is not announced."""
GRACE_SECONDS = 30.0
"""So long is kept what Redis no longer lists: one that lost everything gets it back from the workers within seconds."""


class _Change(msgspec.Struct):
    arena: str
    boards: list[str] = []
    fairness: bool = False
    alerts: int = 0
    ledger: int | None = None


_change = msgspec.json.Decoder(_Change)
_encode = msgspec.json.Encoder().encode


class Follow:
    """The one who writes `views`.

    Parameters
    ----------
    source
        Where to read.
    views
        What is kept.
    hub
        Who is told.
    """

    def __init__(self, source: Source, views: Views, hub: Hub) -> None:
        self._source, self._views, self._hub = source, views, hub
        self._unlisted: dict[tuple[str, str], float] = {}
        self._said = False

    async def run(self) -> None:
        """Follow, for ever."""
        while True:
            try:
                async with self._source.changes() as changes:
                    await self._listen(changes)
            except SourceAway as error:
                self._gone(str(error))
            except Exception:  # whatever it was, boards that stand still unnoticed are worse
                log.exception("following Redis failed; it begins again")
                self._gone("a fault of this server")
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, changes: Changes) -> None:
        await self._compare(await self._source.names(), everything=True)
        self._views.known = True
        self._views.gone_since = None
        self._said = False
        log.info("Redis is followed: %d arenas", len(self._views.arenas))
        listed_at = time.monotonic()
        while True:
            await self._take(await changes.next())
            if time.monotonic() - listed_at >= LIST_SECONDS:
                await self._compare(await self._source.names(), everything=False)
                listed_at = time.monotonic()

    def _gone(self, why: str) -> None:
        if self._views.gone_since is None:
            self._views.gone_since = time.monotonic()
        if not self._said:
            log.error("Redis is away, what was read last is served: %s", why)
            self._said = True

    async def _take(self, messages: Iterable[bytes]) -> None:
        """Read what messages name, each view once; then tell."""
        merged: dict[str, _Change] = {}
        for message in messages:
            try:
                change = _change.decode(message)
            except msgspec.MsgspecError as error:
                log.warning("a message on a channel of changes that is none: %s", error)
                continue
            known = merged.setdefault(change.arena, change)
            if known is not change:
                known.boards = list(dict.fromkeys(known.boards + change.boards))
                known.fairness |= change.fairness
                known.ledger = max(known.ledger or 0, change.ledger or 0)
        for change in merged.values():
            await self._read(change.arena, change.boards, change.fairness, change.ledger)

    async def _compare(self, names: dict[str, set[str]], everything: bool) -> None:
        """Read what is listed and not held (or everything), and drop what has not been listed for a while."""
        for arena, boards in names.items():
            held = self._views.arenas.get(arena)
            wanted = boards if everything or held is None else boards - set(held.boards)
            judged = everything or held is None
            if wanted or judged:
                await self._read(arena, sorted(wanted), judged, None)
        self._drop(names, time.monotonic())

    def _drop(self, names: dict[str, set[str]], now: float) -> None:
        unlisted = {
            (arena, board)
            for arena, held in self._views.arenas.items()
            for board in ["", *held.boards]
            if arena not in names or (board and board not in names[arena])
        }
        self._unlisted = {each: self._unlisted.get(each, now) for each in unlisted}
        for (arena, board), since in self._unlisted.items():
            if now - since < GRACE_SECONDS:
                continue
            if not board:
                del self._views.arenas[arena]
            elif arena in self._views.arenas:
                del self._views.arenas[arena].boards[board]

    async def _read(self, arena: str, boards: list[str], judged: bool, ledger: int | None) -> None:
        texts = await self._source.read(arena, boards, judged)
        first = arena not in self._views.arenas
        held = self._views.arenas.setdefault(arena, HeldArena())
        changed = []
        for board, text in zip(boards, texts, strict=False):
            if text is None:
                continue
            known = held.boards.get(board)
            if known is None or known.document.body != text:
                held.boards[board] = HeldBoard(text)
                changed.append(board)
        if changed and not first:
            newest = ledger if ledger is not None else max(filter(None, map(held.ledger_of, changed)), default=None)
            self._hub.tell(arena, "board", _encode({"boards": changed, "ledger": newest}))
        if judged:
            self._judge(arena, held, *texts[-2:], first=first)

    def _judge(self, arena: str, held: HeldArena, fairness: bytes | None, alerts: bytes | None, *, first: bool) -> None:
        if fairness is not None and (held.fairness is None or held.fairness.document.body != fairness):
            held.fairness = HeldFairness(fairness)
            if not first:
                self._hub.tell(arena, "fairness", _encode({"ledger": held.fairness.head.position.ledger}))
        if alerts is not None and (held.alerts is None or held.alerts.document.body != alerts):
            before = held.alerts.by_id if held.alerts else {}
            held.alerts = HeldAlerts(alerts)
            for identity, raw in held.alerts.by_id.items():
                if not first and before.get(identity) != raw:
                    self._hub.tell(arena, "alert", bytes(raw))
