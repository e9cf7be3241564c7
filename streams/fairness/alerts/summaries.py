"""Parts of alert summaries: names, times, shares, lists, and the sentence of a resolved alert."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.contracts.alert import EvidenceValue, Kind, Subject


def over(ended: float, sentence: str) -> str:
    """Return the summary of a resolved alert."""
    return f"Over since {day(ended)}: {sentence}"


def moved(kind: Kind, sentence: str) -> str:
    """Return the summary of an alert that an alert of another kind replaces."""
    return f"Now reported as {kind.value}: {sentence}"


def who(arena: str, subject: Subject) -> str:
    """Name a subject.

    >>> who("text", Subject(provider="Ash")), who("text", Subject())
    ('provider Ash', 'arena text')
    """
    names = {
        "model": subject.name,
        "provider": f"provider {subject.name}",
        "license": f"licence class {subject.name}",
        "voter": f"voter {subject.name}",
    }
    return names.get(subject.field, f"arena {arena}")


def day(time: float) -> str:
    """Format a time for people.

    >>> day(1714744500.0)
    '2024-05-03 13:55 UTC'
    """
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def as_number(value: EvidenceValue) -> float:
    """Narrow a value of the evidence to a number; raises `TypeError` when it is none."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return value


def percent(share: EvidenceValue) -> str:
    """Format a share in per cent, with three significant digits.

    >>> percent(0.0123456), percent(0.0)
    ('1.23 %', '0 %')
    """
    return f"{100 * as_number(share):.3g} %"


def some(names: EvidenceValue, total: EvidenceValue, most: int = 5) -> str:
    """List a few names and the number of further ones; `total` counts all, because `names` may be cut short.

    >>> some(["a", "b", "c"], 3, most=2), some(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    if not isinstance(names, list):
        raise TypeError(f"{names!r} is no list of names")
    shown = names[:most]
    more = as_number(total) - len(shown)
    return f"{', '.join(shown)} and {more:,} more" if more else ", ".join(shown)
