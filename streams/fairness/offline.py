"""Detectors without a worker: run all of them on a recorded ledger, or test shares on counts alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.contracts.alert import Alert
from streams.fairness.detectors.silent_removal import BETS
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.cusum import Cusum, Mark, Odds
from streams.ledger.codec import Block, Notice

DELTA = FairnessSettings().delta


def find_alerts(records: Iterable[Block | Notice], settings: FairnessSettings | None = None) -> list[Alert]:
    """Run all detectors on the ledger records of one or more arenas.

    Parameters
    ----------
    records
        Blocks of votes and notices that declare models, in ledger order. A simulation yields such a sequence.
    settings
        Settings of every arena; the defaults when None.

    Returns
    -------
    The last emitted version of each alert, in the order of detection.
    """
    states: dict[str, ArenaFairness] = {}
    last: dict[str, Alert] = {}
    for record in records:
        if record.arena not in states:
            states[record.arena] = ArenaFairness.start(record.arena, settings or FairnessSettings())
        for alert in fold(states[record.arena], record):
            last[alert.id] = alert
    return sorted(last.values(), key=lambda alert: (alert.detected_at, alert.id))


def share_evidence(
    hits: ArrayLike, battles: ArrayLike, declared: ArrayLike, *, bets: ArrayLike = BETS, delta: float = DELTA
) -> NDArray[np.float64]:
    """Test, tick by tick, whether S models still get their declared shares of the battles.

    This is the e-CUSUM of the detectors `silent_removal` and `share_drift`, without their rules for when an alert ends.

    Parameters
    ----------
    hits
        [T, S], battles with each model in each tick.
    battles
        [T], battles in each tick.
    declared
        [S], declared share of battles of each model, from 0 to 1; a share of 0 is not tested.
    bets
        [R], multipliers of the declared share to bet on; the defaults are those of `silent_removal`.
    delta
        A share within ± this part of the declared one is not a deviation.

    Returns
    -------
    float64[T, S], log10 of the evidence at the end of each tick. While a model gets its share, on average at least c
    ticks pass before the evidence first reaches c.

    Raises
    ------
    ValueError
        When shapes do not match, a share is outside 0 to 1, or hits are outside 0 to the tick's battles.

    Examples
    --------
    A model declared for every fifth battle: as often as declared in one tick of 100 battles, then in none.

    >>> share_evidence([[20], [0], [0]], [100, 100, 100], [0.2]).round(1).ravel().tolist()
    [-13.0, 7.2, 14.5]
    """
    seen, total, pi = np.asarray(hits, np.float64), np.asarray(battles, np.float64), np.asarray(declared, np.float64)
    if seen.ndim != 2 or total.shape != seen.shape[:1] or pi.shape != seen.shape[1:]:
        raise ValueError(
            f"hits[T, S], battles[T] and declared[S] are wanted, not {seen.shape}, {total.shape}, {pi.shape}"
        )
    if seen.min(initial=0) < 0 or (seen > total[:, None]).any():
        raise ValueError("hits must be between 0 and the battles of the tick")
    if pi.min(initial=0) < 0 or pi.max(initial=0) > 1:
        raise ValueError("a declared share must be between 0 and 1")
    each_bet = np.asarray(bets, np.float64)
    odds, cusum = Odds.of(pi, each_bet, delta), Cusum.start(each_bet.size, pi.size)
    nothing = np.zeros(pi.size)
    evidence = np.empty(seen.shape)
    for tick in range(len(total)):
        cusum.update(odds, seen[tick], total[tick], Mark(tick, 0.0, nothing, nothing))
        evidence[tick] = cusum.log_e() / np.log(10.0)
    return evidence
