"""What happens to a supervised child, and how patient its supervisor is."""

from dataclasses import dataclass
from enum import StrEnum


class Happening(StrEnum):
    """What can happen to a child."""

    STARTED = "started"
    EXITED = "exited"
    START_FAILED = "start_failed"
    RESTARTED = "restarted"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Report:
    """One happening.

    `code` is the exit code (negative for a signal), `restarts` how often the child has been restarted so far, `delay`
    the seconds until the next try, `detail` the message of a failed start, or the last line of what exited.
    """

    name: str
    what: Happening
    restarts: int = 0
    code: int | None = None
    delay: float | None = None
    detail: str = ""


class GaveUpError(RuntimeError):
    """A child failed too often in a row; the others have been stopped."""


@dataclass(frozen=True)
class Patience:
    """When to try again and when to give up.

    A run shorter than `quick` seconds is a quick failure. The n-th quick failure in a row waits
    `first_delay · 2^(n-1)` seconds, at most `longest_delay`, and number `quick_failures` is the last one.
    """

    quick: float = 10.0
    quick_failures: int = 6
    first_delay: float = 0.2
    longest_delay: float = 10.0

    def delay(self, quick_failures: int) -> float:
        """Return the seconds to wait; none after a run that was not quick."""
        return min(self.longest_delay, self.first_delay * 2.0 ** (quick_failures - 1)) if quick_failures else 0.0
