"""Text of files made safe to show: no control characters reach a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text, with a mark in place of what cannot be printed.

    >>> printable("a\x1b[31mb")
    'a�[31mb'
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)
