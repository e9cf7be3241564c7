"""Account for every row of a file that was read, in sentences."""

from __future__ import annotations

from streams.audit.board.dates import many
from streams.audit.report.document import Reading

SHOWN = 8
"""Most distinct unreadable cells that are listed."""


def account(reading: Reading) -> list[str]:
    """Return sentences on rows read, counted and duplicated, cells left out with examples, and unused columns."""
    rows = f"read {many(reading.read, 'row')}"
    if reading.other_boards:
        rows += f", {reading.other_boards:,} of other boards"
    said = [f"{rows}; counted {reading.counted:,}, {reading.duplicates:,} of them a second row of a model on a date"]
    said += [
        f"left out: {each.field} {each.value!r}, {each.count:,} times, first at {each.first}"
        for each in reading.left_out[:SHOWN]
    ]
    if len(reading.left_out) > SHOWN:
        rest = reading.left_out[SHOWN:]
        said.append(f"left out: {len(rest):,} other cells that cannot be read, {sum(e.count for e in rest):,} times")
    said += [f"column not used, it cannot be read: {each}" for each in reading.ignored]
    if reading.unused:
        said.append(f"columns not used: {', '.join(reading.unused)}")
    return said
