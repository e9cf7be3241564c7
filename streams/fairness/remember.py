"""What a review leaves in the history: evidence and shares of every subject, and the levels they are held against."""

from __future__ import annotations

import numpy as np

from streams.fairness.detectors.share_alarm import LN10, Watched, rounded
from streams.fairness.evidence_history import Point, Reals
from streams.fairness.fold_state import ArenaFairness


def remember(state: ArenaFairness) -> None:
    """Add the point of the review that has just ended."""
    scene, facts, states = state.scene, state.scene.facts, state.states
    state.history.add(
        Point(
            t=facts.clock,
            reviews=1,
            battles=facts.rows,
            warning=rounded(scene.warning_level / LN10),
            page=rounded(scene.page_level / LN10),
            policy=rounded(states.whole_policy.best / LN10),
            declared=scene.play.pi.astype(np.float32),
            log10_e=_log10_e(states.share_drift),
            log10_e_removal=_log10_e(states.silent_removal),
            appearances=facts.window.total.copy(),
        )
    )


def _log10_e(watched: Watched) -> Reals:
    """Evidence as the view has it: never below 0."""
    return (np.maximum(watched.cusum.log_e(), 0.0) / LN10).astype(np.float32)
