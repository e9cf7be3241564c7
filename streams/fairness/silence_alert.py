"""The alert of a silent feed, computed beside the fold: a pure function of state, wall time and the last such alert.

The alert is not part of the fold's state, which is a function of the ledger alone. Its id comes from the last place in
the ledger, and the next record resolves it.
"""

from __future__ import annotations

import msgspec

from streams.contracts.alert import Alert, Status
from streams.fairness.alerts.lifecycle import firing
from streams.fairness.alerts.summaries import over
from streams.fairness.detectors.catalog import FEED_STALLED
from streams.fairness.detectors.silence import silence
from streams.fairness.fold_state import ArenaFairness


def tell_silence(state: ArenaFairness, told: Alert | None, now: float) -> Alert | None:
    """Decide whether the silence since the last record fires or resolves an alert.

    Parameters
    ----------
    state
        The arena's state at the end of its ledger.
    told
        The silence alert that fires, as last emitted; None if there is none.
    now
        Wall time, epoch seconds.

    Returns
    -------
    The alert to emit now, firing or resolved; None when nothing changed.
    """
    scene, rhythm = state.scene, state.rhythm
    verdict = silence(rhythm, now, scene.settings, scene.now.onset)
    alert = None if verdict is None else firing(scene, FEED_STALLED, verdict, detected_at=now)
    if told is not None and (alert is None or alert.id != told.id):
        ended = rhythm.last / 1000
        return msgspec.structs.replace(told, status=Status.RESOLVED, ends_at=ended, summary=over(ended, told.summary))
    # A stall that the fold found in the ledger has the same fingerprint and was emitted by the fold.
    if told is not None or alert is None or alert.fingerprint in state.opened:
        return None
    return alert
