"""Sets a key aside that sends almost nothing but what is refused for what it holds. Pure; the time is an argument.

Each refused item is charged like a good one, but reading it, and saying of each what is wrong, costs more than the rate
says. A sender whose program is broken goes on for days; told once, and loudly, it is mended sooner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from dataclasses import dataclass, field

WINDOW_SECONDS = 60
"""Items of the last minute are judged, so that a good sender's bad second is none."""
FIRST_SECONDS, LONGEST_SECONDS = 10.0, 600.0
"""How long a quarantine lasts; each lasts twice as long as the one before."""
FORGIVEN_SECONDS = 600.0
"""Who is not set aside again for so long begins anew."""


@dataclass(slots=True)
class Second:
    """Items of one second: how many, how many of them were refused, and what the first of those held."""

    at: int
    sent: int
    refused: int
    why: str


@dataclass(slots=True)
class Conduct:
    """What one key sent lately, and its quarantine, be it over."""

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
        More than this share of the items must have been refused; 1: no key is ever set aside.
    least
        So many items must have been sent, at least.

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
        """Seconds for which a key is still set aside; 0 when it is not."""
        conduct = self.of.get(name)
        return max(0.0, conduct.until - now) if conduct else 0.0

    def why(self, name: str) -> str:
        """Say what set a key aside, for a person."""
        return self.of[name].why

    def note(self, name: str, sent: int, refused: int, why: str, now: float) -> bool:
        """Take note of items of a key; returns whether they set it aside.

        Parameters
        ----------
        name
            Of the key.
        sent, refused
            Items, and how many of them were refused for what they hold.
        why
            Reason and detail of the first of those.
        now
            Monotonic time, seconds.
        """
        conduct = self.of.get(name)
        if conduct is None:
            conduct = self.of[name] = Conduct()
        if now < conduct.until:
            return False  # its requests that were under way: what they hold is judged already
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
        conduct.seconds.clear()  # it begins anew, and is judged by what it sends then
        return True

    def keep(self, names: Set[str]) -> None:
        """Forget all other keys."""
        self.of = {name: conduct for name, conduct in self.of.items() if name in names}
