"""Side bias: a model is shown on one side more often than the other, or all sides follow who the models are.

Sides are drawn by a fair coin, whatever the pair: voters favour one side, so a model that gets it gains rating. Given
that X is in a battle, a bet on odds r that it is on the left has the e-value 2r/(1 + r) or 2/(1 + r).

The arena as a whole is tested with a guess: of two models, the one that was on the left more often of late is on the
left again. Under a fair coin the guess is right half of the time, whatever it is made from. Where sides follow the
names, the weights or the ratings of the models it is nearly always right, and the arena's alert comes long before
those of its models, which are then part of it. A model with an alert of its own is left out of the guesses, and of its
opponents' evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Subject
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import Verdict
from streams.fairness.detectors.row_detector import RowDetector, RowEvidence
from streams.fairness.detectors.share_alarm import rounded
from streams.fairness.statistics.cell_evidence import FREE, PAGED, WARNED, Cells, close_tick
from streams.fairness.statistics.expected_share import Vector

Matrix = NDArray[np.float64]

BETS = (0.02, 0.2, 0.6, 1.0 / 0.6, 5.0, 50.0)
"""Odds of the left side."""
MILD = (1.0 / 1.5, 1.5)
GUESSES = (1.5, 4.0, 50.0)
"""Odds that the guess is right. The lowest wins when more than 55 % of all guesses are right: one model alone that is
always on one side does not reach that while it is in fewer than a tenth of the battles."""
MILD_GUESS = 1.45
KEPT = 0.98
"""Weight of an older battle of a model against the next one, in its recent sides: about the last 50 count."""


def coin(odds: Vector) -> Matrix:
    """Log e-values of bets on a fair coin: float64[B, 2], for the side bet on and for the other one.

    >>> np.exp(coin(np.array([3.0]))).tolist()
    [[1.5, 0.5]]
    """
    each = np.stack([np.log(odds), np.zeros(odds.size)], axis=1)
    return np.asarray(np.log(2.0) + each - np.log1p(odds)[:, None])


def _columns(odds: tuple[float, ...], mild: tuple[float, ...]) -> Matrix:
    """float64[2, B + 2 W], what a battle adds to the gains of a cell: on the side that is bet on, or on the other."""
    bets, onsets = coin(np.array(odds)), coin(np.array(mild))
    return np.ascontiguousarray(np.concatenate([bets, onsets, -onsets]).T)


_COIN = _columns(BETS, MILD)
_GUESS = _columns(GUESSES, (MILD_GUESS,))


@dataclass(slots=True)
class Sides(RowEvidence):
    """State; cells are the subjects.

    `lean` is float64[S], lefts minus rights of each model of late; `guesses` holds the arena's evidence, one cell.
    """

    cells: Cells = field(default_factory=lambda: Cells.start(tuple(int(odds > 1) for odds in BETS)))
    guesses: Cells = field(default_factory=lambda: Cells.start((0,) * len(GUESSES), 1))
    lean: Vector = field(default_factory=lambda: np.zeros(0))


class SideBias(RowDetector[Sides]):
    """Checks every model in play, and the arena. Resolves on evidence that the sides are even again."""

    kind = Kind.SIDE_BIAS

    def resize(self, state: Sides, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        state.cells.resize(subjects)
        grow(state, subjects, "lean")

    def watched(self, state: Sides, play: Play) -> Mask:
        """bool[S], models in play."""
        return play.in_play[:-1]

    def claims(self, state: Sides, scene: Scene) -> int:
        """The models in play, and the arena."""
        models = super().claims(state, scene)
        return models + 1 if models else 0

    def rows(self, state: Sides, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Bet on the side of both models of each exposure, and on the guess."""
        cells, guesses = state.cells, state.guesses
        _bet(
            battles.a, battles.b, battles.exposure, scene.play.in_play, _COIN, _GUESS, KEPT, state.lean,
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
            guesses.gain, guesses.waiting, guesses.trials, guesses.seen, guesses.due,
        )  # fmt: skip

    def close(self, state: Sides, scene: Scene) -> None:
        """Update both tests."""
        super().close(state, scene)
        state.guesses.close(scene.facts.rows, scene.facts.clock, scene.settings.tick_battles)

    def settle(self, state: Sides, scene: Scene, *, turned: bool) -> bool:
        """Settle the arena first: while it has an alert, those of its models are part of it."""
        guesses, facts = state.guesses, scene.facts
        over = bool(guesses.recovered(scene.settings.recovery_level))
        if over:
            self.reset(state, scene, state.cells.held == FREE)
            self._restart(state, scene)
        if turned and not facts.outage and guesses.held[0] == FREE:
            self._restart(state, scene)
        raised = False
        if not facts.outage and guesses.highest >= scene.warning_level:
            for level, severity in ((scene.page_level, PAGED), (scene.warning_level, WARNED)):
                for cell in guesses.above(level, below=severity):
                    guesses.hold(cell, severity)
                    raised = True
        return super().settle(state, scene, turned=turned) or over or raised

    def calm(self, state: Sides, scene: Scene, ticks: Ticks) -> bool:
        """Run ticks in which neither test reaches a level."""
        return not state.guesses.near(ticks.levels) and super().calm(state, scene, ticks)

    def run(self, state: Sides, scene: Scene, ticks: Ticks) -> bool:
        """Run both tests."""
        battles, cells, guesses = ticks.battles, state.cells, state.guesses
        cells.highest, guesses.highest, near = _run(
            battles.a, battles.b, battles.exposure, scene.play.in_play, _COIN, _GUESS, KEPT, state.lean,
            cells.arrays, guesses.arrays, ticks.ends, ticks.levels,
        )  # fmt: skip
        return not near

    def _restart(self, state: Sides, scene: Scene) -> None:
        state.guesses.reset(np.array([0]), scene.facts.rows, scene.facts.clock)

    def admits(self, state: Sides, scene: Scene, cell: int) -> bool:
        """A model's alert is part of the arena's."""
        return bool(state.guesses.held[0] == FREE)

    def turned(self, state: Sides, scene: Scene, cell: int, *, held: bool) -> None:
        """Restart the arena's evidence, part of which the model explains."""
        if state.guesses.held[0] == FREE:
            self._restart(state, scene)

    def verdicts(self, state: Sides, scene: Scene) -> list[Verdict]:
        """The arena's alarm and those of models."""
        found, cells = super().verdicts(state, scene), state.guesses
        if cells.held[0] == FREE:
            return found
        trials, seen, _ = cells.counted(0)
        evidence: Evidence = {
            "judged_battles": int(trials),
            "guessed_share": rounded(seen / trials if trials else 0.0),
            "expected_share": 0.5,
        }
        return [self.verdict_of(cells, scene, 0, Subject(), evidence), *found]

    def evidence(self, state: Sides, scene: Scene, cell: int) -> Evidence:
        """How often on the left."""
        trials, seen, _ = state.cells.counted(cell)
        return {
            "model_battles": int(trials),
            "left_share": rounded(seen / trials if trials else 0.0),
            "expected_share": 0.5,
        }

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e, since = verdict.evidence, day(verdict.starts_at)
        if "guessed_share" in e:
            return (
                f"The sides of arena {arena} follow who the models are since about {since}: the model that was on the "
                f"left more often before is on the left again in {percent(e['guessed_share'])} of "
                f"{e['judged_battles']:,} battles, evidence of 10^{e['log10_e']:.1f} to 1."
            )
        return (
            f"{verdict.subject.name} is on the left in {percent(e['left_share'])} of its {e['model_battles']:,} "
            f"battles in arena {arena} since about {since}, where a coin gives half, evidence of "
            f"10^{e['log10_e']:.1f} to 1."
        )


@njit(cache=True)
def _bet(  # type: ignore[no-untyped-def]
    a, b, exposure, in_play, coins, guess, kept, lean, held, gain, waiting, trials, seen, due,
    all_gain, all_waiting, all_trials, all_seen, all_due,
):  # fmt: skip
    for row in range(len(a)):
        left, right = a[row], b[row]
        if not (exposure[row] and in_play[left] and in_play[right]):
            continue
        if not held[left] and not held[right] and lean[left] != lean[right]:
            wrong = 0 if lean[left] > lean[right] else 1
            for column in range(guess.shape[1]):
                all_gain[0, column] += guess[wrong, column]
            all_waiting[0] += 1
            all_trials[0] += 1.0
            all_seen[0, 0] += 1.0 - wrong
            all_due[0, 0] += 0.5
        for side in range(2):
            x, other = (left, right) if side == 0 else (right, left)
            lean[x] = kept * lean[x] + (1.0 - 2.0 * side)
            if held[other]:
                continue
            mine, amount = gain[x], coins[side]
            for column in range(len(amount)):
                mine[column] += amount[column]
            waiting[x] += 1
            trials[x] += 1.0
            seen[x, 0] += 1.0 - side
            due[x, 0] += 0.5


@njit(cache=True)
def _run(a, b, exposure, in_play, coins, guess, kept, lean, cells, guesses, ends, levels):  # type: ignore[no-untyped-def]
    """Bet on the battles of ticks, and close each; returns the largest log M of both tests, and `near` of any tick."""
    start, highest, of_guesses, near = 0, 0.0, 0.0, False
    for tick in range(len(ends.place)):
        part = slice(start, ends.place[tick])
        _bet(
            a[part], b[part], exposure[part], in_play, coins, guess, kept, lean,
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
            guesses.gain, guesses.waiting, guesses.trials, guesses.seen, guesses.due,
        )  # fmt: skip
        highest, reached = close_tick(cells, ends.row[tick], ends.time[tick], ends.size, levels)
        of_guesses, right = close_tick(guesses, ends.row[tick], ends.time[tick], ends.size, levels)
        near, start = near or reached or right, ends.place[tick]
    return highest, of_guesses, near
