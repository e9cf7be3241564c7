"""Absences from the board: in passing, for longer and ended, or for good; what a later listing changes about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.audit.board.depth import Depth
from streams.audit.board.gains import LOOK_BACK, Gains
from streams.audit.board.history import Mask
from streams.audit.board.models import Models
from streams.audit.stops.pauses import Watched

MANY, MANY_PART = 5, 0.05
"""So many models, and this part of the board, that are listed again in one snapshot make a switch of the source."""

RETURNED, RETURNED_PART, RETURNS = 5, 0.2, 3
"""So many models, this part of all, that came back in so many snapshots: the rows of the file come and go."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A stretch of snapshots without a model that was listed before. Snapshots by their number.

    Attributes
    ----------
    model
        Its number.
    last, found, back
        Last snapshot with it; first without it that would have shown it; first with it again, None until now.
    gained
        Votes its total grew by in between; None while it lasts, and where unknown.
    ran_before, ran_after
        Whether it was getting votes at `last`, and whether it ever did again from `back` on.
    """

    model: int
    last: int
    found: int
    back: int | None
    gained: float | None
    ran_before: bool
    ran_after: bool

    @property
    def passing(self) -> bool:
        """Whether it was short and has ended."""
        return self.back is not None and self.back - self.last - 1 <= LOOK_BACK


@dataclass(frozen=True, slots=True)
class Absences:
    """All absences in which the models would have been shown.

    Attributes
    ----------
    every
        In order of model and date.
    departure
        Of each model the one that it has not ended by running again; None without one.
    switches
        Snapshots in which the source began to list many models of the past again.
    doubtful
        Whether so many come and go in rows that nothing orders that the file may be cut anywhere: no absence is a
        departure then.
    """

    every: list[Absence]
    departure: list[Absence | None]
    switches: list[int]
    doubtful: bool

    @property
    def ended(self) -> list[Absence]:
        """Absences that were more than passing, and after which the model was listed again; not departures."""
        left = {(each.model, each.last) for each in self.departure if each is not None}
        return [each for each in self.every if each.back and not each.passing and (each.model, each.last) not in left]


def absences_of(models: Models, gains: Gains, watched: Watched, depth: Depth) -> Absences:
    """Find every absence, and judge which of them stand."""
    running = _ran(watched)
    every = [
        each
        for model in range(len(models.names))
        for each in _of(model, models, gains, watched.running, running, depth)
    ]
    again: dict[int, int] = {}
    for each in every:
        if each.back is not None and not each.passing and not each.ran_after:
            again[each.back] = again.get(each.back, 0) + 1
    listed = models.listed.sum(axis=0)
    switches = sorted(at for at, count in again.items() if count >= max(MANY, MANY_PART * listed[at]))
    departure: list[Absence | None] = [None] * len(models.names)
    doubtful = not depth.judged and _come_and_go(every, len(models.names))
    for each in [] if doubtful else every:
        before = departure[each.model]
        if before is not None and before.back is not None and running[each.model, before.back : each.last + 1].any():
            before = None
        departure[each.model] = before or (None if each.passing else each)
    for model, absence in enumerate(departure):
        if absence is not None and not _stands(absence, running, switches):
            departure[model] = None
    return Absences(every, departure, switches, doubtful)


def _come_and_go(every: list[Absence], models: int) -> bool:
    """Whether many models returned, one by one and not because of one outage or switch of the source."""
    back = [(each.model, each.back) for each in every if each.back is not None]
    who, when = {model for model, _ in back}, {at for _, at in back}
    return len(who) >= max(RETURNED, RETURNED_PART * models) and len(when) >= RETURNS


def _ran(watched: Watched) -> Mask:
    """bool[M, T]: running as known in the end: not in a silence that was found later, or that goes on."""
    ran = watched.running.copy()
    for pause in watched.pauses:
        ran[pause.model, pause.begin + 1 : None if pause.end is None else pause.end + 1] = False
    for model in np.flatnonzero(watched.silent_since >= 0):
        ran[model, watched.silent_since[model] + 1 :] = False
    return ran


def _of(model: int, models: Models, gains: Gains, running: Mask, ran: Mask, depth: Depth) -> list[Absence]:
    at = np.flatnonzero(models.listed[model])
    end = len(models.dates)
    found = []
    for last, back in zip(at, [*at[1:], end], strict=True):
        seen = np.flatnonzero(~depth.unseen[model, last + 1 : back])
        if not seen.size:
            continue
        grown = _grown(gains, model, int(last), int(back)) if back < end else None
        found.append(
            Absence(
                model=model,
                last=int(last),
                found=int(last + 1 + seen[0]),
                back=int(back) if back < end else None,
                gained=grown,
                ran_before=bool(running[model, last]),
                ran_after=bool(ran[model, back:].any()),
            )
        )
    return found


def _grown(gains: Gains, model: int, last: int, back: int) -> float | None:
    if gains.begin[model, back] != last or gains.reset[model, back]:
        return None
    return float(gains.change[model, back])


def _stands(absence: Absence, running: Mask, switches: list[int]) -> bool:
    """Whether a departure is one although the model may be listed again.

    One that ran before and never again has only been put on a list of the past. One that never ran is taken for that
    when many are listed again at once.
    """
    if absence.back is None:
        return True
    ran = bool(running[absence.model, : absence.last + 1].any())
    return not absence.ran_after and (ran or absence.back in switches)
