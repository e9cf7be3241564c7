"""Absences from the board: passing, longer but ended, or for good; and the effect of a later listing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.audit.board.depth import Depth
from streams.audit.board.gains import LOOK_BACK, Gains
from streams.audit.board.history import Mask
from streams.audit.board.models import Models
from streams.audit.stops.pauses import StopResults

MANY, MANY_PART = 5, 0.05
"""At least this many models, and this part of the board, listed again in one snapshot are a switch of the source."""

RETURNED, RETURNED_PART, RETURNS = 5, 0.2, 3
"""At least this many models, and this part of all, back in at least this many snapshots: rows come and go."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A run of snapshots without a model that was listed before. Snapshots are given by number.

    Attributes
    ----------
    model
        Number of the model.
    last, found, back
        Last snapshot with the model; first without it that would have shown it; first with it again, None if there is
        none.
    gained
        Growth of its total in votes during the absence; None while the absence lasts, and where unknown.
    ran_before, ran_after
        Whether the model was getting votes at `last`, and whether it ever did again from `back` on.
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
        """Whether the absence was short and has ended."""
        return self.back is not None and self.back - self.last - 1 <= LOOK_BACK


@dataclass(frozen=True, slots=True)
class Absences:
    """All absences from snapshots that would have shown the model.

    Attributes
    ----------
    every
        All absences, in order of model and date.
    departure
        For each model the absence that it has not ended by running again; None without one.
    switches
        Snapshots in which the source began to list many past models again.
    doubtful
        Whether many models come and go and nothing orders the rows, so that the file may be cut anywhere; then no
        absence is a departure.
    """

    every: list[Absence]
    departure: list[Absence | None]
    switches: list[int]
    doubtful: bool

    @property
    def ended(self) -> list[Absence]:
        """Absences that were longer than passing and after which the model was listed again; without departures."""
        left = {(each.model, each.last) for each in self.departure if each is not None}
        return [each for each in self.every if each.back and not each.passing and (each.model, each.last) not in left]


def absences_of(models: Models, gains: Gains, watched: StopResults, depth: Depth) -> Absences:
    """Find every absence, and decide which are departures."""
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
    """Whether many models returned at different times, not because of one outage or switch of the source."""
    back = [(each.model, each.back) for each in every if each.back is not None]
    who, when = {model for model, _ in back}, {at for _, at in back}
    return len(who) >= max(RETURNED, RETURNED_PART * models) and len(when) >= RETURNS


def _ran(watched: StopResults) -> Mask:
    """bool[M, T]: running, as known at the end of the file: without silences that were found later or still last."""
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
    """Whether an absence is a departure although the model may be listed again.

    A model that ran before and never after is now only listed as a past model. A model that never ran is taken for a
    past model when many are listed again at once.
    """
    if absence.back is None:
        return True
    ran = bool(running[absence.model, : absence.last + 1].any())
    return not absence.ran_after and (ran or absence.back in switches)
