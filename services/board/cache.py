"""What is held of one arena: each view as published, and what is asked of it, made once per change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from services.board.document import Document
from services.board.ordering import Rating, reorder
from services.export.official import csv_of, day_of, rows_of
from streams.contracts.judged import Judged
from streams.contracts.stopped import Stopped
from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP
from streams.contracts.view import OVERALL, Board

Lines = dict[str, msgspec.Raw]
"""JSON of a line by the name of its model."""


class _Named(msgspec.Struct):
    model: str


class _Position(msgspec.Struct):
    ledger: int | None = None


class _Head(msgspec.Struct):
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

_named = msgspec.json.Decoder(_Named)
_head = msgspec.json.Decoder(_Head)
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
    def head(self) -> _Head:
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
    def head(self) -> _Head:
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
