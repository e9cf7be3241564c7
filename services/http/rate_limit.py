"""The rate limit of one key: a token bucket, counted in votes. Pure; the time is an argument."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """Tokens that come in at `rate` a second, up to `burst`.

    A request larger than the burst passes when the bucket is full and leaves a debt: otherwise it could never pass,
    and the mean rate still holds.

    >>> bucket = Bucket(rate=10, burst=20)
    >>> bucket.take(15, now=0.0), bucket.take(15, now=0.0), bucket.take(15, now=1.0)
    (0.0, 1.0, 0.0)
    """

    rate: float
    burst: float
    tokens: float = field(init=False)
    at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def wait(self, votes: int, now: float) -> float:
        """Seconds until `votes` may pass; 0 when they may pass now."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        missing = min(votes, self.burst) - self.tokens
        return max(0.0, missing / self.rate)

    def take(self, votes: int, now: float) -> float:
        """Let `votes` pass and return 0, or return the seconds to wait."""
        wait = self.wait(votes, now)
        if wait == 0:
            self.tokens -= votes
        return wait


@dataclass(slots=True)
class Limiter:
    """One bucket for each key's name; a rate of 0 is no limit. Names come from the key file, so there are few."""

    rate: float
    burst: float
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def wait(self, name: str, now: float) -> float:
        """Seconds until one vote of this key may pass, without taking it."""
        return self._bucket(name).wait(1, now) if self.rate else 0.0

    def take(self, name: str, votes: int, now: float) -> float:
        """Let `votes` of a key pass and return 0, or return the seconds to wait."""
        return self._bucket(name).take(votes, now) if self.rate else 0.0

    def charge(self, name: str, votes: int, now: float) -> None:
        """Take `votes` tokens, into a debt of one burst at most."""
        if self.rate:
            bucket = self._bucket(name)
            bucket.wait(0, now)  # adds the tokens of the time since the last call
            bucket.tokens = max(bucket.tokens - votes, -bucket.burst)

    def keep(self, names: Set[str]) -> None:
        """Forget all other keys."""
        self.buckets = {name: bucket for name, bucket in self.buckets.items() if name in names}

    def _bucket(self, name: str) -> Bucket:
        bucket = self.buckets.get(name)
        if bucket is None:
            bucket = self.buckets[name] = Bucket(self.rate, self.burst)
        return bucket
