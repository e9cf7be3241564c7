"""Names that the board holds, for who subscribes: a name that is nowhere is probably misspelt."""

from __future__ import annotations

import asyncio

from services.board.cache import UNREADABLE
from services.board.views import Views
from services.herald.rules.unknown import Shown
from streams.contracts.view import OVERALL


async def shown_names(views: Views, arena: str | None) -> Shown | None:
    """Names of all arenas, or of one; None while nothing is known."""
    if not views.known or not views.arenas:
        return None
    models: set[str] = set()
    providers: set[str] = set()
    whole = True
    for held in [each for name, each in views.arenas.items() if arena in (None, name)]:
        try:
            if OVERALL in held.boards:
                models.update(held.boards[OVERALL].lines)
            if held.fairness is not None:
                models.update(held.fairness.lines)
                providers.update(held.fairness.providers)
        except UNREADABLE:  # a worker of another version wrote it; its arena says so to who asks for it
            whole = False
        whole = whole and held.fairness is not None and not held.unreadable
        await asyncio.sleep(0)  # hundreds of arenas that were never looked into take a while
    return Shown(set(views.arenas), models, providers, whole)
