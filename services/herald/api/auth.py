"""Authentication of subscribers by bearer key, and their rate limits."""

from __future__ import annotations

import time

from starlette.requests import Request

from services.http.api_keys import Key
from services.http.bearer import BearerGate, check_rate
from services.http.rate_limit import Limiter
from streams.contracts.setting_groups import SubscriptionSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 20.0, 100.0
TESTS_PER_SECOND, TESTS_AT_ONCE = 1 / 6, 5.0
"""A test sends a request to any URL that the owner chooses, so tests have a much lower limit."""
TOO_MANY = "too many requests"


class SubscriberGate:
    """The checks of one process. Rates are counted per process, so several processes allow several times as much."""

    def __init__(self, settings: SubscriptionSettings) -> None:
        self._bearer = BearerGate(settings.keys_file, self._keep)
        self._calls = Limiter(CALLS_PER_SECOND, CALLS_AT_ONCE)
        self._tests = Limiter(TESTS_PER_SECOND, TESTS_AT_ONCE)

    def enter(self, request: Request) -> Key:
        """Key of a request; raises `Refused` if it is unknown or calls too often."""
        now = time.monotonic()
        key = self._bearer.enter(request, now)
        check_rate(self._calls.take(key.name, 1, now), TOO_MANY)
        return key

    def test(self, key: Key) -> None:
        """Count one test message; raises `Refused` if there were too many."""
        check_rate(self._tests.take(key.name, 1, time.monotonic()), TOO_MANY)

    def _keep(self, names: frozenset[str]) -> None:
        """Forget the keys that are no longer in the key file."""
        self._calls.keep(names)
        self._tests.keep(names)
