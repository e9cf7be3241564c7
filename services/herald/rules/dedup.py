"""Deduplication of alerts: keeps the newest record of each fingerprint, and classifies every further one. Pure.

Records arrive at least once, and a fold from the start of the ledger emits all of them again. A repeat must not cause a
second delivery. A record is stale if its alert is already resolved, or if it was detected before the newest record of
its fingerprint, because alerts of one fingerprint follow each other on the ledger's clock. (A feed stall is detected in
wall time, so only the first condition applies to it.)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from services.herald.rules.matching import rank
from streams.contracts.alert import Alert, Kind, Status

REMEMBERED = 16
"""How many resolved alerts are remembered for each fingerprint."""


class News(StrEnum):
    """How a record of an alert relates to what is known."""

    NEW = "new"
    """The alert starts firing."""
    WORSE = "worse"
    """It fires already; its severity has increased."""
    REPEAT = "repeat"
    """It fires already; only its evidence is newer."""
    RESOLVED = "resolved"
    """It has ended."""
    STALE = "stale"
    """A repeat of a record of the past."""


@dataclass(slots=True)
class AlertDedup:
    """The newest record of each fingerprint, and the ids of its resolved alerts."""

    newest: dict[str, Alert] = field(default_factory=dict)
    over: dict[str, deque[str]] = field(default_factory=dict)

    def tell(self, alert: Alert) -> News:
        """Apply a record and classify it."""
        over = self.over.setdefault(alert.fingerprint, deque(maxlen=REMEMBERED))
        before = self.newest.get(alert.fingerprint)
        if alert.id in over or (before is not None and _earlier(alert, before)):
            return News.STALE
        self.newest[alert.fingerprint] = alert
        if alert.status is Status.RESOLVED:
            over.append(alert.id)
            return News.RESOLVED
        if before is None or before.id != alert.id:
            return News.NEW
        return News.WORSE if rank(alert.severity) > rank(before.severity) else News.REPEAT

    def firing(self) -> list[Alert]:
        """Firing alerts, by when their fingerprint was first seen."""
        return [alert for alert in self.newest.values() if alert.status is Status.FIRING]

    def fires(self, alert_id: str) -> bool:
        """Whether an alert fires; an alert id starts with the fingerprint."""
        alert = self.newest.get(alert_id.partition("-")[0])
        return alert is not None and alert.id == alert_id and alert.status is Status.FIRING


def _earlier(alert: Alert, before: Alert) -> bool:
    return alert.kind is not Kind.FEED_STALLED and alert.id != before.id and alert.detected_at < before.detected_at
