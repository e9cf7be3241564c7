"""When a failed message is tried again. Pure; the jitter is a function of the message's id, so a restart keeps it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from streams.contracts.settings import InvalidSetting

JITTER = 0.2
"""A wait is drawn out by up to this share: those that failed together do not come back together."""

LONGEST_RETRY_AFTER = 86_400.0
"""An endpoint may ask for a day of peace, not for more."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts; after the last there is none.

    >>> Backoff.read("5, 300").waits
    (5.0, 300.0)
    """

    waits: tuple[float, ...]

    @classmethod
    def read(cls, text: str) -> Backoff:
        """Read the setting; raises `InvalidSetting`."""
        try:
            waits = tuple(float(word) for word in text.split(",")) if text.strip() else ()
        except ValueError:
            waits = (-1.0,)
        if not all(0 <= wait <= 30 * 86_400 for wait in waits):
            raise InvalidSetting(f"ISONOMY_HERALD_RETRY_SECONDS={text!r}: seconds, separated by commas")
        return cls(waits)

    def wait(self, message: str, attempts: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait after so many attempts; `None` when it is given up.

        Parameters
        ----------
        message
            Its id, for the jitter.
        attempts
            Made so far, at least 1.
        retry_after
            What the endpoint asked for: never earlier than that, up to a day.

        >>> five = Backoff((5.0,))
        >>> 5.0 <= five.wait("msg_1", 1) <= 6.0, five.wait("msg_1", 1, retry_after=60), five.wait("msg_1", 2)
        (True, 60.0, None)
        """
        if attempts > len(self.waits):
            return None
        digest = hashlib.sha256(f"{message}/{attempts}".encode()).digest()
        drawn = self.waits[attempts - 1] * (1 + JITTER * int.from_bytes(digest[:8]) / 2**64)
        return max(drawn, float(min(retry_after or 0.0, LONGEST_RETRY_AFTER)))


def read_retry_after(value: str | None, now: float) -> float | None:
    """Seconds of a Retry-After header: a number or a date; `None` when it says nothing that can be used.

    >>> [read_retry_after(text, now=10.0) for text in ("120", "Thu, 01 Jan 1970 00:01:00 GMT", "soon", None)]
    [120.0, 50.0, None, None]
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
