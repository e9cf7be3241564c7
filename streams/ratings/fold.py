"""The ratings fold: ledger records in, an arena's counts out. Pure, and a function of the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.contracts.history import TIERS
from streams.contracts.model import Model
from streams.contracts.view import OVERALL, category_board, language_board
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from streams.ledger.watermark import Watermark, count_rows, is_new, unknown_rows
from streams.ratings.counts import BoardCounts
from streams.ratings.elo import Kernel
from streams.ratings.history import RatingsHistory
from streams.ratings.room import Seen, days, make_room

_EVERY_TIER = frozenset(tier.name for tier in TIERS)


@dataclass(frozen=True, slots=True)
class ArenaLimits:
    """Limits of an arena's size: a flood of invented names must not fill the memory or displace other models.

    Attributes
    ----------
    models
        Maximum number of undeclared models, and separately of declared ones.
    boards
        Maximum number of boards.
    """

    models: int = 2_000
    boards: int = 200


@dataclass(slots=True)
class ArenaState:
    """The state of one arena; a function of its ledger records before `position`.

    Attributes
    ----------
    models
        Dictionary of model names, in order of first appearance.
    boards
        Counts by board name.
    watermark
        Highest source offset counted, by `topic/partition`: rows at or below it were counted.
    registry
        The arena's declarations of its models.
    position
        Offset of the next ledger record to fold.
    recorded
        Newest record time counted, epoch milliseconds; 0 before the first vote.
    tstamp
        Newest vote time counted, epoch seconds.
    unrated
        Votes on models beyond the limit.
    strangers
        Numbers of the models that count against the limit of undeclared ones: not declared since they were numbered.
    seen
        Models and boards with a battle since the day began.
    history
        Ratings over time; None where they are not needed.
    """

    arena: str
    models: dict[str, int] = field(default_factory=dict)
    boards: dict[str, BoardCounts] = field(default_factory=dict)
    watermark: Watermark = field(default_factory=dict)
    registry: dict[str, Model] = field(default_factory=dict)
    position: int = 0
    recorded: int = 0
    tstamp: float = 0.0
    unrated: int = 0
    strangers: set[int] = field(default_factory=set)
    seen: Seen = field(default_factory=Seen)
    history: RatingsHistory | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """Result of folding a record: rows counted, rows dropped as known, changed boards, history tiers that changed, and
    boards that are no more (see `streams.ratings.room`).
    """

    counted: int
    dropped: int
    changed: frozenset[str]
    sampled: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def fold(state: ArenaState, record: Block | Notice, limits: ArenaLimits, play: Kernel, now: float = 0.0) -> Folded:
    """Fold one ledger record of the state's arena; rows at or below the watermark are dropped.

    `now`, epoch seconds, only decides which samples of the finer tiers to skip; see `streams.ratings.history`.
    """
    if isinstance(record, Notice):
        return _declare(state, record)
    rows = unknown_rows(record, state.watermark)
    dropped = len(record.rows) - len(rows)
    before = frozenset(state.boards)
    changed, sampled = _follow(state, rows, limits, play, now) if len(rows) else (frozenset[str](), frozenset[str]())
    count_rows(record, state.watermark)
    exist = frozenset(state.boards)
    return Folded(len(rows), dropped, changed & exist, sampled, (before | changed) - exist)


def _declare(state: ArenaState, notice: Notice) -> Folded:
    if not is_new(notice, state.watermark):
        return Folded(0, 1, frozenset())
    if notice.model is None:
        state.registry.pop(notice.name, None)
    else:
        state.registry[notice.name] = notice.model
        state.strangers.discard(state.models.get(notice.name, -1))
    # Every board that shows the model shows its provider.
    number = state.models.get(notice.name)
    shown = frozenset(name for name, board in state.boards.items() if number in board.members)
    return Folded(0, 0, shown)


def _follow(
    state: ArenaState, rows: Rows, limits: ArenaLimits, play: Kernel, now: float
) -> tuple[frozenset[str], frozenset[str]]:
    """Count rows and sample the ratings where a step of the history ends; returns the boards and tiers that changed."""
    history = state.history
    if history is None:
        return _count_days(state, rows, limits, play)
    at, changed, sampled = 0, frozenset[str](), frozenset[str]()
    for cut in history.cuts(rows, state.tstamp, state.recorded, now):
        if cut.row > at:
            counted, dropped = _count_days(state, rows.take(slice(at, cut.row)), limits, play)
            changed, sampled, at = changed | counted, sampled | dropped, cut.row
        if OVERALL in state.boards:
            sampled |= history.sample(state.boards[OVERALL], state.models, cut, state.recorded)
    counted, dropped = _count_days(state, rows.take(slice(at, None)) if at else rows, limits, play)
    return changed | counted, sampled | dropped


def _count_days(
    state: ArenaState, rows: Rows, limits: ArenaLimits, play: Kernel
) -> tuple[frozenset[str], frozenset[str]]:
    """Count rows, and make room where a day begins; returns the boards and the tiers of the history that changed."""
    begins = days(rows.tstamp, state.tstamp)
    if not begins.size:
        return _count(state, rows, limits, play), frozenset()
    changed, tiers = frozenset[str](), frozenset[str]()
    for start, end in pairwise([0, *begins.tolist(), len(rows)]):
        if end == start:
            continue  # the first row begins a day
        if start in begins and make_room(state, limits):
            changed, tiers = changed | frozenset(state.boards), _EVERY_TIER
        changed |= _count(state, rows.take(slice(start, end)), limits, play)
    return changed, tiers


def _count(state: ArenaState, rows: Rows, limits: ArenaLimits, play: Kernel) -> frozenset[str]:
    state.recorded = max(state.recorded, int(rows.recorded.max()))
    state.tstamp = max(state.tstamp, float(rows.tstamp.max()))
    numbers = _numbers(state, rows, limits.models)
    a, b, winner = numbers[rows.model_a], numbers[rows.model_b], rows.winner
    state.seen.note(a, b)
    rated = (a >= 0) & (b >= 0)
    if not rated.all():
        state.unrated += int((~rated).sum())
        a, b, winner, rows = a[rated], b[rated], winner[rated], rows.take(rated)
        if not len(rows):
            return frozenset()
    changed = set()
    for name, chosen in _labels(rows):
        board = state.boards.get(name)
        if board is None:
            if len(state.boards) >= limits.boards:
                continue
            board = state.boards[name] = BoardCounts()
        board.add(a[chosen], b[chosen], winner[chosen], play)
        changed.add(name)
        state.seen.boards.add(name)
    return frozenset(changed)


def _numbers(state: ArenaState, rows: Rows, limit: int) -> NDArray[np.int64]:
    """Return the number of each dictionary word, -1 beyond the limits; new models are numbered in order of the rows."""
    models, strangers = state.models, state.strangers
    numbers = np.array([models.get(name, -1) for name in rows.models], np.int64)
    if numbers.min() < 0 and len(models) < 2 * limit:
        named = np.stack([rows.model_a, rows.model_b], axis=1).ravel()
        for word in dict.fromkeys(named[numbers[named] < 0].tolist()):
            declared = rows.models[word] in state.registry
            if (len(models) - len(strangers) if declared else len(strangers)) < limit:
                numbers[word] = number = len(models)
                models[rows.models[word]] = number
                if not declared:
                    strangers.add(number)
    return numbers


def _labels(rows: Rows) -> list[tuple[str, NDArray[np.int64] | slice]]:
    """Return the boards that the rows belong to, each with its rows, in order.

    Boards are ordered by their first row: which boards exceed the limit must not depend on where a block was cut.
    """
    labels: list[tuple[str, NDArray[np.int64]]] = []
    if rows.language is not None:
        labels += [(language_board(rows.languages[code]), rows_of) for code, rows_of in _groups(rows.language) if code]
    if rows.categories is not None:
        of_category: dict[str, list[NDArray[np.int64]]] = {}
        for code, rows_of in _groups(rows.categories):
            for category in rows.category_sets[code]:
                of_category.setdefault(category, []).append(rows_of)
        labels += [
            (category_board(category), parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts)))
            for category, parts in sorted(of_category.items())
        ]
    labels.sort(key=lambda label: int(label[1][0]))
    return [(OVERALL, slice(None)), *labels]


def _groups(codes: NDArray[np.int32]) -> list[tuple[int, NDArray[np.int64]]]:
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return [(int(codes[part[0]]), part) for part in np.split(order, starts[1:])]
