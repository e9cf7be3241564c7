"""Fairness: pure functions that turn battles and notices into alerts, and the thin stage that runs them."""

from streams.contracts.alert import Alert, Kind, Severity, Status
from streams.fairness.offline import find_alerts, share_evidence
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.expected_share import exposure

__all__ = [
    "Alert",
    "FairnessSettings",
    "Kind",
    "Severity",
    "Status",
    "exposure",
    "find_alerts",
    "share_evidence",
]
