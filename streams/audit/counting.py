"""Numbers of things in a sentence."""

from __future__ import annotations


def many(count: int, thing: str) -> str:
    """A number and its noun.

    >>> many(1, "model"), many(1234, "vote")
    ('1 model', '1,234 votes')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
