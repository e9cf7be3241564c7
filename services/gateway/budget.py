"""What one key may use: bytes of its requests under way, and names within a day. Pure; the time is an argument.

The names are arenas, models that are declared, and models in votes. Each costs the sender a record at most, and takes
series and state in every later stage.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.http.errors import Refusal, Refused, retry_after

SHARE = 4
"""One key may hold `limit / SHARE`: a quarter."""
RETRY_SECONDS = 1.0
REQUEST_BYTES = 8_192
"""What a request holds besides its body: a socket, its headers, its place in the queue. It limits a key to about 2,000
requests in flight by default, however small, so that one key cannot use all sockets of the process."""
DAY = 86_400.0
"""A name is forgotten this long after its last use."""

Holder = TypeVar("Holder", bound=Hashable)


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


@dataclass(slots=True)
class Budget(Generic[Holder]):
    """Names that each holder has used within a day; holders and names are ordered by last use, newest last.

    Only the hash of a name is stored: even so, 2,000 models in each of 100 arenas of one key take tens of megabytes.
    Two names with the same hash count as one, which does no harm.

    Parameters
    ----------
    most
        Maximum of different names per holder; 0: no limit.

    >>> budget = Budget[str](2)
    >>> [budget.use("key", arena, now) for now, arena in enumerate(["text", "code", "text", "more"])]
    [0.0, 0.0, 0.0, 86398.0]
    >>> budget.use("other", "more", 4.0), budget.use("key", "more", 1.0 + DAY)
    (0.0, 0.0)
    """

    most: int
    used: OrderedDict[Holder, OrderedDict[int, float]] = field(default_factory=OrderedDict)

    def use(self, holder: Holder, name: str, now: float) -> float:
        """Let a holder use a name and return 0, or return the seconds until there is room for one more."""
        if not self.most:
            return 0.0
        names = self.used.get(holder)
        if names is None:
            self._forget(now)
            names = self.used[holder] = OrderedDict()
        digest = hash(name)
        if digest not in names:
            while names and (oldest := next(iter(names.values()))) + DAY <= now:
                names.popitem(last=False)
            if len(names) >= self.most:
                return oldest + DAY - now
        names[digest] = now
        names.move_to_end(digest)
        self.used.move_to_end(holder)
        return 0.0

    def use_all(self, holder: Holder, names: Iterable[str], now: float) -> set[str]:
        """Let a holder use names, and return those for which there is no room; 50,000 names take milliseconds."""
        left: set[str] = set()
        for name in names:
            # Once one name has found no room, no other new name can: skip `use` for these.
            if (left and hash(name) not in self.used[holder]) or self.use(holder, name, now):
                left.add(name)
        return left

    def count(self, holder: Holder, now: float) -> int:
        """Number of different names that a holder has used within a day."""
        return sum(used + DAY > now for used in self.used.get(holder, {}).values())

    def keep(self, stays: Callable[[Holder], bool]) -> None:
        """Forget the holders for which `stays` is false."""
        for holder in [each for each in self.used if not stays(each)]:
            del self.used[holder]

    def _forget(self, now: float) -> None:
        """Forget the holders that have used nothing for a day."""
        while self.used:
            holder, names = next(iter(self.used.items()))
            if next(reversed(names.values())) + DAY > now:
                return
            del self.used[holder]
