"""Prompt reuse: more prompts than before repeat an earlier one, a sign of training on the prompts, or of a script.

Prompts are sampled by their own hash, one in sixteen, so either all copies of a prompt are in the sample or none: the
share of repeats is unchanged and the memory is a sixteenth. A repeat is a prompt seen before in the same review or in
the window before it. The first window fills the memory, the second gives the baseline. After that the e-CUSUM bets on
a rise, with each prompt of a review as one trial. Copies come in bursts, so the trials are not quite independent, and
the alert has severity `info` and never pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewBattles, ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.statistics.cusum import Cusum, Mark, Odds

ONE_IN = 16
BETS = np.array([1.5, 2.0, 4.0])
FLOOR = 0.005
"""Smallest baseline: with fewer usual repeats, a handful of repeats would be evidence."""
Hashes = NDArray[np.uint32]


@dataclass(slots=True)
class Prompts:
    """State.

    Attributes
    ----------
    pending
        uint32, sampled hashes of the current review, in order.
    seen
        Sampled hashes of each review of the window.
    reviews
        Number of reviews with sampled prompts.
    repeats, prompts
        Counts of the reviews that give the baseline.
    cusum
        Evidence of a rise; one subject.
    last
        Repeats and prompts of the last review that was tested.
    """

    pending: Hashes = field(default_factory=lambda: np.zeros(0, np.uint32))
    seen: list[Hashes] = field(default_factory=list)
    reviews: int = 0
    repeats: int = 0
    prompts: int = 0
    cusum: Cusum = field(default_factory=lambda: Cusum.start(BETS.size, 1))
    last: tuple[int, int] = (0, 0)
    standing: Standing = field(default_factory=dict)

    @property
    def baseline(self) -> float:
        """Usual share of repeats in the arena."""
        return max(self.repeats / self.prompts, FLOOR) if self.prompts else FLOOR


class PromptReuse(ReviewDetector[Prompts]):
    """Checks each review. Resolves when no bet has evidence left (log C ≤ 0)."""

    kind = Kind.PROMPT_REUSE

    def gather(self, state: Prompts, battles: ReviewBattles) -> None:
        """Add the sampled prompts of battles, in order."""
        prompt = battles.rows.prompt
        if prompt is not None:
            state.pending = np.concatenate([state.pending, _sample(prompt, battles.words.sampled)])

    def review(self, state: Prompts, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review."""
        if not state.pending.size:
            return
        window = scene.settings.window_reviews
        new = np.unique(state.pending)
        known = np.isin(new, np.concatenate([*state.seen, new[:0]]))
        prompts = int(state.pending.size)
        repeats = prompts - int((~known).sum())
        if window <= state.reviews < 2 * window:
            state.repeats += repeats
            state.prompts += prompts
        elif state.reviews >= 2 * window:
            self._judge(state, scene, repeats, prompts)
        state.seen = [*state.seen, state.pending][-window:]
        state.pending = state.pending[:0]
        state.reviews += 1

    def _judge(self, state: Prompts, scene: Scene, repeats: int, prompts: int) -> None:
        odds = Odds.of(np.array([state.baseline]), BETS, scene.settings.delta)
        mark = Mark(scene.now.row, scene.now.time, np.zeros(1), np.zeros(1))
        _, highest = state.cusum.update(odds, np.array([float(repeats)]), prompts, mark)
        state.last = repeats, prompts
        firing = state.cusum.log_e_of(0) >= np.log(scene.settings.evidence_level)
        stand(state.standing, ["arena"] if firing or (state.standing and highest > 0) else [], scene.now)

    def verdicts(self, state: Prompts, scene: Scene) -> list[Verdict]:
        """The current alert of a rise, if any."""
        return [
            Verdict(
                Subject(),
                Severity.INFO,
                since.onset,
                since.time,
                {
                    "share": rounded(state.last[0] / state.last[1]),
                    "baseline": rounded(state.baseline),
                    "window_battles": scene.settings.window_battles,
                    "log10_e": rounded(state.cusum.log_e_of(0) / LN10),
                },
            )
            for since in state.standing.values()
        ]

    def judged(self, state: Prompts, scene: Scene) -> Judged:
        """The arena, once there is a baseline."""
        if not state.reviews and not state.pending.size:
            return Judged.not_yet(self.kind, Unjudged.NO_PROMPTS)
        if state.reviews <= 2 * scene.settings.window_reviews:
            return Judged.not_yet(self.kind, Unjudged.NO_BASELINE)
        return Judged(self.kind, judged=True)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"{percent(e['share'])} of the prompts of arena {arena} repeat one of the last {e['window_battles']:,} "
            f"battles since {day(verdict.starts_at)}, against {percent(e['baseline'])} before, "
            f"evidence of 10^{e['log10_e']:.1f} to 1."
        )


@njit(cache=True)
def _sample(prompt, hashes):  # type: ignore[no-untyped-def]
    """uint32, the sampled hashes of n codes of prompts, in order; code 0 is no prompt."""
    found, size = np.empty(len(prompt), np.uint32), 0
    for code in prompt:
        if code > 0 and hashes[code] % np.uint32(ONE_IN) == 0:
            found[size] = hashes[code]
            size += 1
    return found[:size]
