"""Validates decoded rows: a fold counts every row that it gets, so rows that would corrupt it are rejected here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streams.contracts.vote import NONE
from streams.ledger.rows import Rows


def find_fault(rows: Rows, through: Mapping[int, int]) -> str | None:
    """Describe the first fault that would corrupt a fold of these rows; None when there is none.

    Parameters
    ----------
    rows
        Columns of one length and of the types in `Rows`.
    through
        Offset of the last record, per partition, that the rows' block accounts for.
    """
    fault = _dictionary_fault(rows)
    if fault is not None or not len(rows):
        return fault
    return _value_fault(rows) or _place_fault(rows, through)


def _dictionary_fault(rows: Rows) -> str | None:
    for words, absent in ((rows.languages, ""), (rows.category_sets, ()), (rows.voters, ""), (rows.prompts, "")):
        if not words or words[0] != absent:
            return "a dictionary whose first word is not the absent one"
    if len(set(rows.models)) < len(rows.models) or len(set(rows.languages)) < len(rows.languages):
        return "a dictionary that holds a word twice"
    if any(len(set(names)) < len(names) for names in rows.category_sets):
        return "a category twice in a set"
    return None


def _value_fault(rows: Rows) -> str | None:
    for codes, words in (
        (rows.model_a, rows.models),
        (rows.model_b, rows.models),
        (rows.language, rows.languages),
        (rows.categories, rows.category_sets),
        (rows.voter, rows.voters),
        (rows.prompt, rows.prompts),
    ):
        if codes is not None and not 0 <= codes.min() <= codes.max() < len(words):
            return "a code outside its dictionary"
    if rows.winner.max() > NONE:
        return "an unknown winner"
    if (rows.model_a == rows.model_b).any():
        return "a model against itself"
    if not np.isfinite(rows.tstamp).all():
        return "a tstamp that is not finite"
    if rows.p_pair is not None and ((rows.p_pair <= 0) | (rows.p_pair > 1)).any():
        return "a p_pair outside (0, 1]"
    if rows.style is not None and rows.style.min() < -1:
        return "a negative style count"
    return None


def _place_fault(rows: Rows, through: Mapping[int, int]) -> str | None:
    """Check what the watermark relies on: source offsets are unique, ascending, and not beyond `through`."""
    last = np.full(int(rows.partition.max()) + 1, -1, np.int64)
    for partition, offset in through.items():
        if partition < len(last):
            last[partition] = offset
    if rows.offset.min() < 0 or (rows.offset > last[rows.partition]).any():
        return "an offset that its block does not account for"
    order = np.argsort(rows.partition, kind="stable")
    same_partition = np.diff(rows.partition[order]) == 0
    if (same_partition & (np.diff(rows.offset[order]) <= 0)).any():
        return "offsets that do not ascend"
    return None
