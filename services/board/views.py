"""All that is known, arena by arena, and how old it is; a question for what is not there names what is. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from services.board.held import HeldArena, HeldBoard
from services.board.ledger import Ledger
from services.board.published import Published
from services.web.refusal import Refusal, Refused, retry_after
from streams.contracts.view import OVERALL

NAMED = 50
"""So many names an answer tells at most."""


class Views:
    """What is served.

    Parameters
    ----------
    now
        Monotonic time. `gone_since`, since when Redis may know better, begins with it; it is `None` while Redis is
        followed.
    """

    def __init__(self, now: float) -> None:
        self.arenas: dict[str, HeldArena] = {}
        self.known = False
        """Whether Redis was ever read."""
        self.gone_since: float | None = now
        self.behind_since: float | None = None
        """Since when, in monotonic time, votes wait that are on no board here; None while that is no news."""
        self.ledger = Ledger()

    def arena(self, name: str) -> HeldArena:
        """All of one arena; raises `Refused`."""
        self.require_known()
        found = self.arenas.get(name)
        if found is None and self.ledger.may_hold(name):
            raise Refused(Refusal.UNAVAILABLE, f"nothing is known of arena {name[:128]!r} yet", retry_after(1.0))
        if found is None:
            raise missing("arena", name, self.arenas)
        return found

    def board(self, arena: str, board: str) -> HeldBoard:
        """One board; raises `Refused`."""
        held = self.arena(arena)
        found = held.boards.get(board)
        if found is None:
            raise missing("board", board, held.boards, f" in arena {arena}")
        return found

    def require_known(self) -> None:
        """Raise `Refused` while nothing is known: never read, or Redis is empty and the ledger may not be."""
        if not self.known:
            raise Refused(Refusal.UNAVAILABLE, "Redis is away, and nothing was read from it yet", retry_after(1.0))
        if not self.arenas and self.ledger.may_hold_more:
            what = "nothing is known yet: Redis holds no board, and the ledger is not known to be empty"
            raise Refused(Refusal.UNAVAILABLE, what, retry_after(1.0))

    def published(self) -> list[Published]:
        """The views as they are in Redis, for the collector of series; may be called from another thread."""
        return [
            Published(
                arena,
                board.document.body if (board := held.boards.get(OVERALL)) else None,
                held.fairness.document.body if held.fairness else None,
                held.alerts.document.body if held.alerts else None,
            )
            for arena, held in list(self.arenas.items())
        ]

    def age(self, now: float) -> float:
        """For how long Redis may have known better, seconds; 0 while Redis is followed."""
        return 0.0 if self.gone_since is None else max(0.0, now - self.gone_since)

    def staleness(self, now: float) -> float:
        """For how long what is held may have been out of date, seconds: Redis away, or votes on no board yet."""
        behind = 0.0 if self.behind_since is None else now - self.behind_since
        return max(self.age(now), behind)


def missing(what: str, name: str, known: Iterable[str], where: str = "") -> Refused:
    """Say that there is no such thing, and which there are.

    >>> missing("board", "x", {"overall": 1}, " in arena text").detail
    "there is no board 'x' in arena text; there are: overall"
    """
    names = sorted(known)
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return Refused(Refusal.NOT_FOUND, f"there is no {what} {name[:128]!r}{where}; there are: {listed or 'none yet'}")
