"""The notice that a fold has stopped an arena: a string in Redis that boards and the operator read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP

FOLDS = (RATINGS_GROUP, FAIRNESS_GROUP)
LAST = 4e9
"""Latest valid time of a stop, epoch seconds."""


class Stopped(msgspec.Struct, frozen=True):
    """Since when a fold has stopped an arena, epoch seconds, and why; only the operator sees the reason."""

    since: float
    why: str = ""


_decode = msgspec.json.Decoder(Stopped).decode
encode_stopped = msgspec.json.Encoder().encode


def read_stopped(texts: Sequence[bytes | None]) -> dict[str, Stopped]:
    """Decode an arena's notice of each of `FOLDS`; foreign values are left out.

    >>> read_stopped([b'{"since":7.0,"why":"x"}', None])
    {'ratings': Stopped(since=7.0, why='x')}
    """
    found = {}
    for fold, text in zip(FOLDS, texts, strict=True):
        try:
            stopped = None if text is None else _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # a foreign value
            continue
        if stopped is not None and 0 <= stopped.since < LAST:
            found[fold] = stopped
    return found
