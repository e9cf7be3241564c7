"""Remarks: oddities of the feed itself. A remark is not an alert about a model."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Oddity(StrEnum):
    """Kinds of remarks: a closed set."""

    DUPLICATE_ROWS = "duplicate_rows"
    """The same model twice in one snapshot."""
    MISSING_VALUES = "missing_values"
    """Rows without a usable number of votes."""
    ZERO_SNAPSHOT = "zero_snapshot"
    """A snapshot in which most totals are zero: the feed is broken, the models are not gone."""
    ZERO_ROWS = "zero_rows"
    """Single totals that fell to zero; read as missing."""
    PARTIAL_SNAPSHOT = "partial_snapshot"
    """A snapshot with less than half of the rows of the one before."""
    FROZEN = "frozen"
    """No total grew between two snapshots."""
    GAP = "gap"
    """Far more days between two snapshots than usual."""
    CORRECTION = "correction"
    """Totals that fell: votes were taken out afterwards."""
    RESET = "reset"
    """A model whose total was reset."""
    RESTATED = "restated"
    """The source recounted nearly all totals at once; their gains in that interval are unknown."""
    NAMING_SWITCH = "naming_switch"
    """Many models took another name at once."""
    SOURCE_SWITCH = "source_switch"
    """Many models appeared, or were listed again, at once."""
    DEPTH = "depth"
    """The snapshots are the top of a longer board."""
    FLICKER = "flicker"
    """Models that were off the board for a short time."""
    WITHDRAWN = "withdrawn"
    """A model that was off the board for longer and came back."""
    FIRST_ROWS = "first_rows"
    """Models whose first row includes earlier votes, which do not count as gained."""
    STOPPED_TOGETHER = "stopped_together"
    """Most models stopped in the same interval: a fault of the feed or one decision, not single removals."""
    MOVED_TOGETHER = "moved_together"
    """Most models that had stopped gained again in the same interval: the source recounted totals."""
    LATE_COUNT = "late_count"
    """Models that stood still and then caught up: their votes were counted late."""
    OUT_OF_PROPORTION = "out_of_proportion"
    """Pauses with more expected votes than the models ever had; not reported as pauses."""
    SHRANK = "shrank"
    """Models that stood still while corrections outweighed their votes."""
    SMALL = "small"
    """Too little data for a statement."""


class Remark(msgspec.Struct, frozen=True, omit_defaults=True):
    """One remark.

    Attributes
    ----------
    kind
        Kind of oddity.
    text
        One sentence or more for a person.
    date, until
        Dates of the first and last snapshot that it is about, as text.
    count
        Number of models, rows or snapshots.
    models
        Names of some of the models (at most ten).
    """

    kind: Oddity
    text: str
    date: str | None = None
    until: str | None = None
    count: int = 0
    models: list[str] = []


def some(names: list[str], most: int = 10) -> list[str]:
    """Return the first names in sorted order, so that a remark stays short."""
    return sorted(names)[:most]
