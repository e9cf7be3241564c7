"""What is said of an arena that a fold has stopped: the hash in Redis that boards and the operator read."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

RELEASE = "release:"
"""Field with which the operator asks a fold, named behind it, to try again."""


class Stopped(msgspec.Struct, frozen=True):
    """Since when nothing more of an arena is folded, epoch seconds, and why; the reason is the operator's alone."""

    since: float
    why: str = ""


_decode = msgspec.json.Decoder(Stopped).decode
encode_stopped = msgspec.json.Encoder().encode


def read_stopped(fields: Mapping[bytes, bytes]) -> dict[str, Stopped]:
    """Read the hash, by fold; what is none of ours is left out.

    >>> read_stopped({b"ratings": b'{"since":7.0,"why":"x"}', b"release:ratings": b"", b"fairness": b"?"})
    {'ratings': Stopped(since=7.0, why='x')}
    """
    found = {}
    for name, text in sorted(fields.items()):
        try:
            found[name.decode()] = _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # a release, or what somebody else wrote
            continue
    return found
