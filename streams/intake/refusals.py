"""When to stop: too many refused records in a row, or too large a share of them, mean a bad deploy, not bad votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class TooManyRefused(RuntimeError):  # noqa: N818 -- what happened, in words
    """Intake must stop before it empties a topic into the dead letters; a person has to look."""


class Refusals:
    """Follows the share of refused records of one partition.

    Like the id memory it is a function of the log, fed by the rebuild too, so a restart does not forget that the limit
    was reached.

    Parameters
    ----------
    run
        So many refused records in a row are too many.
    ratio
        A larger share of refused ones among the last `window` records is too much.
    window
        Records over which the share is taken; it is not judged before so many were read.
    """

    def __init__(self, run: int, ratio: float, window: int) -> None:
        self._longest, self._ratio, self._window = run, ratio, max(window, 1)
        self._recent = np.zeros(0, np.bool_)
        self._run = 0

    def observe(self, refused: NDArray[np.bool_]) -> None:
        """Take in, for each record in order, whether it was refused."""
        usable = np.flatnonzero(~refused)
        self._run = self._run + len(refused) if not len(usable) else len(refused) - 1 - int(usable[-1])
        self._recent = np.concatenate([self._recent, refused])[-self._window :]

    def check(self) -> None:
        """Raise `TooManyRefused` when a limit is passed.

        >>> refusals = Refusals(run=3, ratio=0.5, window=100)
        >>> refusals.observe(np.array([False, True, True, True]))
        >>> refusals.check()
        Traceback (most recent call last):
            ...
        streams.intake.refusals.TooManyRefused: the last 3 records were all refused (limit 3)
        """
        if self._run and self._run >= self._longest:
            raise TooManyRefused(f"the last {self._run} records were all refused (limit {self._longest})")
        share = float(self._recent.mean()) if len(self._recent) >= self._window else 0.0
        if share > self._ratio:
            raise TooManyRefused(
                f"{share:.0%} of the last {self._window} records were refused (limit {self._ratio:.0%})"
            )
