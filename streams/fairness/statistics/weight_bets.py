"""Bets on the weights of all models, learned from the battles before: the compiled part of `whole_policy`."""

from __future__ import annotations

import numpy as np
from numba import njit

from streams.fairness.statistics.cell_evidence import close_tick


@njit(cache=True)
def _second(weights, second):  # type: ignore[no-untyped-def]
    """`second_draw` of weights, float64[S], to `second`."""
    total, heaviest = 0.0, 0
    for model in range(len(weights)):
        total += weights[model]
        if weights[model] > weights[heaviest]:
            heaviest = model
    others = 0.0
    for model in range(len(weights)):
        others += 0.0 if model == heaviest else weights[model]
    for model in range(len(weights)):
        rest = others if model == heaviest else total - weights[model]
        second[model] = weights[model] / total / rest


@njit(cache=True)
def _total(weights, second, free):  # type: ignore[no-untyped-def]
    """Probability that a battle is one among free models; `second` as by `second_draw`."""
    first, then, same = 0.0, 0.0, 0.0
    for model in range(len(weights)):
        if free[model]:
            first += weights[model]
            then += second[model]
            same += weights[model] * second[model]
    return first * then - same


@njit(cache=True)
def tables(hits, due, back, prior, weights, free):  # type: ignore[no-untyped-def]
    """What the bets of a tick need, of B memories, the onset and the recovery.

    Returns
    -------
    of_null : float64[S]
        `second_draw` of the declared weights.
    bets, second : float64[B + 2, S]
        Weights of the bets, and `second_draw` of them. The shortest memory finds the onset, too: in healthy battles it
        loses soonest.
    rest : float64[B + 2]
        Log of the probabilities of a battle among free models, against that by the declared weights.
    """
    memories, models = hits.shape
    of_null, rest = np.empty(models), np.empty(memories + 2)
    bets, second = np.empty((memories + 2, models)), np.empty((memories + 2, models))
    _second(weights, of_null)
    whole = _total(weights, of_null, free)
    for bet in range(memories + 2):
        memory = bet if bet < memories else 0
        for model in range(models):
            learned = (prior + hits[memory, model]) / (prior + due[memory, model])
            bets[bet, model] = weights[model] * (learned if bet <= memories else back[model])
        _second(bets[bet], second[bet])
        rest[bet] = np.log(_total(bets[bet], second[bet], free) / whole)
    return of_null, bets, second, rest


@njit(cache=True)
def learn(hits, due, new_hits, new_battles, share, kept):  # type: ignore[no-untyped-def]
    """Discount what is learned, and add a tick."""
    for memory in range(len(kept)):
        for model in range(len(share)):
            hits[memory, model] = kept[memory] * hits[memory, model] + new_hits[model]
            due[memory, model] = kept[memory] * due[memory, model] + new_battles * share[model]
    new_hits[:] = 0.0


@njit(cache=True)
def bet(a, b, exposure, in_play, free, weights, of_null, bets, second, rest, new_hits, gain):  # type: ignore[no-untyped-def]
    """Add the log e-values of battles; the last row of `bets` is that of recovery, which bets the other way.

    Returns the battles among models in play, and those among free ones, which are bet on.
    """
    seen, taken, last = 0, 0, len(bets) - 1
    for row in range(len(a)):
        i, j = a[row], b[row]
        if not exposure[row] or not in_play[i] or not in_play[j]:
            continue
        seen += 1
        new_hits[i] += 1.0
        new_hits[j] += 1.0
        if not free[i] or not free[j]:
            continue
        taken += 1
        null = of_null[i] * weights[j] + of_null[j] * weights[i]
        for bet in range(last + 1):
            ratio = np.log((second[bet, i] * bets[bet, j] + second[bet, j] * bets[bet, i]) / null) - rest[bet]
            gain[0, bet] += -ratio if bet == last else ratio
    return seen, taken


@njit(cache=True)
def run(  # type: ignore[no-untyped-def]
    a, b, exposure, in_play, free, weights, bets, hits, due, back, prior, kept, share, new_hits, new_battles,
    cells, ends, levels,
):  # fmt: skip
    """Bet on the battles of ticks where `bets` says so, close each, and learn from it until one reaches a level.

    Returns
    -------
    As `close_tick`, with the battles among models in play that are not learned from between the two.
    """
    start, highest = 0, 0.0
    for tick in range(len(ends.place)):
        if bets:
            part = slice(start, ends.place[tick])
            of_null, each, second, rest = tables(hits, due, back, prior, weights, free)
            seen, taken = bet(
                a[part], b[part], exposure[part], in_play, free, weights, of_null, each, second, rest,
                new_hits, cells.gain,
            )  # fmt: skip
            new_battles += seen
            cells.waiting[0] += taken
            cells.trials[0] += taken
        highest, near = close_tick(cells, ends.row[tick], ends.time[tick], ends.size, levels)
        if near:
            return highest, new_battles, True
        learn(hits, due, new_hits, new_battles, share, kept)
        new_battles, start = 0.0, ends.place[tick]
    return highest, new_battles, False
