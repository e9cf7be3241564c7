"""Fairness: pure mathematics from battles and notices to alerts, and the thin stage that feeds it."""

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
