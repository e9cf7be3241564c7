"""All that is known, arena by arena, and how old it is; a question for what is not there names what is. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable

from services.board.cache import ALERTS, FAIRNESS, HeldAlerts, HeldArena, HeldBoard, HeldFairness
from services.board.ledger import Ledger
from services.board.published import Published
from services.http.errors import Refusal, Refused, retry_after
from streams.contracts.names import normalised
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
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
        self.behind: dict[str, float] = {}
        """Arenas of which votes wait that are on no board here, and since when in monotonic time."""
        self.ledger = Ledger()
        self.unshown: set[str] = set()
        """Arenas that a fold has stopped before anything of them was shown."""

    def arena(self, name: str) -> HeldArena:
        """All of one arena; raises `Refused`."""
        self.require_known()
        found = self.arenas.get(name)
        if found is None and name in self.unshown:
            raise Refused(
                Refusal.UNAVAILABLE, f"arena {name} stands still, and nothing of it was shown", retry_after(60.0)
            )
        if found is None and self.ledger.may_hold(name):
            raise Refused(Refusal.UNAVAILABLE, f"nothing is known of arena {name[:128]!r} yet", retry_after(1.0))
        if found is None:
            raise missing("arena", name, self.arenas)
        return found

    def board(self, arena: str, board: str) -> HeldBoard:
        """One board; raises `Refused`."""
        held = self.arena(arena)
        found = held.boards.get(board)
        if found is None and board in held.unreadable:
            raise unreadable(f"board {board}", arena)
        if found is None:
            raise missing("board", board, held.boards, f" in arena {arena}")
        return found

    def fairness(self, arena: str) -> HeldFairness | None:
        """What is known of an arena's fairness, if anything; raises `Refused`."""
        held = self.arena(arena)
        if held.fairness is None and FAIRNESS in held.unreadable:
            raise unreadable(FAIRNESS, arena)
        return held.fairness

    def alerts(self, arena: str) -> HeldAlerts:
        """The alerts of an arena that fire; raises `Refused`: where none were published, nothing was judged."""
        held = self.arena(arena)
        if held.alerts is None and ALERTS in held.unreadable:
            raise unreadable(ALERTS, arena)  # no answer is better than one that says that all is well
        if held.alerts is None:
            raise Refused(
                Refusal.NOT_FOUND, f"nothing was judged of arena {arena} yet, so whether alerts are due is unknown"
            )
        return held.alerts

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
                len(held.unreadable),
            )
            for arena, held in list(self.arenas.items())
        ]

    def age(self, now: float) -> float:
        """For how long Redis may have known better, seconds; 0 while Redis is followed."""
        return 0.0 if self.gone_since is None else max(0.0, now - self.gone_since)

    def staleness(self, now: float, wall: float, arena: str = "", view: str = "") -> float:
        """For how long what is held (or a view of it) may have been out of date, seconds.

        Redis is away, votes are on no board yet, the fold that writes the view has stopped the arena, or Redis shows
        that view in a form that cannot be read here. `wall` is the epoch second of `now`.
        """
        held = self.arenas.get(arena)
        behind = self.behind.get(arena) if arena else min(self.behind.values(), default=None)
        since = (behind, held.unreadable.get(view) if held else None)
        stopped = held.stopped.get(FAIRNESS_GROUP if view in (FAIRNESS, ALERTS) else RATINGS_GROUP) if held else None
        still = max(0.0, wall - stopped.since) if stopped else 0.0
        return max(self.age(now), still, *(0.0 if each is None else now - each for each in since))


def spelled(name: str, known: Container[str]) -> str:
    """A name as it is known: as it was asked for, since old ledgers have names as they were sent; else its normal form.

    >>> spelled("cafe\u0301", {"caf\u00e9"}), spelled("cafe\u0301", {"cafe\u0301"}) == "cafe\u0301"
    ('café', True)
    """
    return name if name in known else normalised(name)


def unreadable(what: str, arena: str) -> Refused:
    """Say that there is something, and that it cannot be read."""
    detail = f"{what} of arena {arena} was published by a worker of another version, and cannot be read here"
    return Refused(Refusal.UNAVAILABLE, detail, retry_after(60.0))


def missing(what: str, name: str, known: Iterable[str], where: str = "") -> Refused:
    """Say that there is no such thing, and which there are.

    >>> missing("board", "x", {"overall": 1}, " in arena text").detail
    "there is no board 'x' in arena text; there are: overall"
    """
    names = sorted(known)
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return Refused(Refusal.NOT_FOUND, f"there is no {what} {name[:128]!r}{where}; there are: {listed or 'none yet'}")
