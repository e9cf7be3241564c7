"""Authentication of subscribers by bearer key, and their rate limits."""

from __future__ import annotations

import time

from starlette.requests import Request

from services.http.api_keys import Key, KeyRing
from services.http.errors import Refusal, Refused, retry_after
from services.http.rate_limit import Limiter
from streams.contracts.settings import Settings

CALLS_PER_SECOND, CALLS_AT_ONCE = 20.0, 100.0
TESTS_PER_SECOND, TESTS_AT_ONCE = 1 / 6, 5.0
"""A test sends a request to any URL that the owner chooses, so tests have a much lower limit."""


class SubscriberGate:
    """The checks of one process. Rates are counted per process, so several processes allow several times as much."""

    def __init__(self, settings: Settings) -> None:
        self._ring = KeyRing(settings.subscriber_keys_file)
        self._names = self._ring.names
        self._calls = Limiter(CALLS_PER_SECOND, CALLS_AT_ONCE)
        self._tests = Limiter(TESTS_PER_SECOND, TESTS_AT_ONCE)

    def enter(self, request: Request) -> Key:
        """Key of a request; raises `Refused` if it is unknown or calls too often."""
        now = time.monotonic()
        header = request.headers.get("authorization")
        if header is None:
            detail = "send `Authorization: Bearer <key>`"
            raise Refused(Refusal.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
        key = self._ring.find(header, now)
        if self._ring.names is not self._names:
            self._names = self._ring.names
            self._calls.keep(self._names)
            self._tests.keep(self._names)
        if key is None:
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Refused(Refusal.UNAUTHORIZED, "unknown bearer key", challenge)
        _limited(self._calls.take(key.name, 1, now))
        return key

    def test(self, key: Key) -> None:
        """Count one test message; raises `Refused` if there were too many."""
        _limited(self._tests.take(key.name, 1, time.monotonic()))


def _limited(wait: float) -> None:
    if wait > 0:
        raise Refused(Refusal.RATE_LIMITED, f"too many requests: wait {wait:.1f} s", retry_after(wait))
