"""The views of every arena as published, what is derived from them once per change, and how old they are. Pure.

A request for something that does not exist is refused, and the refusal names what exists.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import cached_property

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
"""JSON of each line, by the name of its model."""


class _NamedLine(msgspec.Struct):
    model: str


class _PositionPart(msgspec.Struct):
    ledger: int | None = None


class _ViewHead(msgspec.Struct):
    votes: int
    as_of: float | None
    position: _PositionPart
    models: list[msgspec.Raw]
    battles: int | None = None
    declares: bool | None = None
    """`declares` and `judged` are in the fairness view only; None where the worker's version does not publish them."""
    judged: list[Judged] | None = None


class _GroupPart(msgspec.Struct):
    name: str


class _Grouped(msgspec.Struct):
    providers: list[_GroupPart]


class _Placed(msgspec.Struct):
    position: _PositionPart


class _SubjectPart(msgspec.Struct):
    model: str | None = None


class Firing(msgspec.Struct):
    """The fields of a firing alert that are used here."""

    id: str
    subject: _SubjectPart


class _Alerts(msgspec.Struct):
    alerts: list[msgspec.Raw]


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Exceptions raised by reading a view that another version wrote."""

_named = msgspec.json.Decoder(_NamedLine)
_head = msgspec.json.Decoder(_ViewHead)
_grouped = msgspec.json.Decoder(_Grouped)
_placed = msgspec.json.Decoder(_Placed)
_whole = msgspec.json.Decoder(Board)
_UNSAFE = re.compile("[^A-Za-z0-9._-]+")
"""Characters to replace in a file name: names of boards are free text."""
_alerts = msgspec.json.Decoder(_Alerts)
_firing = msgspec.json.Decoder(Firing)


def lines_by_model(raws: list[msgspec.Raw]) -> Lines:
    """Index lines by the name of their model."""
    return {_named.decode(raw).model: raw for raw in raws}


def position_of(text: bytes) -> int | None:
    """Ledger offset up to which a view counts; None when the view has none.

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
        """Raise one of `UNREADABLE` if the board cannot be read. Lines of one version are alike: one is decoded."""
        lines_by_model(self.head.models[:1])

    def ordered(self, rating: Rating) -> Document:
        """The board ordered by one rating; by Bradley-Terry, the published bytes themselves."""
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
        """Raise one of `UNREADABLE` if the view cannot be read."""
        lines_by_model(self.head.models[:1])


class HeldAlerts:
    """The firing alerts, as published."""

    def __init__(self, text: bytes) -> None:
        self.document = Document(text)

    @cached_property
    def by_id(self) -> dict[str, msgspec.Raw]:
        """JSON of each alert by its id, latest start first."""
        return {_firing.decode(raw).id: raw for raw in _alerts.decode(self.document.body).alerts}

    def check(self) -> None:
        """Raise one of `UNREADABLE` if the view cannot be read."""
        self.by_id  # noqa: B018 -- decoded now, and cached

    def of(self, model: str) -> list[msgspec.Raw]:
        """JSON of the alerts about a model."""
        return [raw for raw in self.by_id.values() if _firing.decode(raw).subject.model == model]


FAIRNESS, ALERTS = "the fairness view", "the alerts view"
"""Names of these two views beside those of boards: no board has such a name."""


@dataclass
class HeldArena:
    """All views of one arena."""

    boards: dict[str, HeldBoard] = field(default_factory=dict)
    fairness: HeldFairness | None = None
    alerts: HeldAlerts | None = None
    stopped: dict[str, Stopped] = field(default_factory=dict)
    """Folds that have stopped this arena."""
    unreadable: dict[str, float] = field(default_factory=dict)
    """Views that Redis holds in a form that cannot be read here, and since when in monotonic time: the copy held here,
    if any, is older."""
    outrun: dict[str, float] = field(default_factory=dict)
    """Folds whose view lacks battles that the other fold's view counts, and since when in monotonic time."""

    def ledger_of(self, board: str) -> int | None:
        """Ledger offset up to which a board counts."""
        return self.boards[board].head.position.ledger

    def position(self, board: str) -> int:
        """Ledger offset up to which a board counts, or any view if the name is empty; 0 when none has one."""
        bodies = [each.document.body for name, each in self.boards.items() if board in ("", name)]
        if not board and self.fairness is not None:
            bodies.append(self.fairness.document.body)
        return max((position_of(body) or 0 for body in bodies), default=0)

    @property
    def judged(self) -> list[Judged] | None:
        """Which detectors judge this arena, and why the others do not; None when unknown."""
        return self.fairness.head.judged if self.fairness else None

    def compare(self, published: Iterable[str], now: float, most_models: int) -> None:
        """Compare the two folds' views: both count the same battles, so a view that lacks some is out of date.

        Parameters
        ----------
        published
            Folds whose view has just been taken in.
        now
            Monotonic time.
        most_models
            Number of models from which a board leaves battles out.
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
                self.outrun[fold] = now  # the fold still publishes, but has not caught up
            else:
                self.outrun.setdefault(fold, now)

    def stops(self) -> list[dict[str, object]]:
        """Which folds have stopped the arena, and since when; the cause is for the operator only."""
        return [{"stage": fold, "since": stopped.since} for fold, stopped in self.stopped.items()]

    def summary(self, arena: str) -> dict[str, object]:
        """Line of the list of arenas; a field is None when its view is missing or cannot be read."""
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
"""Maximum of names that an answer lists."""


class Views:
    """Everything that is served.

    Parameters
    ----------
    now
        Monotonic time: the first value of `gone_since`, since when Redis may have newer views. `gone_since` is `None`
        while Redis is followed.
    """

    def __init__(self, now: float) -> None:
        self.arenas: dict[str, HeldArena] = {}
        self.known = False
        """Whether Redis was ever read."""
        self.gone_since: float | None = now
        self.behind: dict[str, float] = {}
        """Arenas with votes that are not on their boards yet, and since when in monotonic time."""
        self.ledger = Ledger()
        self.unshown: set[str] = set()
        """Arenas that a fold has stopped before any view of them was held here."""

    def arena(self, name: str) -> HeldArena:
        """All views of one arena; raises `Refused`."""
        self.require_known()
        found = self.arenas.get(name)
        if found is None and name in self.unshown:
            raise Refused(
                Refusal.UNAVAILABLE, f"arena {name} is stopped, and nothing of it was published", retry_after(60.0)
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
        """The fairness view of an arena, if there is one; raises `Refused`."""
        held = self.arena(arena)
        if held.fairness is None and FAIRNESS in held.unreadable:
            raise unreadable(FAIRNESS, arena)
        return held.fairness

    def alerts(self, arena: str) -> HeldAlerts:
        """The firing alerts of an arena; raises `Refused` without a published view, because nothing was judged then."""
        held = self.arena(arena)
        if held.alerts is None and ALERTS in held.unreadable:
            raise unreadable(ALERTS, arena)  # no answer is better than one that suggests that all is well
        if held.alerts is None:
            raise Refused(
                Refusal.NOT_FOUND, f"no detector has judged arena {arena} yet, so it is unknown whether alerts are due"
            )
        return held.alerts

    def require_known(self) -> None:
        """Raise `Refused` while nothing is known: never read, or Redis is empty and the ledger may not be."""
        if not self.known:
            raise Refused(Refusal.UNAVAILABLE, "Redis is away, and nothing was read from it yet", retry_after(1.0))
        if not self.arenas and self.ledger.may_hold_more:
            what = "nothing is known yet: Redis has no board, and it is unknown whether the ledger is empty"
            raise Refused(Refusal.UNAVAILABLE, what, retry_after(1.0))

    def age(self, now: float) -> float:
        """Seconds for which Redis may have had newer views; 0 while Redis is followed."""
        return 0.0 if self.gone_since is None else max(0.0, now - self.gone_since)

    def staleness(self, now: float, wall: float, arena: str = "", view: str = "") -> float:
        """Seconds for which the held views (or one `view`) may have been out of date.

        Causes: Redis is away, votes are on no board yet, the fold that writes the view has stopped the arena, or Redis
        holds the view in a form that cannot be read here. `wall` is the epoch second of `now`.
        """
        held = self.arenas.get(arena)
        behind = self.behind.get(arena) if arena else min(self.behind.values(), default=None)
        since = (behind, held.unreadable.get(view) if held else None)
        stopped = held.stopped.get(FAIRNESS_GROUP if view in (FAIRNESS, ALERTS) else RATINGS_GROUP) if held else None
        still = max(0.0, wall - stopped.since) if stopped else 0.0
        return max(self.age(now), still, *(0.0 if each is None else now - each for each in since))


def spelled(name: str, known: Container[str]) -> str:
    """The known spelling of a name: as requested, since old ledgers have names as they were sent; else its normal form.

    >>> spelled("cafe\u0301", {"caf\u00e9"}), spelled("cafe\u0301", {"cafe\u0301"}) == "cafe\u0301"
    ('café', True)
    """
    return name if name in known else normalised(name)


def unreadable(what: str, arena: str) -> Refused:
    """Refusal of a view that exists but cannot be read."""
    detail = f"{what} of arena {arena} was published by a worker of another version and cannot be read"
    return Refused(Refusal.UNAVAILABLE, detail, retry_after(60.0))


def missing(what: str, name: str, known: Iterable[str], where: str = "") -> Refused:
    """Refusal of a name that does not exist, with those that do.

    >>> missing("board", "x", {"overall": 1}, " in arena text").detail
    "there is no board 'x' in arena text; there are: overall"
    """
    names = sorted(known)
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return Refused(Refusal.NOT_FOUND, f"there is no {what} {name[:128]!r}{where}; there are: {listed or 'none yet'}")
