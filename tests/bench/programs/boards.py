"""Reads the head of a published board without decoding its lines, so that a watcher uses little processor time."""

from __future__ import annotations

import msgspec

from streams.contracts.view import Position


class Head(msgspec.Struct):
    """The part of a board that a watcher needs; the list of models is skipped, not decoded."""

    battles: int
    position: Position


_head = msgspec.json.Decoder(Head).decode


def head(text: bytes | str) -> Head:
    """Battles and position of a board."""
    return _head(text)


def battles_of(text: bytes | str | None) -> int:
    """Number of battles that a board counts; 0 without a board."""
    return head(text).battles if text else 0
