"""What the person who audits chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of an audit.

    Attributes
    ----------
    cutoff
        Votes a day up to which a model is inactive; None for 10, or for a tenth of what the running models of the file
        gain if that is less.
    window_days
        Length of the last period, over which inactivity and shares are told.
    notice_days
        Days between the announcement and the end of a model that count as notice.
    arena
        Name in the alerts.
    runbooks
        Where the runbooks are; None for the repository's.
    providers
        Other names of providers to the one they are told under.
    precision
        The unit that the file's totals are rounded to; 0 when they are exact.
    """

    cutoff: float | None = None
    window_days: float = 30.0
    notice_days: float = 14.0
    arena: str = "text"
    runbooks: str | None = None
    providers: Mapping[str, str] = field(default_factory=dict)
    precision: float = 0.0
