"""Fairness: pure functions that turn battles and notices into alerts, and the thin stage that runs them."""

from streams.contracts.alert import Alert, Kind, Severity, Status
from streams.fairness.offline import DRIFT_BETS, REMOVAL_BETS, exposure, find_alerts, share_evidence
from streams.fairness.settings import FairnessSettings

__all__ = [
    "DRIFT_BETS",
    "REMOVAL_BETS",
    "Alert",
    "FairnessSettings",
    "Kind",
    "Severity",
    "Status",
    "exposure",
    "find_alerts",
    "share_evidence",
]
