"""Checks query parameters: only known ones, each at most once, with valid values."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request

from services.http.errors import Refusal, Refused

Word = TypeVar("Word", bound=StrEnum)


def only(request: Request, *known: str) -> None:
    """Refuse a request with an unknown or repeated parameter: an ignored one would seem to have an effect.

    Raises `Refused`, which names the known ones.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    named = f"there are: {', '.join(known)}" if known else "there are none"
    for name in given:
        if name not in known:
            raise Refused(Refusal.INVALID_QUERY, f"there is no parameter {name[:40]!r} here; {named}")
        if given.count(name) > 1:
            raise Refused(Refusal.INVALID_QUERY, f"{name} is given {given.count(name)} times: give it once")


def one_of(kind: type[Word], name: str, text: str) -> Word:
    """Read a parameter that is one of a few words; raises `Refused`."""
    try:
        return kind(text)
    except ValueError:
        raise Refused(Refusal.INVALID_QUERY, f"{name}={text[:40]!r}: use {', '.join(kind)}") from None


def whole(name: str, text: str, least: int, most: int) -> int:
    """Read a parameter that is a whole number within bounds; raises `Refused`.

    >>> whole("limit", "7", 1, 10)
    7
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise Refused(Refusal.INVALID_QUERY, f"{name}={text[:40]!r}: use a whole number from {least} to {most}")
    return int(text)
