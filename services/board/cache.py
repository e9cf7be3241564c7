"""The views of every arena as published, what is derived from them once per change, and how old they are. Pure.

A question for something that is not there is refused, and the refusal names what is there.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from services.board.document import Document
from services.board.ledger import Ledger
from services.board.ordering import Rating, reorder
from services.export.official import csv_of, day_of, rows_of
from services.http.errors import Refusal, Refused, retry_after
from streams.contracts.judged import Judged
from streams.contracts.names import normalised
from streams.contracts.stopped import Stopped
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
from streams.contracts.view import OVERALL, Board

Lines = dict[str, msgspec.Raw]
"""JSON of a line by the name of its model."""


class _NamedLine(msgspec.Struct):
    model: str


class _Position(msgspec.Struct):
    ledger: int | None = None


class _ViewHead(msgspec.Struct):
    votes: int
    as_of: float | None
    position: _Position
    models: list[msgspec.Raw]
    battles: int | None = None
    declares: bool | None = None
    """Of the fairness view, as is the next one; both None where a worker published it that does not say."""
    judged: list[Judged] | None = None


class _Group(msgspec.Struct):
    name: str


class _Grouped(msgspec.Struct):
    providers: list[_Group]


class _Placed(msgspec.Struct):
    position: _Position


class _Subject(msgspec.Struct):
    model: str | None = None


class Firing(msgspec.Struct):
    """As much of a firing alert as is looked at here."""

    id: str
    subject: _Subject


class _Alerts(msgspec.Struct):
    alerts: list[msgspec.Raw]


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading a view raises that is none of this version."""

_named = msgspec.json.Decoder(_NamedLine)
_head = msgspec.json.Decoder(_ViewHead)
_grouped = msgspec.json.Decoder(_Grouped)
_placed = msgspec.json.Decoder(_Placed)
_whole = msgspec.json.Decoder(Board)
_UNSAFE = re.compile("[^A-Za-z0-9._-]+")
"""What no name of a file should hold: names of boards are free text."""
_alerts = msgspec.json.Decoder(_Alerts)
_firing = msgspec.json.Decoder(Firing)


def lines_by_model(raws: list[msgspec.Raw]) -> Lines:
    """Index lines by the model that they are of."""
    return {_named.decode(raw).model: raw for raw in raws}


def position_of(text: bytes) -> int | None:
    """Up to where in the ledger a view counts; None when it does not say.

    >>> position_of(b'{"position":{"ledger":7,"watermark":{}},"models":[]}'), position_of(b"{}")
    (7, None)
    """
    try:
        return _placed.decode(text).position.ledger
    except UNREADABLE:  # a worker of another version wrote it
        return None


class HeldBoard:
    """One board as published."""

    def __init__(self, text: bytes) -> None:
        self.document = Document(text)
        self._reordered: dict[Rating, Document] = {}
        self._csv: dict[Rating, Document] = {}

    @cached_property
    def head(self) -> _ViewHead:
        """Its votes, time and lines."""
        return _head.decode(self.document.body)

    @cached_property
    def lines(self) -> Lines:
        """JSON of each line."""
        return lines_by_model(self.head.models)

    def check(self) -> None:
        """Look whether it can be read; raises one of `UNREADABLE`. Lines of one version are alike: one is looked at."""
        lines_by_model(self.head.models[:1])

    def ordered(self, rating: Rating) -> Document:
        """The board by one rating; by Bradley-Terry it is what was published, to the byte."""
        if rating is Rating.BT:
            return self.document
        found = self._reordered.get(rating)
        if found is None:
            found = self._reordered[rating] = Document(reorder(self.document.body, rating))
        return found

    def csv(self, rating: Rating) -> Document:
        """The board by one rating, in the columns of the public leaderboard data set; raises one of `UNREADABLE`."""
        found = self._csv.get(rating)
        if found is None:
            board = _whole.decode(self.document.body)
            rows = rows_of(board, rating.value)
            day = None if board.as_of is None else day_of(board.as_of)
            name = _UNSAFE.sub("_", f"{board.arena}-{board.board}-{day or 'undated'}.csv")
            found = self._csv[rating] = Document(
                csv_of(rows).encode(), b"text/csv; charset=utf-8; header=present", name
            )
        return found


class HeldFairness:
    """The fairness view as published."""

    def __init__(self, text: bytes) -> None:
        self.document = Document(text)

    @cached_property
    def head(self) -> _ViewHead:
        """Its votes, time and lines."""
        return _head.decode(self.document.body)

    @cached_property
    def lines(self) -> Lines:
        """JSON of each model's line."""
        return lines_by_model(self.head.models)

    @cached_property
    def providers(self) -> list[str]:
        """Names of the providers that were ever declared."""
        return [each.name for each in _grouped.decode(self.document.body).providers]

    def check(self) -> None:
        """Look whether it can be read; raises one of `UNREADABLE`."""
        lines_by_model(self.head.models[:1])


class HeldAlerts:
    """The alerts that fire, as published."""

    def __init__(self, text: bytes) -> None:
        self.document = Document(text)

    @cached_property
    def by_id(self) -> dict[str, msgspec.Raw]:
        """JSON of each, latest beginning first."""
        return {_firing.decode(raw).id: raw for raw in _alerts.decode(self.document.body).alerts}

    def check(self) -> None:
        """Look whether it can be read; raises one of `UNREADABLE`."""
        self.by_id  # noqa: B018 -- read now, and held

    def of(self, model: str) -> list[msgspec.Raw]:
        """JSON of those that are about a model."""
        return [raw for raw in self.by_id.values() if _firing.decode(raw).subject.model == model]


FAIRNESS, ALERTS = "the fairness view", "the alerts view"
"""Names of these two beside those of boards: no board is called so."""


@dataclass
class HeldArena:
    """All views of one arena."""

    boards: dict[str, HeldBoard] = field(default_factory=dict)
    fairness: HeldFairness | None = None
    alerts: HeldAlerts | None = None
    stopped: dict[str, Stopped] = field(default_factory=dict)
    """Folds that have stopped it."""
    unreadable: dict[str, float] = field(default_factory=dict)
    """Views that Redis shows in a form that cannot be read here, and since when in monotonic time: what is held of
    them, if anything, is older."""
    outrun: dict[str, float] = field(default_factory=dict)
    """Folds whose view lacks battles that the other fold's view counts, and since when in monotonic time."""

    def ledger_of(self, board: str) -> int | None:
        """Up to where in the ledger a board counts."""
        return self.boards[board].head.position.ledger

    def position(self, board: str) -> int:
        """Up to where in the ledger a board counts, or any of them when its name is empty; 0 when none says."""
        bodies = [each.document.body for name, each in self.boards.items() if board in ("", name)]
        if not board and self.fairness is not None:
            bodies.append(self.fairness.document.body)
        return max((position_of(body) or 0 for body in bodies), default=0)

    @property
    def judged(self) -> list[Judged] | None:
        """Which detectors judge it, and why the others do not; None where nobody says."""
        return self.fairness.head.judged if self.fairness else None

    def compare(self, published: Iterable[str], now: float, most_models: int) -> None:
        """Hold the two folds' views against each other: both count the same battles, so the one that lacks some is old.

        Parameters
        ----------
        published
            Folds whose view was just taken in.
        now
            Monotonic time.
        most_models
            Models from which on a board leaves battles out.
        """
        board, fairness = self.boards.get(OVERALL), self.fairness
        ours = {RATINGS_GROUP: board.head.battles if board else None}
        ours[FAIRNESS_GROUP] = fairness.head.battles if fairness else None
        full = board is not None and len(board.head.models) >= most_models
        for fold, other in ((RATINGS_GROUP, FAIRNESS_GROUP), (FAIRNESS_GROUP, RATINGS_GROUP)):
            mine, theirs = ours[fold], ours[other]
            if mine is None or theirs is None or mine >= theirs or full:
                self.outrun.pop(fold, None)
            elif fold in published:
                self.outrun[fold] = now  # it goes on, and is not there yet
            else:
                self.outrun.setdefault(fold, now)

    def stops(self) -> list[dict[str, Any]]:
        """Which folds stand still, and since when; why is the operator's to know."""
        return [{"stage": fold, "since": stopped.since} for fold, stopped in self.stopped.items()]

    def summary(self, arena: str) -> dict[str, Any]:
        """Line of the list of arenas; what only a view would tell that is not there, or cannot be read, is None."""
        overall = self.boards.get(OVERALL)
        return {
            "arena": arena,
            "boards": sorted(self.boards, key=lambda name: (name != OVERALL, name)),
            "votes": overall.head.votes if overall else None,
            "models": len(overall.head.models) if overall else None,
            "as_of": overall.head.as_of if overall else None,
            "declares": self.fairness.head.declares if self.fairness else None,
            "alerts_firing": len(self.alerts.by_id) if self.alerts else None,
            "stopped": self.stops(),
        }


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
