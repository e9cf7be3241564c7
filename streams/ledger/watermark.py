"""Exactly once: rows and notices at or below the highest source offset counted were counted before and are dropped.

Both folds use this rule; docs/architecture.md explains why no writer may leave a gap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.contracts.topics import MODELS, VOTES
from streams.ledger.codec import Block, Notice
from streams.ledger.refused import Refused
from streams.ledger.rows import Rows

Watermark = dict[str, int]
"""Highest source offset counted, by `topic/partition`."""


def unknown_rows(block: Block, watermark: Watermark) -> Rows:
    """Return the rows of a block that were not counted yet."""
    rows = block.rows
    if not len(rows):
        return rows
    new = _are_new(rows.partition, rows.offset, watermark)
    return rows if new.all() else rows.take(new)


def unknown_refused(block: Block, watermark: Watermark) -> Refused | None:
    """Return the refused votes of a block that were not counted yet, placed among its `unknown_rows`."""
    refused, rows = block.refused, block.rows
    if refused is None or not len(refused):
        return None
    before = np.concatenate([[0], np.cumsum(_are_new(rows.partition, rows.offset, watermark))])
    new = _are_new(refused.partition, refused.offset, watermark)
    return refused.take(new, before[refused.place[new]])


def _are_new(partition: NDArray[np.int32], offset: NDArray[np.int64], watermark: Watermark) -> NDArray[np.bool_]:
    counted = np.full(int(partition.max(initial=0)) + 1, -1, np.int64)
    for number in np.unique(partition).tolist():
        counted[number] = watermark.get(f"{VOTES.name}/{number}", -1)
    return np.asarray(offset > counted[partition])


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
