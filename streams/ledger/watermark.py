"""Exactly once: rows and notices at or below the highest source offset counted were counted before and are dropped.

Both folds use this rule; docs/architecture.md explains why no writer may leave a gap.
"""

from __future__ import annotations

import numpy as np

from streams.contracts.topics import MODELS, VOTES
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows

Watermark = dict[str, int]
"""Highest source offset counted, by `topic/partition`."""


def unknown_rows(block: Block, watermark: Watermark) -> Rows:
    """Return the rows of a block that were not counted yet."""
    rows = block.rows
    if not len(rows):
        return rows
    partitions = np.unique(rows.partition)
    counted = np.full(int(partitions[-1]) + 1, -1, np.int64)
    for partition in partitions.tolist():
        counted[partition] = watermark.get(f"{VOTES.name}/{partition}", -1)
    new = rows.offset > counted[rows.partition]
    return rows if new.all() else rows.take(new)


def count_rows(block: Block, watermark: Watermark) -> None:
    """Raise the watermark to everything that a block accounts for."""
    for partition, offset in block.through.items():
        source = f"{VOTES.name}/{partition}"
        watermark[source] = max(offset, watermark.get(source, -1))


def is_new(notice: Notice, watermark: Watermark) -> bool:
    """Return whether a notice was not counted yet, and count it."""
    source = f"{MODELS.name}/{notice.partition}"
    if notice.offset <= watermark.get(source, -1):
        return False
    watermark[source] = notice.offset
    return True
