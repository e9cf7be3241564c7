"""Options of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Options of an audit.

    Attributes
    ----------
    cutoff
        Votes a day up to which a model is inactive; None for 10, or a tenth of the median gain of the running models
        if that is less.
    window_days
        Length of the last period, over which inactivity and shares are reported.
    notice_days
        Least number of days between the announcement and the end of a model that count as notice.
    arena
        Name in the alerts.
    runbooks
        Base URL of the runbooks; None for the repository's.
    providers
        Aliases of providers, each mapped to the name used in the report.
    precision
        The unit to which the file's totals are rounded; 0 when they are exact.
    """

    cutoff: float | None = None
    window_days: float = 30.0
    notice_days: float = 14.0
    arena: str = "text"
    runbooks: str | None = None
    providers: Mapping[str, str] = field(default_factory=dict)
    precision: float = 0.0
