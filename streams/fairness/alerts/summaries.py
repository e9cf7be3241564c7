"""What the sentences of alerts share: names, times, shares, lists, and what becomes of a sentence that is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from streams.contracts.alert import Kind, Subject


def over(ended: float, sentence: str) -> str:
    """Say that what a sentence says is over."""
    return f"Over since {day(ended)}: {sentence}"


def moved(kind: Kind, sentence: str) -> str:
    """Say that what a sentence says is told as something else from here on."""
    return f"Now reported as {kind.value}: {sentence}"


def who(arena: str, subject: Subject) -> str:
    """Name a subject.

    >>> who("text", Subject(provider="Ash")), who("text", Subject())
    ('provider Ash', 'arena text')
    """
    names = {"model": subject.name, "provider": f"provider {subject.name}", "license": f"licence class {subject.name}"}
    return names.get(subject.field, f"arena {arena}")


def day(time: float) -> str:
    """A time as people read it.

    >>> day(1714744500.0)
    '2024-05-03 13:55 UTC'
    """
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def percent(share: Any) -> str:
    """A share in per cent, three significant digits.

    >>> percent(0.0123456), percent(0.0)
    ('1.23 %', '0 %')
    """
    return f"{100 * share:.3g} %"


def some(names: list[str], total: int, most: int = 5) -> str:
    """A few names, and how many more there are in all: the list itself may end before the last one.

    >>> some(["a", "b", "c"], 3, most=2), some(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    shown = names[:most]
    more = total - len(shown)
    return f"{', '.join(shown)} and {more:,} more" if more else ", ".join(shown)
