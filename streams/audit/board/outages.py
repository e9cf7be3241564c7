"""Untrue snapshots: mostly zeros, most rows missing, or cut off. They are set aside before the analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from streams.audit.board.dates import iso, many
from streams.audit.board.depth import only_the_top, strength_of
from streams.audit.board.history import History, Mask
from streams.audit.board.remarks import Oddity, Remark, some

MOST = 0.5
"""A snapshot is set aside when more than this part of its known totals is zero, or it has fewer rows than this part."""

LEAST_ROWS = 4
"""A board with fewer rows than this may lose half of them."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The history without untrue snapshots.

    Attributes
    ----------
    history
        The remaining history; totals of zero after votes are NaN, and not listed unless for a single snapshot.
    remarks
        Remarks on what was set aside.
    outage
        If the file ends with untrue snapshots, their first and last date and a sentence about them; else None.
    """

    history: History
    remarks: list[Remark]
    outage: tuple[float, float, str] | None


def set_aside(history: History) -> Cleaned:
    """Drop untrue snapshots, and read single totals that fell to zero as missing."""
    zero = _zeros(history)
    partial = _partial(history, zero)
    remarks = [*_runs(history, zero, Oddity.ZERO_SNAPSHOT), *_runs(history, partial, Oddity.PARTIAL_SNAPSHOT)]
    untrue = zero | partial
    if (missing := _cut_off(history, untrue)) is not None:
        remarks.append(missing)
        untrue[-1] = True
    outage = None
    if untrue.any() and untrue[-1] and not untrue.all():
        start = len(untrue) - int(np.argmax(~untrue[::-1]))
        said = next(each.text for each in remarks if each.until == iso(history.dates[-1]))
        outage = (float(history.dates[start]), float(history.dates[-1]), said)
    kept = history.only(~untrue) if not untrue.all() else history
    had = np.maximum.accumulate(np.nan_to_num(kept.votes), axis=1) > 0
    fallen = had & (kept.votes == 0)
    # A zero in one snapshot is a faulty cell of a listed model; for longer it is how some sources write "gone".
    alone = fallen.copy()
    alone[:, 1:] &= ~fallen[:, :-1]
    alone[:, :-1] &= ~fallen[:, 1:]
    if fallen.any():
        names = [kept.names[each] for each in np.flatnonzero(fallen.any(axis=1))]
        fell = many(int(fallen.sum()), "total")
        text = f"{fell} fell to zero while the rest of the board went on; read as missing rows."
        remarks.append(Remark(Oddity.ZERO_ROWS, text, count=int(fallen.sum()), models=some(names)))
        kept = replace(kept, votes=np.where(fallen, np.nan, kept.votes), listed=kept.listed & ~(fallen & ~alone))
    return Cleaned(kept, remarks, outage)


def _zeros(history: History) -> Mask:
    """bool[T]: snapshots whose totals are mostly zero although there were votes before, or are later."""
    total = np.nansum(history.votes, axis=0)
    if not (total > 0).any():
        return np.zeros(len(total), dtype=bool)
    had = np.maximum.accumulate(np.nan_to_num(history.votes), axis=1) > 0
    known = (had & history.listed).sum(axis=0)
    nothing = (had & history.listed & (history.votes == 0)).sum(axis=0)  # unknown is not zero
    told = (history.listed & ~np.isnan(history.votes)).any(axis=0)
    return np.asarray(told & (total == 0) & ~_start_of_counting(history, total) | (nothing > MOST * known))


def _start_of_counting(history: History, total: np.ndarray) -> Mask:
    """bool[T]: true zeros at the start, from which totals then grow at the arena's usual pace."""
    first = int(np.argmax(total > 0))
    gains = np.diff(total[first:])
    grown = not (gains > 0).any() or total[first] <= 10 * np.median(gains[gains > 0])
    return np.asarray((np.arange(len(total)) < first) & grown)


def _partial(history: History, zero: Mask) -> Mask:
    """bool[T]: snapshots with less than half of the rows of the last whole one; showing only its top is not partial."""
    rows = history.listed.sum(axis=0)
    strength = strength_of(history.score, history.rank, history.place, history.listed)
    partial = np.zeros(len(rows), dtype=bool)
    whole = -1
    for at, count in enumerate(rows):
        if zero[at]:
            continue
        few = whole >= 0 and rows[whole] >= LEAST_ROWS and count < MOST * rows[whole]
        if few and not (strength is not None and only_the_top(strength, history.listed, whole, at)):
            partial[at] = True
        else:
            whole = at
    return partial


def _cut_off(history: History, untrue: Mask) -> Remark | None:
    """Return a remark if the file seems to be cut off within its last snapshot; else None.

    It seems so when the rows of the last date end the file and keep the order of the date before, and the missing rows
    came after all present ones. If the missing models are the weakest, `depth` decides instead: a board may be shown in
    part, or its lowest models may leave.
    """
    before = np.flatnonzero(~untrue[:-1])
    if not len(before) or untrue[-1]:
        return None
    at = int(before[-1])
    now, line = history.listed[:, -1], history.line
    common, missing = now & history.listed[:, at], ~now & history.listed[:, at]
    if common.sum() < LEAST_ROWS or not missing.any() or np.nanmin(line[:, -1]) < np.nanmax(line[:, :-1]):
        return None
    order = line[common, at][np.argsort(line[common, -1])]
    if (np.diff(order) < 0).any() or line[missing, at].min() < order.max():
        return None
    strength = strength_of(history.score, history.rank, history.place, history.listed)
    if strength is not None and not np.nanmax(strength[missing, at]) > np.nanmin(strength[common, at]):
        return None
    date, names = iso(history.dates[-1]), [history.names[each] for each in np.flatnonzero(missing)]
    text = (
        f"The snapshot of {date} ends the file, and its rows end before {many(len(names), 'model')} that stood last"
        " in the one before: the file may be cut off there; set aside."
    )
    return Remark(Oddity.PARTIAL_SNAPSHOT, text, date, date, 1, some(names))


def _runs(history: History, chosen: Mask, kind: Oddity) -> list[Remark]:
    """Return one remark for each run of consecutive snapshots."""
    remarks = []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    for start, end in edges.reshape(-1, 2):
        first, last = iso(history.dates[start]), iso(history.dates[end - 1])
        count = int(end - start)
        when = f"The snapshot of {first} has" if count == 1 else f"{count} snapshots from {first} to {last} have"
        what = (
            "no votes at all where there were votes before: an outage of the feed, not removals; set aside."
            if kind is Oddity.ZERO_SNAPSHOT
            else "less than half of the rows of the one before: an outage of the feed, not removals; set aside."
        )
        remarks.append(Remark(kind, f"{when} {what}", first, last, count))
    return remarks
