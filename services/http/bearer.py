"""The gate that all keyed routes stand behind: a request's bearer key, or the refusal, and the rate of a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request

from services.http.api_keys import Key, KeyRing
from services.http.errors import Refusal, Refused, retry_after


class BearerGate:
    """Finds the key of a request.

    Parameters
    ----------
    path
        The key file; without one (`None`) no key is known.
    keep
        Called with the names of all keys whenever the file was read anew: what is counted for others can be forgotten.

    Raises
    ------
    InvalidKeyFile
        When the file cannot be used.
    """

    def __init__(self, path: Path | None, keep: Callable[[frozenset[str]], None]) -> None:
        self._ring = KeyRing(path)
        self._names = self._ring.names
        self._keep = keep

    def enter(self, request: Request, now: float) -> Key:
        """Key of a request, found before its body is read; raises `Refused`. `now` is monotonic time."""
        header = request.headers.get("authorization")
        if header is None:
            raise _unauthorized("send `Authorization: Bearer <key>`", "Bearer")
        key = self._ring.find(header, now)
        if self._ring.names is not self._names:
            self._names = self._ring.names
            self._keep(self._names)
        if key is None:
            raise _unauthorized("unknown bearer key", 'Bearer error="invalid_token"')
        return key


def check_rate(wait: float, what: str) -> None:
    """Refuse what may pass in `wait` seconds only; raises `Refused`. `what` says what there was too much of."""
    if wait > 0:
        raise Refused(Refusal.RATE_LIMITED, f"{what}: wait {wait:.1f} s", retry_after(wait))


def _unauthorized(detail: str, challenge: str) -> Refused:
    return Refused(Refusal.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})
