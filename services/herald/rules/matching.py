"""Whether a subscription matches an alert. Pure."""

from __future__ import annotations

from services.http.api_keys import Key
from streams.contracts.alert import Alert, Severity
from streams.contracts.names import normalised
from streams.contracts.subscription import SEVERITIES, Match, Subscription


def rank(severity: Severity) -> int:
    """Position of a severity, from least to worst.

    >>> rank(Severity.CRITICAL) > rank(Severity.WARNING) > rank(Severity.INFO)
    True
    """
    return SEVERITIES.index(severity)


def at_least(severity: Severity) -> tuple[Severity, ...]:
    """Return this severity and all worse ones."""
    return SEVERITIES[rank(severity) :]


def matches(match: Match, alert: Alert) -> bool:
    """Whether an alert satisfies every given field of a match."""
    subject = alert.subject
    asked = bool(match.models or match.providers)
    return (
        match.arena in (None, alert.arena)
        and (not match.kinds or alert.kind in match.kinds)
        and rank(alert.severity) >= rank(match.severity)
        and (not asked or _among(_model(alert), match.models) or _among(subject.provider, match.providers))
    )


def _model(alert: Alert) -> str | None:
    """The model that an alert is about: its subject, or the one that its voter votes for or against."""
    if alert.subject.voter is None:
        return alert.subject.model
    named = alert.evidence.get("model")
    return named if isinstance(named, str) else None


def _among(subject: str | None, names: tuple[str, ...]) -> bool:
    """Whether a subject is among the names. Compares normal forms, because older records keep names as written."""
    return subject is not None and normalised(subject) in map(normalised, names)


def may_receive(key: Key, subscription: Subscription) -> bool:
    """Whether a key owns a subscription and may read its arena."""
    arena = subscription.match.arena
    return subscription.owner == key.name and (key.arenas is None or arena in key.arenas)
