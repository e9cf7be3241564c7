"""Bounds the bytes of requests that the gateway holds at once, in total and per key. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.http.errors import Refusal, Refused, retry_after

SHARE = 4
"""One key may hold `limit / SHARE`: a quarter."""
RETRY_SECONDS = 1.0
REQUEST_BYTES = 8_192
"""What a request holds besides its body: a socket, its headers, its place in the queue. It limits a key to about 2,000
requests in flight by default, however small, so that one key cannot use all sockets of the process."""


@dataclass(slots=True)
class Holding:
    """Bytes held per key: a body from its first chunk until the request is answered, a large answer until it is sent.

    Parameters
    ----------
    limit
        Total bytes.
    """

    limit: int
    total: int = 0
    of: dict[str, int] = field(default_factory=dict)

    def hold(self, key: str, size: int) -> None:
        """Hold `size` more bytes for a key; raises `Refused` when there is no room."""
        mine = self.of.get(key, 0) + size
        if mine > self.limit // SHARE or self.total + size > self.limit:
            whose = f"of key {key!r}" if mine > self.limit // SHARE else "of all keys"
            detail = f"the requests in progress {whose} use all the memory they may: send fewer at once"
            reason = Refusal.RATE_LIMITED if mine > self.limit // SHARE else Refusal.UNAVAILABLE
            raise Refused(reason, detail, retry_after(RETRY_SECONDS))
        self.keep(key, size)

    def keep(self, key: str, size: int) -> None:
        """Hold `size` more bytes for a key, even beyond its limit; `hold` then refuses its next requests."""
        self._change(key, size)

    def release(self, key: str, size: int) -> None:
        """Release `size` bytes of a key."""
        self._change(key, -size)

    def _change(self, key: str, size: int) -> None:
        """Add `size` to a key. The total counts each key up to its share: the excess of one does not block others."""
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
        """Hold `REQUEST_BYTES` for the request itself; raises `Refused`."""
        self.more(REQUEST_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        """Release all."""
        self.holding.release(self.key, self.size)

    def more(self, size: int) -> None:
        """Hold `size` more bytes; raises `Refused`."""
        self.holding.hold(self.key, size)
        self.size += size
