"""Remarks: what is odd about the feed itself. They accuse no model."""

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
    """A model whose total began again."""
    RESTATED = "restated"
    """Nearly all totals were counted anew at once; what they gained in that interval is unknown."""
    NAMING_SWITCH = "naming_switch"
    """Many models took another name at once."""
    SOURCE_SWITCH = "source_switch"
    """Many models appeared, or were listed again, at once."""
    DEPTH = "depth"
    """The snapshots are the top of a longer board."""
    FLICKER = "flicker"
    """Models that were off the board in passing."""
    WITHDRAWN = "withdrawn"
    """A model that was off the board for longer and came back."""
    FIRST_ROWS = "first_rows"
    """Models whose first row carries earlier votes; these are nobody's gain."""
    STOPPED_TOGETHER = "stopped_together"
    """Most models stopped in the same interval: the feed, or a decision; not removals one by one."""
    MOVED_TOGETHER = "moved_together"
    """Most models that had stopped gained again in the same interval: totals were counted anew."""
    LATE_COUNT = "late_count"
    """Models that stood still and then caught up: their votes were counted late."""
    OUT_OF_PROPORTION = "out_of_proportion"
    """Pauses in which more was to be expected than the models ever had; not claimed."""
    SHRANK = "shrank"
    """Models that stood still for as long as corrections outweighed their votes."""
    SMALL = "small"
    """Too little data for a statement."""


class Remark(msgspec.Struct, frozen=True, omit_defaults=True):
    """One remark.

    Attributes
    ----------
    kind
        Which oddity.
    text
        One sentence for a person.
    date, until
        First and last snapshot it is about, as written dates.
    count
        How many models, rows or snapshots.
    models
        Some of them (at most ten).
    """

    kind: Oddity
    text: str
    date: str | None = None
    until: str | None = None
    count: int = 0
    models: list[str] = []


def some(names: list[str], most: int = 10) -> list[str]:
    """The first names in their order, so that a remark stays short."""
    return sorted(names)[:most]
