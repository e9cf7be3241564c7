"""The alerts that have ended, newest first and bounded; records are taken in the order of the topic. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MOST = 1_000
"""Maximum of ended alerts kept per arena."""


class Statement(msgspec.Struct, frozen=True):
    """The fields of an alert that are used here."""

    id: str
    arena: str
    status: str
    ends_at: float | None = None


_statement = msgspec.json.Decoder(Statement)


class PastAlerts:
    """Ended alerts of every arena, in the order in which they ended."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._ended: dict[str, dict[str, bytes]] = {}
        self.taken = 0
        """Number of records that changed something: while it is the same, so are the answers."""

    def take(self, value: bytes) -> Statement | None:
        """Take one record of the topic; returns the statement when it ends an alert that had not ended before.

        Raises one of `cache.UNREADABLE`.

        >>> past = PastAlerts()
        >>> record = b'{"id":"a-1","arena":"text","status":"resolved"}'
        >>> past.take(record).id, past.take(record), past.of("text")
        ('a-1', None, [b'{"id":"a-1","arena":"text","status":"resolved"}'])
        """
        statement = _statement.decode(value)
        if statement.status != "resolved":
            return None
        ended = self._ended.setdefault(statement.arena, {})
        new = statement.id not in ended
        self.taken += 1
        ended[statement.id] = value
        if len(ended) > self._most:
            del ended[next(iter(ended))]
        return statement if new else None

    def of(self, arena: str, but: Iterable[str] = ()) -> list[bytes]:
        """Ended alerts of an arena as JSON, latest first, without those in `but`, which fire again."""
        firing = set(but)
        return [value for identity, value in reversed(self._ended.get(arena, {}).items()) if identity not in firing]
