"""Backoff: when a failed message is retried. Pure. The jitter depends on the message id, so a restart keeps it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from streams.contracts.settings import InvalidSetting

JITTER = 0.2
"""A wait grows by up to this share, so that messages that failed together are not retried together."""

LONGEST_RETRY_AFTER = 86_400.0
"""Longest Retry-After in seconds that the herald honours: one day."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts. After the last wait and attempt the message is dead.

    >>> Backoff.read("5, 300").waits
    (5.0, 300.0)
    """

    waits: tuple[float, ...]

    @classmethod
    def read(cls, text: str) -> Backoff:
        """Parse the setting; raises `InvalidSetting`."""
        try:
            waits = tuple(float(word) for word in text.split(",")) if text.strip() else ()
        except ValueError:
            waits = (-1.0,)
        if not all(0 <= wait <= 30 * 86_400 for wait in waits):
            raise InvalidSetting(f"ISONOMY_HERALD_RETRY_SECONDS={text!r}: seconds, separated by commas")
        return cls(waits)

    def wait(self, message: str, attempts: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait before the next attempt; `None` if there is none.

        Parameters
        ----------
        message
            Message id; determines the jitter.
        attempts
            Attempts made so far, at least 1.
        retry_after
            Seconds from the endpoint's Retry-After header: the lower bound of the wait, up to a day.

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
    """Parse a Retry-After header, a number or a date, into seconds; `None` if it is neither.

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
