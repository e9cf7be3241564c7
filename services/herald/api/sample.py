"""The alert of a test message: it says that it is one. Pure."""

from __future__ import annotations

from streams.contracts.alert import VERSION, Alert, Kind, Severity, Status, Subject, alert_id, fingerprint, runbook_url
from streams.contracts.subscription import ChannelType, Subscription


def sample_alert(subscription: Subscription, now: float) -> Alert:
    """An alert that matches nothing real.

    An Alertmanager gets one that is over already: it says whether it takes it, and calls nobody.
    """
    arena = subscription.match.arena or "test"
    subject = Subject(model="isonomy-test")
    about = fingerprint(arena, Kind.SILENT_REMOVAL, subject)
    over = subscription.channel.type is ChannelType.ALERTMANAGER
    return Alert(
        id=alert_id(about, "test"),
        fingerprint=about,
        arena=arena,
        kind=Kind.SILENT_REMOVAL,
        severity=Severity.INFO,
        status=Status.RESOLVED if over else Status.FIRING,
        subject=subject,
        starts_at=now - 60,
        detected_at=now - 60,
        ends_at=now if over else None,
        summary=f"This is a test of the subscription {subscription.name!r}; nothing has happened.",
        evidence={"test": 1},
        runbook_url=runbook_url(Kind.SILENT_REMOVAL),
        version=VERSION,
    )
