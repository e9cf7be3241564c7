"""Detectors without a worker: run all of them on a recorded ledger, or test shares on counts alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.contracts.alert import Alert
from streams.fairness.detectors.silent_removal import MOST
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics import expected_share
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.odds_bets import BETS, OddsBets
from streams.fairness.statistics.share_sums import ShareSums
from streams.ledger.codec import Block, Notice

__all__ = ["DRIFT_BETS", "REMOVAL_BETS", "exposure", "find_alerts", "share_evidence"]

DRIFT_BETS = BETS
REMOVAL_BETS = tuple(bet for bet in BETS if bet <= MOST)
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


def exposure(weights: ArrayLike) -> NDArray[np.float64]:
    """Compute the share of battles of each of M models from their sampling weights.

    The arena draws the first model by weight, and the second by weight among the rest.

    Parameters
    ----------
    weights
        [M], sampling weights; only their ratios matter.

    Returns
    -------
    float64[M], shares of battles: they add to 2, because each battle has two models. With fewer than two weights above
    0 no battle can be drawn, and every share is 0.

    Raises
    ------
    ValueError
        When the weights are not a list of finite numbers that are 0 or more.

    >>> exposure([2, 1, 1, 0]).round(4).tolist()
    [0.8333, 0.5833, 0.5833, 0.0]
    """
    given = np.asarray(weights, np.float64)
    if given.ndim != 1 or not np.isfinite(given).all() or given.min(initial=0) < 0:
        raise ValueError("weights must be one list of finite numbers, each 0 or more")
    return expected_share.exposure(given)


def share_evidence(
    hits: ArrayLike, battles: ArrayLike, declared: ArrayLike, *, bets: ArrayLike = REMOVAL_BETS, delta: float = DELTA
) -> NDArray[np.float64]:
    """Test, tick by tick, whether S models still get their declared shares of the battles.

    This is the sum of the detectors `silent_removal` (its part is that of the bets `REMOVAL_BETS`, the default) and
    `share_drift` (bets `DRIFT_BETS`) against the declared share, without the learned one and without their rules for
    when an alert ends.

    Parameters
    ----------
    hits
        [T, S], battles with each model in each tick.
    battles
        [T], battles in each tick.
    declared
        [S], declared share of battles of each model, from 0 to 1; a share of 0 is not tested.
    bets
        [R], multipliers of the declared odds to bet on. `REMOVAL_BETS` finds models that get at most about a third of
        their share; a model that gets half of it, or twice as much, is found only with `DRIFT_BETS`.
    delta
        Odds within ± this part of the declared ones are not a deviation; bets inside are not made.

    Returns
    -------
    float64[T, S], log10 of the evidence at the end of each tick. While a model gets its share, on average at least c
    ticks pass before the evidence first reaches c.

    Raises
    ------
    ValueError
        When shapes do not match, a share is outside 0 to 1, hits are outside 0 to the tick's battles, a bet is not
        above 0, delta is outside 0 to 1, or a number is not finite.

    Examples
    --------
    A model declared for every fifth battle: as often as declared in one tick of 100 battles, then in none.

    >>> share_evidence([[20], [0], [0]], [100, 100, 100], [0.2]).round(1).ravel().tolist()
    [-11.3, 7.3, 14.8]
    """
    seen, total, pi = np.asarray(hits, np.float64), np.asarray(battles, np.float64), np.asarray(declared, np.float64)
    if seen.ndim != 2 or total.shape != seen.shape[:1] or pi.shape != seen.shape[1:]:
        raise ValueError(
            f"hits[T, S], battles[T] and declared[S] are wanted, not {seen.shape}, {total.shape}, {pi.shape}"
        )
    # Written so that nan, which no comparison holds for, is refused too.
    if not ((seen >= 0) & (seen <= total[:, None])).all() or not np.isfinite(total).all():
        raise ValueError("hits must be between 0 and the battles of the tick, and finite")
    if not ((pi >= 0) & (pi <= 1)).all():
        raise ValueError("a declared share must be between 0 and 1")
    each_bet = np.asarray(bets, np.float64)
    if each_bet.ndim != 1 or not each_bet.size or not ((each_bet > 0) & np.isfinite(each_bet)).all():
        raise ValueError("bets must be a list of finite multipliers above 0")
    if not 0 <= delta < 1:
        raise ValueError("delta must be at least 0 and below 1")
    band = 1.0 - delta, 1.0 + delta
    made = each_bet[(each_bet < band[0]) | (each_bet > band[1])]
    if not made.size:
        raise ValueError("no bet is outside the tolerance")
    odds, sums = OddsBets.of(pi, made, *band), ShareSums.start(made, pi.size)
    nothing = np.zeros(pi.size)
    evidence = np.empty(seen.shape)
    for tick in range(len(total)):
        m = sums.update(odds, seen[tick], total[tick], Mark(tick, 0.0, nothing, nothing))
        with np.errstate(divide="ignore"):  # log 0 = -inf is the value: no evidence yet
            evidence[tick] = np.log10(m)
    return evidence
