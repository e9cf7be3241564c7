"""Why something failed, in one line."""

from __future__ import annotations

from streams.contracts.names import shown

LONGEST = 500


def in_one_line(error: BaseException) -> str:
    r"""Return type and message, for the last line of a log; for an exception group, those of its first error.

    >>> in_one_line(ValueError("no\nnumber: \x1b"))
    'ValueError: no number: \\x1b'
    >>> in_one_line(ExceptionGroup("two", [ExceptionGroup("in it", [KeyError("a")]), ValueError("b")]))
    "KeyError: 'a'"
    >>> in_one_line(TimeoutError())
    'TimeoutError'
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    return shown(f"{type(error).__name__}: {text}" if text else type(error).__name__)[:LONGEST]
