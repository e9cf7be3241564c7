"""Quarantines a key when nearly all of its items are refused because of their content. Pure; the time is an argument.

A refused item is charged like a good one, but reading it and reporting its error costs more than the rate accounts for.
A sender whose program is broken continues for days; one loud refusal gets it fixed sooner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from dataclasses import dataclass, field

WINDOW_SECONDS = 60
"""Items of the last minute count, so that one bad second of a good sender does not matter."""
FIRST_SECONDS, LONGEST_SECONDS = 10.0, 600.0
"""Duration of the first and of the longest quarantine; each lasts twice as long as the one before."""
FORGIVEN_SECONDS = 600.0
"""A key that stays out of quarantine for this long starts over with `FIRST_SECONDS`."""


@dataclass(slots=True)
class Second:
    """Items of one second: how many, how many of them were refused, and why the first of those was."""

    at: int
    sent: int
    refused: int
    why: str


@dataclass(slots=True)
class Conduct:
    """What one key sent lately, and its current or last quarantine."""

    seconds: deque[Second] = field(default_factory=deque)
    until: float = float("-inf")
    length: float = 0.0
    why: str = ""


@dataclass(slots=True)
class Quarantine:
    """The conduct of each key.

    Parameters
    ----------
    share
        A key is quarantined when more than this share of its items was refused; 1 turns quarantine off.
    least
        Minimum of items sent within the window.

    >>> quarantine = Quarantine(share=0.9, least=1_000)
    >>> quarantine.note("a", 1_000, 957, "same_model: both sides are 'x'", now=0.0)
    True
    >>> quarantine.left("a", now=3.0), quarantine.left("b", now=3.0), quarantine.left("a", now=10.0)
    (7.0, 0.0, 0.0)
    >>> quarantine.why("a")
    "957 of its last 1,000 items were refused, first with same_model: both sides are 'x'"
    """

    share: float
    least: int
    of: dict[str, Conduct] = field(default_factory=dict)

    def left(self, name: str, now: float) -> float:
        """Seconds for which a key is still in quarantine; 0 when it is not."""
        conduct = self.of.get(name)
        return max(0.0, conduct.until - now) if conduct else 0.0

    def why(self, name: str) -> str:
        """Why a key was quarantined, for a person."""
        return self.of[name].why

    def note(self, name: str, sent: int, refused: int, why: str, now: float) -> bool:
        """Count items of a key; returns whether they put it in quarantine.

        Parameters
        ----------
        name
            Name of the key.
        sent, refused
            Items, and how many of them were refused because of their content.
        why
            Reason and detail of the first of those.
        now
            Monotonic time, seconds.
        """
        conduct = self.of.get(name)
        if conduct is None:
            conduct = self.of[name] = Conduct()
        if now < conduct.until:
            return False  # requests in flight when the quarantine began do not count again
        seconds = conduct.seconds
        if not seconds or seconds[-1].at != int(now):
            while seconds and seconds[0].at <= int(now) - WINDOW_SECONDS:
                seconds.popleft()
            seconds.append(Second(int(now), 0, 0, ""))
        last = seconds[-1]
        last.sent += sent
        last.refused += refused
        last.why = last.why or (why if refused else "")
        return refused > 0 and self._judge(conduct, now)

    def _judge(self, conduct: Conduct, now: float) -> bool:
        sent = sum(each.sent for each in conduct.seconds)
        refused = sum(each.refused for each in conduct.seconds)
        if sent < self.least or refused <= self.share * sent:
            return False
        again = now - conduct.until < FORGIVEN_SECONDS
        conduct.length = min(2 * conduct.length, LONGEST_SECONDS) if again else FIRST_SECONDS
        conduct.until = now + conduct.length
        first = next(each.why for each in conduct.seconds if each.refused)
        conduct.why = f"{refused:,} of its last {sent:,} items were refused, first with {first}"
        conduct.seconds.clear()  # after the quarantine, only new items count
        return True

    def keep(self, names: Set[str]) -> None:
        """Forget all other keys."""
        self.of = {name: conduct for name, conduct in self.of.items() if name in names}
