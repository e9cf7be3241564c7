"""What is known of each alert: the newest statement by fingerprint, and what a further statement says. Pure.

Statements come at least once, and a fold from the start of the ledger tells all of them again. What is told again must
not be taken for news: a statement is stale when its alert is known to be over, or when it was detected before the one
that is known, for alerts of one fingerprint follow each other on the ledger's clock. (A silence of the feed is detected
in wall time, so that for its kind only the first holds.)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from services.herald.rules.matching import rank
from streams.contracts.alert import Alert, Kind, Status

REMEMBERED = 16
"""Occurrences of one fingerprint that are remembered to be over."""


class News(StrEnum):
    """What a statement says."""

    NEW = "new"
    """It fires."""
    WORSE = "worse"
    """It fires already, and is more severe now."""
    REPEAT = "repeat"
    """It fires already; the evidence is newer."""
    RESOLVED = "resolved"
    """It is over."""
    STALE = "stale"
    """Told again, of what is over."""


@dataclass(slots=True)
class Known:
    """The newest statement of each fingerprint, and which occurrences are over."""

    newest: dict[str, Alert] = field(default_factory=dict)
    over: dict[str, deque[str]] = field(default_factory=dict)

    def tell(self, alert: Alert) -> News:
        """Take in a statement and say what it is."""
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
        """What fires, in the order in which it was first known."""
        return [alert for alert in self.newest.values() if alert.status is Status.FIRING]

    def fires(self, alert_id: str) -> bool:
        """Whether an alert is known to fire; its id begins with its fingerprint."""
        alert = self.newest.get(alert_id.partition("-")[0])
        return alert is not None and alert.id == alert_id and alert.status is Status.FIRING


def _earlier(alert: Alert, before: Alert) -> bool:
    return alert.kind is not Kind.FEED_STALLED and alert.id != before.id and alert.detected_at < before.detected_at
