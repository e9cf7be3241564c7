"""Calm ticks: most ticks raise and resolve nothing, and then every detector can run a whole stretch of them at once.

In such a tick no detector influences another, so the order in which `tick_update.close` asks them does not matter, and
a detector needs one call for all ticks of a stretch instead of several for each. Whether a stretch is calm is known
only afterwards: each detector runs it and says whether any evidence reached a level in any tick of it. If so, what
they changed is put back, and the ticks are run one by one. Both ways add the same numbers in the same order, so no bit
depends on which was taken.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import numpy as np

from streams.fairness.arena.declared_pairs import PairTally
from streams.fairness.arena.stretch import Stretch
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.cell_evidence import Ends, Levels
from streams.fairness.tick_update import note

FEWEST = 2
"""Ticks in a row from which it pays to run them at once."""
Copies = list[tuple[object, str, Any]]


def run(state: ArenaFairness, stretch: Stretch, battles: RowBattles) -> int:
    """Run the full ticks of a stretch if all of them are calm.

    Parameters
    ----------
    stretch, battles
        Exposures from the current place in the ledger on.

    Returns
    -------
    Ticks that were run, or 0 when nothing was changed.
    """
    facts = state.scene.facts
    settings, full = state.scene.settings, stretch.full
    if (facts.shares.usual.paused < 0).any() and (facts.rows + stretch.ends[full - 1]) % settings.review_battles == 0:
        full -= 1  # parts of alerts are looked at again when a review ends
    if full < FEWEST or facts.outage or stretch.late or facts.late:
        return 0
    before = _copies_of(state)
    if _run(state, stretch, full, battles):
        return full
    for holder, name, value in before:
        setattr(holder, name, value)
    state.scene.play.tables.clear()  # what was derived from states that are no more
    return 0


def _run(state: ArenaFairness, stretch: Stretch, full: int, battles: RowBattles) -> bool:
    """Run that many full ticks; return whether they were calm. If not, the state is left in the middle."""
    scene, facts, play = state.scene, state.scene.facts, state.scene.play
    place = stretch.ends[:full]
    hits, counted, votes = stretch.hits[:full].copy(), stretch.battles[:full].copy(), stretch.votes[:full].copy()
    hits[0] += facts.tick_hits
    counted[0] += facts.tick_battles
    votes[0] += facts.tick_votes
    pairs = PairTally()
    for tally in (facts.pairs, *(stretch.pairs[tick] for tick in range(full) if tick in stretch.pairs)):
        pairs.add(tally)

    ends = Ends(place, facts.rows + place, stretch.clock[:full], float(scene.settings.tick_battles))
    seen, due = note(facts, play, hits, counted, ends.row, ends.time)
    levels = Levels(scene.warning_level, scene.page_level, scene.settings.recovery_level)
    # A model with the evidence of a page has been told as a drift, or is part of one: it may turn out to be gone.
    watch = np.flatnonzero(play.active & (play.pi_play > 0) & (facts.shares.log_m >= levels.page))
    if scene.declares:
        at = ends.row, ends.time, seen, due
        log_m, since = facts.shares.run(scene.settings, play, hits[:, 2], counted[:, 2], at, learns=True, watch=watch)
    else:
        log_m, since = np.broadcast_to(facts.shares.log_m, seen.shape), np.zeros((2, full, 0))
    ticks = Ticks(
        battles.tick(0, int(place[-1])), ends, hits, counted, votes, seen, due, log_m, watch, since, pairs, levels
    )
    if not all(detector.calm(kept, scene, ticks) for detector, kept in state.states.at_tick):
        return False
    facts.past.note_all(ends, seen, due)
    facts.rows, facts.clock = int(ends.row[-1]), float(ends.time[-1])
    facts.finished += int(stretch.votes[:full].sum())
    facts.tick_votes = 0
    facts.tick_hits.fill(0.0)
    facts.tick_battles.fill(0.0)
    facts.pairs = PairTally()
    return True


def _copies_of(state: ArenaFairness) -> Copies:
    """Copies of all that a stretch of calm ticks changes before it is known to be calm."""
    copies: Copies = []
    facts = state.scene.facts
    for name in ("seen", "due", "last_row", "last_time"):
        copies.append((facts, name, getattr(facts, name).copy()))
    for name in ("current", "total"):
        copies.append((facts.window, name, getattr(facts.window, name).copy()))
    _copy(facts.shares, copies)
    for _, kept in state.states.at_tick:
        _copy(kept, copies)
    return copies


def _copy(state: Any, copies: Copies) -> None:
    """Copy the arrays and numbers of a state and of the states in it; dicts and lists do not change in calm ticks."""
    arrays, numbers, parts = _FIELDS.get(type(state)) or _fields(state)
    for name in arrays:
        copies.append((state, name, getattr(state, name).copy()))
    for name in numbers:
        copies.append((state, name, getattr(state, name)))
    for name in parts:
        value = getattr(state, name)
        copies.append((state, name, value))
        _copy(value, copies)


_FIELDS: dict[type, tuple[list[str], list[str], list[str]]] = {}


def _fields(state: Any) -> tuple[list[str], list[str], list[str]]:
    """Names of a state's arrays, numbers, and states in it; they are the same for all states of a type."""
    found: tuple[list[str], list[str], list[str]] = [], [], []
    for name in state.__dataclass_fields__ if is_dataclass(state) else ():
        value = getattr(state, name)
        for names, kind in zip(found, (np.ndarray, int | float, object), strict=True):
            if isinstance(value, kind) and (kind is not object or is_dataclass(value)):
                names.append(name)
                break
    _FIELDS[type(state)] = found
    return found
