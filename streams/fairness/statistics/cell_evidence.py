"""Evidence and alarms of cells: Shiryaev-Roberts sums that are updated only where battles were counted.

A *cell* is one thing that is tested: a model, a model in one stratum, the arena. Detectors that look at single battles
add the log e-values of each battle to the `gain` of its cells, in the order of the ledger, so that block boundaries
change no bit. A closing tick updates the cells that had `ENOUGH` battles since their last update,

    R_b ← (R_b + dt) e^ℓ_b,   M = mean over bets b of R_b,   dt = battles since this cell's last update / tick_battles,

so a cell without a battle costs nothing, and E R ≤ t in ticks as for cells that are updated at every tick: see
`streams.fairness.statistics.shiryaev_roberts`, whose `step` this is.

Every bet belongs to one *way* of being wrong (too few, too many, ...). Each way has two more sums of gains, both of a
deviation that is smaller than every bet's: the CUSUM of the first estimates the onset; the second bets that an alarm
of this way is over, against the null that it lasts, and resolves a held alarm (see `share_alarm` for why this is a
CUSUM, too). No deviation both raises an alarm and resolves it.

Columns of `gain`: B bets, then W onsets, then W recoveries. Every two ways share one *feature*, a count that people
can read (appearances, wins, ...), with its expected value: way w counts feature w // 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.statistics.expected_share import Vector
from streams.fairness.statistics.shiryaev_roberts import step

Matrix = NDArray[np.float64]
Numbers = NDArray[np.int64]
FREE, WARNED, PAGED = 0, 1, 2
ENOUGH = 4
"""Battles of a cell that an update waits for: it saves most updates of rare models, and an alarm takes about thirty."""


class Levels(NamedTuple):
    """Levels of alarms: log M of a warning and of a page, and the CUSUM of recovery that resolves a held alarm."""

    warning: float
    page: float
    recovery: float


class Ends(NamedTuple):
    """The ends of T ticks: int64[T] rows of battles given with them, int64[T] battles of the arena, float64[T] clock.

    `size` is the number of battles in a tick.
    """

    place: Numbers
    row: Numbers
    time: Vector
    size: float


@dataclass(slots=True)
class Cells:
    """State of C cells with B bets, W ways and F features.

    Attributes
    ----------
    ways
        int64[B], the way of each bet.
    total
        float64[C, B], R.
    gain
        float64[C, B + 2 W], log e-values since the last update.
    waiting
        int64[C], battles counted since.
    updated
        int64[C], battles of the arena at the last update.
    onset
        float64[C, W], the CUSUM of each way.
    since_row, since_time, since_trials, since_seen, since_due
        [C, W], battles, clock, and the counts below when that CUSUM was last at most 1.
    trials, seen, due
        float64[C], float64[C, F], float64[C, F]: the cell's battles, and its observed and expected features.
    log_e
        float64[C], log M at the last update.
    held, way
        int8[C], the alarm held (`FREE`, `WARNED`, `PAGED`) and its way.
    recovery, peak
        float64[C], the CUSUM of recovery, and the largest log M of a held alarm.
    from_row, from_time, from_trials, from_seen, from_due
        [C], the onset of a held alarm.
    """

    ways: Numbers
    total: Matrix
    gain: Matrix
    waiting: Numbers
    updated: Numbers
    onset: Matrix
    since_row: Numbers
    since_time: Matrix
    since_trials: Matrix
    since_seen: Matrix
    since_due: Matrix
    trials: Vector
    seen: Matrix
    due: Matrix
    log_e: Vector
    held: NDArray[np.int8]
    way: NDArray[np.int8]
    recovery: Vector
    peak: Vector
    from_row: Numbers
    from_time: Vector
    from_trials: Vector
    from_seen: Vector
    from_due: Vector
    highest: float = 0.0

    @classmethod
    def start(cls, ways: tuple[int, ...], cells: int = 0) -> Cells:
        """Return the state of `cells` cells whose bets are of these ways, numbered from 0."""
        bets, kinds = len(ways), max(ways) + 1
        features = (kinds + 1) // 2
        by_way, whole = (cells, kinds), np.zeros(cells)
        return cls(
            ways=np.array(ways, np.int64),
            total=np.zeros((cells, bets)),
            gain=np.zeros((cells, bets + 2 * kinds)),
            waiting=np.zeros(cells, np.int64),
            updated=np.zeros(cells, np.int64),
            onset=np.ones(by_way),
            since_row=np.zeros(by_way, np.int64),
            since_time=np.zeros(by_way),
            since_trials=np.zeros(by_way),
            since_seen=np.zeros(by_way),
            since_due=np.zeros(by_way),
            trials=whole.copy(),
            seen=np.zeros((cells, features)),
            due=np.zeros((cells, features)),
            log_e=whole.copy(),
            held=np.zeros(cells, np.int8),
            way=np.zeros(cells, np.int8),
            recovery=np.ones(cells),
            peak=whole.copy(),
            from_row=np.zeros(cells, np.int64),
            from_time=whole.copy(),
            from_trials=whole.copy(),
            from_seen=whole.copy(),
            from_due=whole.copy(),
        )

    def __len__(self) -> int:
        return len(self.trials)

    def resize(self, cells: int) -> None:
        """Add cells at the end; `reset` them where their test begins."""
        more = cells - len(self)
        if more <= 0:
            return
        fresh = Cells.start(tuple(self.ways.tolist()), more)
        for name in _PER_CELL:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(fresh, name)]))

    def reorder(self, places: Numbers) -> None:
        """Put the cell of `places[n]` at place n."""
        for name in _PER_CELL:
            setattr(self, name, getattr(self, name)[places])

    def close(self, row: int, time: float, tick_battles: int) -> None:
        """Update the cells with enough battles since their last update; `row` and `time` are the end of the tick."""
        self.highest, _ = close_tick(self.arrays, row, float(time), float(tick_battles), _NEVER)

    @property
    def arrays(self) -> CellArrays:
        """The arrays, for compiled functions."""
        return CellArrays(
            self.ways, self.total, self.gain, self.waiting, self.updated, self.onset,
            self.since_row, self.since_time, self.since_trials, self.since_seen, self.since_due,
            self.trials, self.seen, self.due, self.log_e, self.held, self.way, self.recovery, self.peak,
        )  # fmt: skip

    def near(self, levels: Levels) -> bool:
        """Whether a cell's log M is at a level that its alarm is below: the next tick may raise it."""
        if not self.log_e.size or self.log_e.max() < levels.warning:
            return False
        free, warned = self.held == FREE, self.held == WARNED
        return bool(((self.log_e >= levels.warning) & free | (self.log_e >= levels.page) & warned).any())

    def reset(self, chosen: NDArray[np.integer] | NDArray[np.bool_], row: int, time: float) -> None:
        """Set cells to the initial state, without an alarm, from this place on."""
        for array in (self.total, self.gain, self.log_e, self.peak):
            array[chosen] = 0.0
        self.waiting[chosen] = 0
        self.updated[chosen] = row
        self.onset[chosen], self.recovery[chosen] = 1.0, 1.0
        self.held[chosen], self.way[chosen] = FREE, 0
        self.since_row[chosen], self.since_time[chosen] = row, time
        self.since_trials[chosen] = self.trials[chosen][..., None]
        feature = np.arange(self.onset.shape[1]) // 2
        self.since_seen[chosen] = self.seen[chosen][..., feature]
        self.since_due[chosen] = self.due[chosen][..., feature]

    def above(self, level: float, below: int) -> list[int]:
        """Cells whose log M is at the level and whose alarm is lower than `below`."""
        if self.highest < level:
            return []
        found: list[int] = np.flatnonzero((self.log_e >= level) & (self.held < below)).tolist()
        return found

    def recovered(self, level: float) -> list[int]:
        """Cells with a held alarm whose evidence of recovery has reached the level."""
        if not np.count_nonzero(self.held):  # 10x faster than any(), and this runs every tick
            return []
        found: list[int] = np.flatnonzero((self.held != FREE) & (self.recovery >= level)).tolist()
        return found

    def hold(self, cell: int, severity: int) -> None:
        """Hold an alarm, or raise a warning to a page; a new alarm is of the way of the bet with the most evidence."""
        if self.held[cell] == FREE:
            way = self.leading(cell)
            self.way[cell] = way
            for name in ("row", "time", "trials", "seen", "due"):
                getattr(self, f"from_{name}")[cell] = getattr(self, f"since_{name}")[cell, way]
            self.recovery[cell], self.peak[cell] = 1.0, self.log_e[cell]
        self.held[cell] = severity

    def leading(self, cell: int) -> int:
        """The way of the bet with the most evidence."""
        return int(self.ways[int(np.argmax(self.total[cell]))])

    def counted(self, cell: int) -> tuple[float, float, float]:
        """Battles, observed and expected feature of a held alarm, since its onset."""
        feature = int(self.way[cell]) // 2
        return (
            float(self.trials[cell] - self.from_trials[cell]),
            float(self.seen[cell, feature] - self.from_seen[cell]),
            float(self.due[cell, feature] - self.from_due[cell]),
        )


_PER_CELL = tuple(name for name in Cells.__dataclass_fields__ if name not in ("ways", "highest"))


class CellArrays(NamedTuple):
    """Arrays of `Cells`, by their names."""

    ways: Numbers
    total: Matrix
    gain: Matrix
    waiting: Numbers
    updated: Numbers
    onset: Matrix
    since_row: Numbers
    since_time: Matrix
    since_trials: Matrix
    since_seen: Matrix
    since_due: Matrix
    trials: Vector
    seen: Matrix
    due: Matrix
    log_e: Vector
    held: NDArray[np.int8]
    way: NDArray[np.int8]
    recovery: Vector
    peak: Vector


_NEVER = Levels(math.inf, math.inf, math.inf)


@njit(cache=True)
def close_tick(cells, row, time, tick_battles, levels):  # type: ignore[no-untyped-def]
    """Update the cells with enough battles.

    Returns
    -------
    highest : float
        The largest log M of those that were updated, at least 0.
    near : bool
        Whether one of them reached a level that its alarm is below, or its recovery from a held alarm.
    """
    bets, kinds, highest, near = cells.total.shape[1], cells.onset.shape[1], 0.0, False
    for cell in range(len(cells.waiting)):
        if cells.waiting[cell] < ENOUGH:
            continue
        cells.waiting[cell] = 0
        dt = (row - cells.updated[cell]) / tick_battles
        cells.updated[cell] = row
        total, gain, held = cells.total[cell], cells.gain[cell], cells.held[cell]
        mean = 0.0
        for bet in range(bets):
            total[bet], _ = step(total[bet], 1.0, gain[bet], dt)
            mean += total[bet] / bets
        log_e = np.log(mean) if mean > 0.0 else -np.inf
        cells.log_e[cell] = log_e
        highest = max(highest, log_e)
        near = near or (log_e >= levels.warning and held == FREE) or (log_e >= levels.page and held == WARNED)
        for kind in range(kinds):
            _, cells.onset[cell, kind] = step(0.0, cells.onset[cell, kind], gain[bets + kind], dt)
            if cells.onset[cell, kind] <= 1.0:
                cells.since_row[cell, kind] = row
                cells.since_time[cell, kind] = time
                cells.since_trials[cell, kind] = cells.trials[cell]
                cells.since_seen[cell, kind] = cells.seen[cell, kind // 2]
                cells.since_due[cell, kind] = cells.due[cell, kind // 2]
        if held:
            back = gain[bets + kinds + cells.way[cell]]
            _, cells.recovery[cell] = step(0.0, cells.recovery[cell], back, dt)
            cells.peak[cell] = max(cells.peak[cell], log_e)
            near = near or cells.recovery[cell] >= levels.recovery
        gain[:] = 0.0
    return highest, near
