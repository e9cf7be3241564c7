"""The fetch wait: longer while a broker returns nothing although there are records. Pure.

The embedded broker returns nothing when collecting the records takes longer than the fetch wait. That time grows with
the number of batches, so repeating the same request would never return any.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_WAIT_MS = 1_000


@dataclass(slots=True)
class FetchWait:
    """The wait of the next fetch, in ms, and the fetches that led to it; starts at `shortest` and returns to it.

    >>> wait = FetchWait(20)
    >>> [wait.look(came=False, behind=True, now=0.0) for _ in range(4)]
    [20, 40, 80, 160]
    >>> wait.look(came=True, behind=True, now=1.0), wait.look(came=True, behind=False, now=2.0)
    (160, 20)
    """

    shortest: int
    wait_ms: int = field(init=False)
    empty: int = 0
    came_at: float | None = None

    def __post_init__(self) -> None:
        self.wait_ms = self.shortest

    def look(self, *, came: bool, behind: bool, now: float) -> int:
        """Note whether a fetch returned records and whether more exist; return the next wait."""
        self.empty = 0 if came else self.empty + 1
        if came:
            self.came_at = now
        if not behind:
            self.wait_ms = self.shortest
        elif self.empty > 1:
            self.wait_ms = max(self.shortest, min(LONGEST_WAIT_MS, 2 * self.wait_ms))
        return self.wait_ms

    def told(self, now: float) -> str:
        """Describe what the last fetches brought."""
        last = "no records yet" if self.came_at is None else f"last records {now - self.came_at:.0f} s ago"
        return f"{last}, {self.empty} empty fetches since, each waiting up to {self.wait_ms} ms"
