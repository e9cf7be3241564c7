"""What the watcher beside the fold tells of a silence: pure, given the wall time and what it told before.

The alert is no part of the fold's state, which is a function of the ledger: its id comes from the ledger's last place,
and it is over with the next record.
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
    """Judge the silence since the last record.

    Parameters
    ----------
    state
        Of the arena, up to its ledger's end.
    told
        The alert of a silence that fires, as the watcher told it last.
    now
        Wall time, epoch seconds.

    Returns
    -------
    What is to be told now: a silence that begins to matter, or the end of one; None when there is nothing new.
    """
    scene, rhythm = state.scene, state.rhythm
    verdict = silence(rhythm, now, scene.settings, scene.now.onset)
    alert = None if verdict is None else firing(scene, FEED_STALLED, verdict, detected_at=now)
    if told is not None and (alert is None or alert.id != told.id):
        ended = rhythm.last / 1000
        return msgspec.structs.replace(told, status=Status.RESOLVED, ends_at=ended, summary=over(ended, told.summary))
    # A stall that the ledger itself shows is the same alert, and told already.
    if told is not None or alert is None or alert.fingerprint in state.opened:
        return None
    return alert
