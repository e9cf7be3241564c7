"""Whether a subscription asks for an alert. Pure."""

from __future__ import annotations

from services.http.api_keys import Key
from streams.contracts.alert import Alert, Severity
from streams.contracts.names import normalised
from streams.contracts.subscription import SEVERITIES, Match, Subscription


def rank(severity: Severity) -> int:
    """Place from least to worst.

    >>> rank(Severity.CRITICAL) > rank(Severity.WARNING) > rank(Severity.INFO)
    True
    """
    return SEVERITIES.index(severity)


def at_least(severity: Severity) -> tuple[Severity, ...]:
    """Return this severity and the worse ones."""
    return SEVERITIES[rank(severity) :]


def matches(match: Match, alert: Alert) -> bool:
    """Whether every field that is given holds."""
    subject = alert.subject
    asked = bool(match.models or match.providers)
    return (
        match.arena in (None, alert.arena)
        and (not match.kinds or alert.kind in match.kinds)
        and rank(alert.severity) >= rank(match.severity)
        and (not asked or _among(subject.model, match.models) or _among(subject.provider, match.providers))
    )


def _among(subject: str | None, names: tuple[str, ...]) -> bool:
    """Whether a subject is one of these names, in normal form: older records have names as written."""
    return subject is not None and normalised(subject) in map(normalised, names)


def may_hear(key: Key, subscription: Subscription) -> bool:
    """Whether a subscription is the key's, and about an arena that it may hear of."""
    arena = subscription.match.arena
    return subscription.owner == key.name and (key.arenas is None or arena in key.arenas)
