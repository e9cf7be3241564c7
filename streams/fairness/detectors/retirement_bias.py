"""Retirement bias: do models of one licence class leave the arena more often than chance explains?

Each departure is a draw from the public models in play. If the class does not matter, the departed model is of class c
with probability n_c/n; a bet on odds ratio ψ (2, 4, 8) for c multiplies

    e ← e · ψ^x · n/(ψ·n_c + n − n_c),   x = 1 if the model was of class c

This is the exact conditional test, one departure at a time: under the null E[e] = 1 in any order and at any stopping
time, so P(ever e ≥ 1/α) ≤ α for each class. Retirements by notice and silent removals both count.

An alert means "beyond chance", not "unjust": where the models of one class are weaker, a rule that retires the weakest
also raises it, unless it retires the weakest *within each class*.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.registry import Change, sampled
from streams.fairness.detectors.base import NoticeDetector, Verdict, judged_by_registry
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.statistics.cusum import log_mean
from streams.fairness.statistics.expected_share import Vector

RATIOS = np.array([2.0, 4.0, 8.0])


@dataclass(slots=True)
class Departures:
    """State, by subject number.

    Attributes
    ----------
    gone
        bool[S], models whose departure was counted.
    left, expected
        [S], observed and expected departures per class.
    log_e
        float64[3, S], per odds ratio and class.
    standing
        Classes that are reported.
    """

    gone: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    left: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    expected: Vector = field(default_factory=lambda: np.zeros(0))
    log_e: Vector = field(default_factory=lambda: np.zeros((RATIOS.size, 0)))
    standing: Standing = field(default_factory=dict)


class RetirementBias(NoticeDetector[Departures]):
    """Checks each departure. Resolves when the evidence falls below a tenth of the level."""

    kind = Kind.RETIREMENT_BIAS

    def notice(self, state: Departures, scene: Scene, change: Change) -> None:
        """Process a change of the registry."""
        if change.leaves:
            self.depart(state, scene, change.number)
        elif change.joins:
            state.gone[change.number] = False

    def resize(self, state: Departures, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(state, subjects, "gone", "left", "expected", "log_e")

    def depart(self, state: Departures, scene: Scene, number: int) -> bool:
        """Count the departure of a public model, announced or silent, once; return whether it was counted."""
        roster = scene.facts.roster
        name = roster.subjects[number].name
        if state.gone[number] or not roster.tenures[name].was_public or not scene.battles_of(number):
            return False
        others = [
            scene.play.license[roster.models[other]]
            for other, model in roster.registry.items()
            if other != name and sampled(model) and model.visibility == "public"
            if not state.gone[roster.models[other]]
        ]
        mine = int(scene.play.license[number])
        in_play = np.bincount([*others, mine], minlength=state.left.size)
        classes = np.flatnonzero(in_play)
        share = in_play[classes] / in_play.sum()
        state.gone[number] = True
        state.left[mine] += 1
        state.expected[classes] += share
        state.log_e[:, classes] -= np.log1p(np.outer(RATIOS - 1.0, share))
        state.log_e[:, mine] += np.log(RATIOS)
        self._judge(state, scene)
        return True

    def _judge(self, state: Departures, scene: Scene) -> None:
        level = float(np.log(scene.settings.evidence_level))
        names = []
        for name, number in scene.facts.roster.licenses.items():
            evidence = float(log_mean(state.log_e[:, number]))
            if evidence >= level or (name in state.standing and evidence >= level - LN10):
                names.append(name)
        stand(state.standing, sorted(names), scene.now)

    def verdicts(self, state: Departures, scene: Scene) -> list[Verdict]:
        """Classes whose models leave too often."""
        roster = scene.facts.roster
        found = []
        for name, since in state.standing.items():
            number = roster.licenses[name]
            of_class = [model.license == name for each, model in roster.known.items() if _public(scene, each)]
            models, left, all_left = sum(of_class), int(state.left[number]), int(state.left.sum())
            evidence = {
                "left": left,
                "models": models,
                "others_left": all_left - left,
                "others": len(of_class) - models,
                "expected_left": rounded(float(state.expected[number])),
                "log10_e": rounded(float(log_mean(state.log_e[:, number])) / LN10),
            }
            subject = roster.subjects[number]
            found.append(Verdict(subject, Severity.WARNING, since.onset, since.time, {**evidence}))
        return found

    def judged(self, state: Departures, scene: Scene) -> Judged:
        """Licence classes, once there are two."""
        classes = len(scene.facts.roster.licenses)
        return judged_by_registry(self.kind, scene, classes if classes > 1 else 0, Unjudged.ONE_CLASS)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"{e['left']:,} of {e['models']:,} {verdict.subject.name} models have left arena {arena} and "
            f"{e['others_left']:,} of {e['others']:,} others, where {e['expected_left']:.1f} of them were to be "
            f"expected by chance, evidence of 10^{e['log10_e']:.1f} to 1; "
            f"weaker models in one class would look the same, so compare ranks before judging."
        )


def _public(scene: Scene, name: str) -> bool:
    return scene.facts.roster.tenures[name].was_public
