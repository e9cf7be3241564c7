"""Make the alerts of an audit."""

from __future__ import annotations

from math import log

from streams.audit.board.dates import iso
from streams.contracts.alert import (
    RUNBOOKS,
    VERSION,
    Alert,
    Evidence,
    Kind,
    Severity,
    Status,
    Subject,
    alert_id,
    fingerprint,
    runbook_url,
)

CRITICAL = log(1e6)
"""Evidence from which a removal is critical, natural logarithm."""

LOG_10 = log(10.0)


def make_alert(
    arena: str,
    kind: Kind,
    severity: Severity,
    subject: Subject,
    starts_at: float,
    detected_at: float,
    summary: str,
    evidence: Evidence,
    runbooks: str | None,
) -> Alert:
    """Make a firing alert; its id depends on arena, kind, subject and start date only."""
    mark = fingerprint(arena, kind, subject)
    return Alert(
        id=alert_id(mark, iso(starts_at)),
        fingerprint=mark,
        arena=arena,
        kind=kind,
        severity=severity,
        status=Status.FIRING,
        subject=subject,
        starts_at=starts_at,
        detected_at=detected_at,
        summary=summary,
        evidence=evidence,
        runbook_url=runbook_url(kind, runbooks or RUNBOOKS),
        version=VERSION,
    )


def in_tens(evidence: float) -> float:
    """Convert a natural logarithm to log10, rounded to two digits."""
    return round(evidence / LOG_10, 2)
