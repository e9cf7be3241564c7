"""Keeps the views as Redis has them, and sends the changes to SSE clients: subscribes first, then reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec

from services.board.cache import (
    ALERTS,
    FAIRNESS,
    UNREADABLE,
    HeldAlerts,
    HeldArena,
    HeldBoard,
    HeldFairness,
    Views,
    position_of,
)
from services.board.redis_source import ChangeFeed, SourceAway, ViewSource
from services.board.sse_hub import Hub
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
from streams.contracts.view import OVERALL

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.25
"""Between two tries to reach Redis."""
LIST_SECONDS = 10.0
"""How often the lists of arenas and boards are compared: no message announces a withdrawal."""
GRACE_SECONDS = 30.0
"""How long a view is kept that Redis no longer lists, or holds in an older state: the workers write it again within
seconds. After that an older state is taken, because it comes from a rebuild or another ledger. A view that is no longer
listed is dropped only once the ledger no longer holds it either, however long that takes."""


class _ViewChange(msgspec.Struct):
    arena: str
    boards: list[str] = []
    fairness: bool = False
    alerts: int = 0
    stopped: bool = False
    ledger: int | None = None


_View = HeldBoard | HeldFairness | HeldAlerts

_change = msgspec.json.Decoder(_ViewChange)
_encode = msgspec.json.Encoder().encode


class Follow:
    """Keeps the arenas of `views` up to date with Redis.

    Parameters
    ----------
    source
        Where to read.
    views
        The views to update.
    hub
        Sends events to clients.
    most_models
        Number of models from which a board leaves battles out.
    """

    def __init__(self, source: ViewSource, views: Views, hub: Hub, most_models: int) -> None:
        self._source, self._views, self._hub, self._most_models = source, views, hub, most_models
        self._unlisted: dict[tuple[str, str], float] = {}
        self._older: dict[tuple[str, str], float] = {}
        """Views that Redis holds in an older state than the board, and since when."""
        self._said = False

    async def run(self) -> None:
        """Follow Redis, for ever."""
        while True:
            try:
                async with self._source.changes() as changes:
                    await self._listen(changes)
            except SourceAway as error:
                self._gone(str(error))
            except Exception:  # any error: boards that silently stop updating are worse
                log.exception("following Redis failed; it starts over")
                self._gone("a fault of this server")
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, changes: ChangeFeed) -> None:
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
            log.error("Redis is away, the board serves what it read last: %s", why)
            self._said = True

    async def _take(self, messages: Iterable[bytes]) -> None:
        """Read the views that messages name, each once, and send the changes to clients."""
        merged: dict[str, _ViewChange] = {}
        for message in messages:
            try:
                change = _change.decode(message)
            except UNREADABLE as error:
                log.warning("an unreadable message on a channel of changes: %s", error)
                continue
            known = merged.setdefault(change.arena, change)
            if known is not change:
                known.boards = list(dict.fromkeys(known.boards + change.boards))
                known.fairness |= change.fairness
                known.stopped |= change.stopped
                known.ledger = max(known.ledger or 0, change.ledger or 0)
        for change in merged.values():
            await self._read(change.arena, change.boards, change.fairness, change.ledger)
        await self._note_stopped(change.arena for change in merged.values() if change.stopped)

    async def _compare(self, names: dict[str, set[str]], everything: bool) -> None:
        """Read listed views that are not held, or older in Redis (or everything), and drop withdrawn ones."""
        for arena, boards in names.items():
            held = self._views.arenas.get(arena)
            if held is not None:
                for gone in held.unreadable.keys() - boards - {FAIRNESS, ALERTS}:
                    del held.unreadable[gone]
            older = {view for name, view in self._older if name == arena}
            wanted = boards if everything or held is None else (boards - set(held.boards)) | (boards & older)
            judged = everything or held is None or not older.isdisjoint((FAIRNESS, ALERTS))
            if wanted or judged:
                await self._read(arena, sorted(wanted), judged, None)
        self._drop(names, time.monotonic())
        await self._note_stopped({*names, *self._views.arenas})

    async def _note_stopped(self, arenas: Iterable[str]) -> None:
        """Read which folds have stopped these arenas: the views that these folds write stay unchanged meanwhile."""
        for arena, stopped in (await self._source.stopped(arenas)).items():
            held = self._views.arenas.get(arena)
            (self._views.unshown.add if stopped and held is None else self._views.unshown.discard)(arena)
            if held is not None and held.stopped != stopped:
                held.stopped = stopped
                self._hub.tell(arena, "stopped", _encode({"stopped": held.stops()}))

    def _drop(self, names: dict[str, set[str]], now: float) -> None:
        unlisted = {
            (arena, board)
            for arena, held in self._views.arenas.items()
            for board in ["", *held.boards]
            if arena not in names or (board and board not in names[arena])
        }
        self._unlisted = {each: self._unlisted.get(each, now) for each in unlisted}
        for (arena, board), since in self._unlisted.items():
            held = self._views.arenas.get(arena)
            if held is None or held.stopped or now - since < GRACE_SECONDS:
                continue  # no fold rewrites the views of a stopped arena, so they stay
            if not self._views.ledger.is_withdrawn(arena, held.position(board)):
                continue
            log.info("no longer in the ledger: arena %s%s", arena, f", board {board}" if board else "")
            if board:
                del held.boards[board]
            else:
                del self._views.arenas[arena]

    async def _read(self, arena: str, boards: list[str], judged: bool, ledger: int | None) -> None:
        texts = await self._source.read(arena, boards, judged)
        first = arena not in self._views.arenas
        if first and not any(texts):  # Redis lost it since it was listed: it is unknown, not an empty arena
            return
        held = self._views.arenas.setdefault(arena, HeldArena())
        changed = []
        for board, text in zip(boards, texts, strict=False):
            if text is None:
                continue
            known, new = held.boards.get(board), HeldBoard(text)
            if self._replaces(arena, board, known, new):
                held.boards[board] = new
                changed.append(board)
        if changed and not first:
            newest = ledger if ledger is not None else max(filter(None, map(held.ledger_of, changed)), default=None)
            self._hub.tell(arena, "board", _encode({"boards": changed, "ledger": newest}))
        published = {RATINGS_GROUP} if OVERALL in changed else set()
        if judged and self._judge(arena, held, *texts[-2:], first=first):
            published.add(FAIRNESS_GROUP)
        held.compare(published, time.monotonic(), self._most_models)

    def _judge(self, arena: str, held: HeldArena, fairness: bytes | None, alerts: bytes | None, *, first: bool) -> bool:
        """Take in the fairness and alerts views; returns whether the fairness view has changed."""
        shares = None if fairness is None else HeldFairness(fairness)
        changed = shares is not None and self._replaces(arena, FAIRNESS, held.fairness, shares)
        if shares is not None and changed:
            held.fairness = shares
            if not first:
                self._hub.tell(arena, "fairness", _encode({"ledger": shares.head.position.ledger}))
        firing = None if alerts is None else HeldAlerts(alerts)
        if firing is not None and self._replaces(arena, ALERTS, held.alerts, firing):
            before = held.alerts.by_id if held.alerts else {}
            held.alerts = firing
            for identity, raw in held.alerts.by_id.items():
                if not first and before.get(identity) != raw:
                    self._hub.tell(arena, "alert", bytes(raw))
        return changed

    def _replaces(self, arena: str, view: str, held: _View | None, shown: _View) -> bool:
        """Whether a view in Redis replaces the held one; an older view does so only after `GRACE_SECONDS`.

        A Redis that lost its last seconds holds an older state until the worker notices and writes again. A view that
        cannot be read never replaces one, and affects no other arena.
        """
        place, now = (arena, view), time.monotonic()
        known, text = held.document.body if held else None, shown.document.body
        unreadable = self._views.arenas[arena].unreadable
        try:
            if known != text:
                shown.check()
        except UNREADABLE as error:
            if unreadable.setdefault(view, now) == now:
                kept = "the cached one stays" if held else "nothing is known of it"
                log.error("%s of arena %s cannot be read here, %s: %s", view, arena, kept, error)  # noqa: TRY400 -- the message says it all
            return False
        unreadable.pop(view, None)
        if known == text:
            self._older.pop(place, None)
            return False
        if known is not None and (position_of(text) or 0) < (position_of(known) or 0):
            since = self._older.setdefault(place, now)
            if now - since < GRACE_SECONDS:
                if since == now:
                    log.warning("Redis has an older state of %s of arena %s: the cached one stays", view, arena)
                return False
            log.warning("Redis has had an older state of %s of arena %s for long: the board accepts it", view, arena)
        self._older.pop(place, None)
        return True
