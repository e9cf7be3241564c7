"""Whole policy: the battles do not follow the declared weights, by many small deviations that are no alert each.

For every battle among models in play the declared weights w give the probability of its pair. A bet has weights of its
own, w·m, and its e-value is the ratio of the two probabilities. The multiples are learned from the battles before the
current tick, so they are known before the battle that they bet on:

    m_i = (a + c_i)/(a + d_i),   c, d = appearances of model i and what was to be expected, older ticks discounted

which is the predictive mean of a Gamma-Poisson model of the multiple, with a spread of 1/√a around 1. Three bets, which
remember for different times, share the stake: a sudden change needs a short memory, a small one a long one. The sums
are Shiryaev-Roberts sums (see `Cells`), so healthy battles of the past do not make them slower.

It tells what nothing else explains: it waits for a share that is near a page and while a group is reported, and leaves
out battles with models whose share or opponents are reported. While it is open, small drifts of single subjects are a
part of it (see `share_drift`). It reserves a fixed part of the budget of pages. It runs only where all draws are known:
selection by voters moves every share a little.

References
----------
.. [1] M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, whose predictive
   Dirichlet-multinomial this is, with forgetting.
.. [2] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", arXiv 2203.03532.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import as_number, day, percent, some
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import Verdict
from streams.fairness.detectors.row_detector import RowDetector, RowEvidence
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.statistics import weight_bets
from streams.fairness.statistics.cell_evidence import FREE, PAGED, Cells

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

RESERVE = 1.0 / 16.0
"""Part of the budget of pages, whatever the number of other things that can page."""
MEMORY = (30.0, 100.0, 400.0)
"""Ticks that the bets remember."""
SPREAD = 0.15
"""Standard deviation of the multiples around 1 before anything is learned."""
NEAR = 5.0
"""The alert waits for a share whose evidence is within so many nats of a page, which may explain the deviation,
until its own evidence is as far above a page."""
TOLD = 5
"""Models that the alert names: those farthest from their shares."""
FEWEST = 3
"""Free models from which there is something to bet on."""
_PRIOR, _KEPT = SPREAD**-2, np.exp(-1.0 / np.array(MEMORY))


@dataclass(slots=True)
class LearnedWeights(RowEvidence):
    """State; the one cell is the arena's, with a bet for each memory.

    Attributes
    ----------
    hits, due
        float64[B, S], appearances and expected appearances, discounted.
    new_hits, new_battles
        float64[S], appearances in the current tick, and its battles so far.
    back
        float64[S], multiples half of the way (on logarithms) from 1 to those at the time of an open alert: recovery
        bets on the declared weights against these.
    exact
        Whether the last tick was judged.
    held
        bool[S], subjects with an open alert of their share or their opponents. Battles with such models are left out,
        and when the subjects change, the evidence begins anew: so far it was theirs as well.
    part
        Whether an alert of a group is open, whose battles are too many to be left out.
    """

    cells: Cells = field(default_factory=lambda: Cells.start((0,) * len(MEMORY), 1))
    hits: Matrix = field(default_factory=lambda: np.zeros((len(MEMORY), 0)))
    due: Matrix = field(default_factory=lambda: np.zeros((len(MEMORY), 0)))
    new_hits: Vector = field(default_factory=lambda: np.zeros(0))
    new_battles: float = 0.0
    back: Vector = field(default_factory=lambda: np.zeros(0))
    exact: bool = False
    held: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    part: bool = False


class WholePolicy(RowDetector[LearnedWeights]):
    """Checks the arena. Resolves on evidence that the declared weights are followed again."""

    kind = Kind.WHOLE_POLICY

    def resize(self, state: LearnedWeights, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        known = state.back.size
        grow(state, subjects, "hits", "due", "new_hits", "back", "held")
        state.back[known:] = 1.0

    def judges(self, scene: Scene) -> bool:
        """Whether pairs have declared probabilities that no selection by voters changes."""
        models = int(np.count_nonzero(scene.play.weights))
        return models > 2 and scene.declares and scene.facts.shares.exact(scene.settings)

    def watched(self, state: LearnedWeights, play: Play) -> Mask:
        """bool[1]."""
        return np.array([state.exact])

    def claims(self, state: LearnedWeights, scene: Scene) -> int:
        """Nothing: it has a part of the budget of its own."""
        return 0

    def reserve(self, state: LearnedWeights, scene: Scene) -> float:
        """A sixteenth of the budget."""
        return RESERVE if self.judges(scene) else 0.0

    def rows(self, state: LearnedWeights, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Bet on each battle among models in play."""
        if not self.judges(scene):
            return
        free = self._free(scene)
        if np.count_nonzero(free) < FEWEST:
            return
        weights, cells = scene.play.weights, state.cells
        of_null, bets, second, rest = weight_bets.tables(state.hits, state.due, state.back, _PRIOR, weights, free)
        taken = weight_bets.bet(
            battles.a, battles.b, battles.exposure, scene.play.in_play, free, weights, of_null, bets, second, rest,
            state.new_hits, cells.gain,
        )  # fmt: skip
        state.new_battles += taken[0]
        cells.waiting[0] += taken[1]
        cells.trials[0] += taken[1]

    @staticmethod
    def _free(scene: Scene) -> Mask:
        """bool[S + 1], models in play without an open alert of their own."""
        free = scene.play.in_play.copy()
        free[:-1] &= ~_held(scene)
        return free

    def close(self, state: LearnedWeights, scene: Scene) -> None:
        """Update the sums, and learn from the tick, unless the feed is stalled."""
        judges = self.judges(scene)
        if judges != state.exact:
            state.exact = judges
            self._begin(state, scene)
        if judges:
            state.cells.close(scene.facts.rows, scene.facts.clock, scene.settings.tick_battles)
            self._learn(state, scene)

    def calm(self, state: LearnedWeights, scene: Scene, ticks: Ticks) -> bool:
        """Run ticks while nothing else is told that was not told before them."""
        if self.judges(scene) != state.exact:
            return False
        if not state.exact:
            return True
        if state.cells.held[0] == FREE:
            held = _held(scene)
            if not np.array_equal(held, state.held):
                return False
            state.part = bool(held[scene.play.groups].any())
        return self.run(state, scene, ticks)

    def run(self, state: LearnedWeights, scene: Scene, ticks: Ticks) -> bool:
        """Run ticks, which learn from each other; return whether the alert is not raised or resolved in one."""
        told, free = math.inf if state.part else self.level(scene), self._free(scene)
        state.cells.highest, state.new_battles, near = weight_bets.run(
            ticks.battles.a, ticks.battles.b, ticks.battles.exposure, scene.play.in_play, free, scene.play.weights,
            bool(np.count_nonzero(free) >= FEWEST), state.hits, state.due, state.back, _PRIOR, _KEPT, _share(scene),
            state.new_hits, state.new_battles,
            state.cells.arrays, ticks.ends, ticks.levels._replace(warning=told, page=told),
        )  # fmt: skip
        return not near

    def _learn(self, state: LearnedWeights, scene: Scene) -> None:
        if not scene.facts.outage:
            weight_bets.learn(state.hits, state.due, state.new_hits, state.new_battles, _share(scene), _KEPT)
        state.new_hits[:] = 0.0
        state.new_battles = 0.0

    def settle(self, state: LearnedWeights, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve the alert."""
        cells, shares = state.cells, scene.facts.shares
        if turned and not scene.facts.outage and cells.held[0] == FREE:
            self._begin(state, scene)
        if cells.recovered(scene.settings.recovery_level):
            self._begin(state, scene)
            return True
        if not state.exact or cells.held[0] != FREE or scene.facts.outage:
            return False
        held = _held(scene)
        if not np.array_equal(held, state.held):
            self._begin(state, scene)
            state.held = held
        state.part = bool(held[scene.play.groups].any())
        if state.part:
            return False
        surplus = cells.highest - self.level(scene)
        near = shares.log_m.max(initial=-np.inf) >= scene.page_level - NEAR
        if surplus >= (NEAR if near else 0.0):
            cells.hold(0, PAGED)
            state.back = np.sqrt(self._since(state, scene))
            shares.whole = True
            return True
        return False

    def level(self, scene: Scene) -> float:
        """Level of its page: its part of the budget is fixed."""
        return math.log(scene.settings.ticks_between_pages / RESERVE)

    def _since(self, state: LearnedWeights, scene: Scene) -> Vector:
        """float64[S], multiples of the shares since the onset, drawn towards 1 like those of the bets."""
        facts = scene.facts
        place = facts.past.since(int(state.cells.from_row[0]))
        if place is None:
            return np.ones(facts.seen.size)
        seen, due = facts.seen - facts.past.seen[place], facts.due - facts.past.due[place]
        return np.asarray((_PRIOR + seen) / (_PRIOR + due))

    def _begin(self, state: LearnedWeights, scene: Scene) -> None:
        """Begin anew, without an alert; this only takes evidence away."""
        self.reset(state, scene, np.array([0]))
        state.cells.highest = 0.0
        state.back = np.ones(state.back.size)
        scene.facts.shares.whole = False

    def follow(self, state: LearnedWeights, scene: Scene, before: Play) -> bool:
        """The bets go on under another policy: they are multiples of its weights."""
        return False

    def subject(self, scene: Scene, cell: int) -> Subject:
        """The arena."""
        return Subject()

    def verdicts(self, state: LearnedWeights, scene: Scene) -> list[Verdict]:
        """The open alert, if any."""
        level = rounded(self.level(scene) / LN10)
        found = super().verdicts(state, scene)
        for verdict in found:
            verdict.evidence["log10_page"] = level
        return found

    def evidence(self, state: LearnedWeights, scene: Scene, cell: int) -> Evidence:
        """How far the shares are from the declared ones, and whose are farthest."""
        models = np.flatnonzero((scene.play.weights > 0) & (scene.play.pi_play > 0))
        multiple = self._since(state, scene)[models]
        share = scene.play.pi_play[models]
        far = models[np.argsort(-np.abs(np.log(multiple)) * np.sqrt(share), kind="stable")][:TOLD].tolist()
        names = [scene.facts.roster.subjects[each].name for each in far]
        return {
            "misplaced_share": rounded(float(0.25 * (share * np.abs(multiple - 1.0)).sum())),
            "models": names,
            "unfinished_share": rounded(scene.unfinished_share),
        }

    def judged(self, state: LearnedWeights, scene: Scene) -> Judged:
        """The arena, where all draws are known and no share alert is open."""
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not state.exact:
            return Judged.not_yet(self.kind, Unjudged.UNFINISHED_UNKNOWN)
        if scene.facts.outage:
            return Judged.not_yet(self.kind, Unjudged.FEED_STALLED)
        if state.part:
            return Judged.not_yet(self.kind, Unjudged.EXPLAINED)
        return Judged(self.kind, judged=True)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        names = e["models"] if isinstance(e["models"], list) else []
        return (
            f"The battles of arena {arena} do not follow its declared weights since about {day(verdict.starts_at)}: "
            f"about {percent(as_number(e['misplaced_share']))} of the places in {e['battles']:,} battles went to other "
            f"models than declared, spread over many; farthest from their shares are {some(names, len(names))}; "
            f"evidence of 10^{e['log10_e']:.1f} to 1."
        )


def _held(scene: Scene) -> NDArray[np.bool_]:
    """bool[S], subjects with an open alert of their share, or of whom they meet."""
    return np.asarray((scene.facts.shares.usual.paused > 0) | scene.facts.paired)


def _share(scene: Scene) -> Vector:
    """float64[S], shares of the battles among models in play; `pi_play` leaves out nobody among the models."""
    return np.where(scene.play.groups, 0.0, scene.play.pi_play)
