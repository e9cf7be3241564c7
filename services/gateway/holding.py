"""Bytes of requests that the gateway holds at once: bounded in all, and of each key. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.http.errors import Refusal, Refused, retry_after

SHARE = 4
"""One key may hold this part of all: a fourth."""
RETRY_SECONDS = 1.0
REQUEST_BYTES = 8_192
"""What a request holds besides its body: a socket, its headers, its place in the queue. So that a key may have two
thousand requests under way by default, however small, and not all that a process may open."""


@dataclass(slots=True)
class Holding:
    """What is held, from the first piece of a body until the request is answered, and a large answer until it is read.

    Parameters
    ----------
    limit
        Bytes in all.
    """

    limit: int
    total: int = 0
    of: dict[str, int] = field(default_factory=dict)

    def hold(self, key: str, size: int) -> None:
        """Hold so many bytes more for a key; raises `Refused` when there is no room."""
        mine = self.of.get(key, 0) + size
        if mine > self.limit // SHARE or self.total + size > self.limit:
            whose = f"of key {key!r}" if mine > self.limit // SHARE else "of all keys"
            detail = f"the requests under way {whose} hold as much as they may: send fewer at once"
            reason = Refusal.RATE_LIMITED if mine > self.limit // SHARE else Refusal.UNAVAILABLE
            raise Refused(reason, detail, retry_after(RETRY_SECONDS))
        self.keep(key, size)

    def keep(self, key: str, size: int) -> None:
        """Hold so many bytes more for a key, room or not: what follows waits for it."""
        self._change(key, size)

    def release(self, key: str, size: int) -> None:
        """Hold so many bytes no more."""
        self._change(key, -size)

    def _change(self, key: str, size: int) -> None:
        """Count it; in all, a key counts with its part at most: what it holds beyond that is no other's trouble."""
        before, part = self.of.get(key, 0), self.limit // SHARE
        after = max(0, before + size)
        self.total += min(after, part) - min(before, part)
        if after:
            self.of[key] = after
        else:
            self.of.pop(key, None)


@dataclass(slots=True)
class Held:
    """What one request holds; use as a context manager.

    >>> holding = Holding(40_000)
    >>> with Held(holding, "key") as held:
    ...     held.more(60)
    ...     holding.total
    8252
    >>> holding.total, holding.of
    (0, {})
    """

    holding: Holding
    key: str
    size: int = 0

    def __enter__(self) -> Held:
        """Hold the request itself; raises `Refused`."""
        self.more(REQUEST_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all."""
        self.holding.release(self.key, self.size)

    def more(self, size: int) -> None:
        """Hold so many bytes more; raises `Refused`."""
        self.holding.hold(self.key, size)
        self.size += size
