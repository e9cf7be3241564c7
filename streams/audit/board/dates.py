"""Format dates, durations and counts for sentences; times are epoch seconds, and no clock is read."""

from __future__ import annotations

import numpy as np

DAY = 86_400.0


def iso(seconds: float) -> str:
    """Format a date, with the time if it is not midnight (UTC).

    >>> iso(1718755200.0), iso(1718755200.0 + 3661)
    ('2024-06-19', '2024-06-19T01:01:01Z')
    """
    moment = str(np.datetime64(int(seconds), "s"))
    return moment.removesuffix("T00:00:00") if moment.endswith("T00:00:00") else f"{moment}Z"


def days(start: float, end: float) -> float:
    """Days between two moments."""
    return float(end - start) / DAY


def in_days(length: float) -> str:
    """Format a duration in days for a sentence, in minutes where it rounds to no tenth of a day.

    >>> in_days(1.0), in_days(18.0), in_days(0.5), in_days(20 / 1440)
    ('1 day', '18 days', '0.5 days', '20 minutes')
    """
    if 0 < length < 0.05:
        return many(round(length * 1440), "minute")
    text = f"{length:.0f}" if abs(length - round(length)) < 0.05 else f"{length:.1f}"
    return f"{text} day" if text == "1" else f"{text} days"


def many(count: int, thing: str) -> str:
    """Format a number and its noun.

    >>> many(1, "model"), many(1234, "vote")
    ('1 model', '1,234 votes')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
