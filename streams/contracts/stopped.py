"""What is said of an arena that a fold has stopped: a string in Redis that boards and the operator read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.contracts.topics import FAIRNESS_GROUP, RATINGS_GROUP

FOLDS = (RATINGS_GROUP, FAIRNESS_GROUP)
LAST = 4e9
"""No moment that was seen lies so late, in epoch seconds."""


class Stopped(msgspec.Struct, frozen=True):
    """Since when nothing more of an arena is folded, epoch seconds, and why; the reason is the operator's alone."""

    since: float
    why: str = ""


_decode = msgspec.json.Decoder(Stopped).decode
encode_stopped = msgspec.json.Encoder().encode


def read_stopped(texts: Sequence[bytes | None]) -> dict[str, Stopped]:
    """Read what is said of an arena by each of `FOLDS`; what is none of ours is left out.

    >>> read_stopped([b'{"since":7.0,"why":"x"}', None])
    {'ratings': Stopped(since=7.0, why='x')}
    """
    found = {}
    for fold, text in zip(FOLDS, texts, strict=True):
        try:
            stopped = None if text is None else _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # somebody else wrote it
            continue
        if stopped is not None and 0 <= stopped.since < LAST:
            found[fold] = stopped
    return found
