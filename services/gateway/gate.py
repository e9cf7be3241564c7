"""Who may send what: bearer key, arena and rate, each as a refusal or nothing."""

from __future__ import annotations

import time

from starlette.requests import Request

from services.web.bucket import Limiter
from services.web.keys import Key, KeyRing
from services.web.refusal import Refusal, Refused, retry_after
from streams.contracts.settings import Settings


class Gate:
    """The checks of one process. Rates are counted here, so each process of several grants its own."""

    def __init__(self, settings: Settings) -> None:
        self._ring = KeyRing(settings.api_keys_file)
        self._limiter = Limiter(settings.rate_limit, settings.rate_burst)

    def enter(self, request: Request) -> Key:
        """Key of a request, before its body is read; raises `Refused` when it is unknown or has spent its rate."""
        now = time.monotonic()
        header = request.headers.get("authorization")
        if header is None:
            raise _unauthorized("send `Authorization: Bearer <key>`", "Bearer")
        key = self._ring.find(header, now)
        if key is None:
            raise _unauthorized("this bearer key is not known", 'Bearer error="invalid_token"')
        _limited(key, self._limiter.wait(key.name, now))
        return key

    def spend(self, key: Key, votes: int) -> None:
        """Take so many votes off the key's rate; raises `Refused` when it has them not."""
        _limited(key, self._limiter.take(key.name, votes, time.monotonic()))

    def charge(self, key: Key, votes: int) -> None:
        """Take so many votes off the key's rate, be it a debt; refuses nothing."""
        self._limiter.charge(key.name, votes, time.monotonic())

    @staticmethod
    def arena(key: Key, arena: str, where: str = "") -> None:
        """Check that the key may write to the arena; raises `Refused`."""
        if not key.may_write(arena):
            raise Refused(Refusal.FORBIDDEN, f"{where}key {key.name!r} may not write to arena {arena!r}")


def _unauthorized(detail: str, challenge: str) -> Refused:
    return Refused(Refusal.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})


def _limited(key: Key, wait: float) -> None:
    if wait > 0:
        detail = f"key {key.name!r} has sent too many votes: wait {wait:.1f} s"
        raise Refused(Refusal.RATE_LIMITED, detail, retry_after(wait))
