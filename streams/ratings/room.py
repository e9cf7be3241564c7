"""Room for real names after a flood of invented ones: when seats are full, the names that are gone give theirs back.

Models that nobody declared, and boards, are limited in number. Without this a flood that once took all seats would keep
real ones out for ever. At the first vote of each day, on the clock of the votes, an arena whose seats are full
drops the undeclared models, and an arena of too many labels the boards, that had no battle in the day before and fewer
than `FEW` at all. Their battles are then on no board and count as unrated; the other models keep theirs, and their Elo.
An arena with free seats drops nothing.

A flood that gives every name `FEW` battles keeps its seats: it needs a hundred times more battles than one with a
battle a name, and `name_flood` tells of both. Declared models have seats of their own and are never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streams.contracts.view import OVERALL

if TYPE_CHECKING:
    from streams.ratings.fold import ArenaLimits, ArenaState

DAY = 86_400.0
FEW = 30
"""A model with so many battles can be ranked, whatever the board's own limit is: at most 30 by default."""


@dataclass(slots=True)
class Seen:
    """Numbers of the models, and names of the boards, with a battle since the day began."""

    models: set[int] = field(default_factory=set)
    boards: set[str] = field(default_factory=set)

    def note(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        """Note the models of battles by number, -1 where a name has no seat."""
        found = np.zeros(max(int(a.max()), int(b.max())) + 2, np.bool_)  # the last is that of number -1
        found[a] = found[b] = True
        self.models.update(np.flatnonzero(found[:-1]).tolist())


def days(tstamp: NDArray[np.float64], clock: float) -> NDArray[np.int64]:
    """Return the rows that begin a day, int64, when the clock of the votes before them was `clock`."""
    if float(tstamp.max()) // DAY <= clock // DAY:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.diff(np.maximum.accumulate(np.append(clock, tstamp)) // DAY))


def make_room(state: ArenaState, limits: ArenaLimits) -> bool:
    """Drop the models and boards that are gone, if seats are full, and begin a day; return whether any was dropped."""
    seen, state.seen = state.seen, Seen()
    gone = set[int]()
    if len(state.strangers) >= limits.models and (absent := state.strangers - seen.models):
        battles = np.zeros(len(state.models), np.int64)
        overall = state.boards[OVERALL]
        met = overall.met
        shown = met.counts.sum(axis=0)
        battles[overall.members] = met.per_model(shown, shown)
        gone = {number for number in absent if battles[number] < FEW}
    boards = [
        name
        for name, board in state.boards.items()
        if len(state.boards) >= limits.boards and name not in seen.boards and board.battles < FEW and name != OVERALL
    ]
    for name in boards:
        del state.boards[name]
    if gone:
        _drop(state, gone)
    return bool(gone or boards)


def _drop(state: ArenaState, gone: set[int]) -> None:
    """Drop models from the dictionary, every board and the history; number the others anew, in order."""
    names = list(state.models)
    kept = np.array([number not in gone for number in range(len(names))])
    number_of = np.where(kept, np.cumsum(kept) - 1, -1)
    overall = state.boards[OVERALL]
    before = overall.battles
    if state.history is not None:
        state.history.drop(kept[overall.members])
    for name, board in list(state.boards.items()):
        board.renumber(number_of)
        if not board.battles and name != OVERALL:
            del state.boards[name]
    state.unrated += before - overall.battles
    state.models = {name: number for number, name in enumerate(name for at, name in enumerate(names) if kept[at])}
    state.strangers = {int(number_of[number]) for number in state.strangers - gone}
