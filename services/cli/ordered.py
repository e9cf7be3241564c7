"""Sort the rows of several batches by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.ledger.rows import Rows


def in_order(parts: Sequence[Rows]) -> bool:
    """Return whether the rows are sorted by time."""
    last = -np.inf
    for rows in parts:
        times = rows.tstamp
        if times[0] < last or (times[1:] < times[:-1]).any():
            return False
        last = float(times[-1])
    return True


def sorted_rows(parts: Sequence[Rows]) -> Rows:
    """Join all rows and sort them by time; rows with equal times keep their order.

    >>> from streams.contracts.vote import Vote
    >>> from streams.ledger.rows import rows_of
    >>> def made(*names):
    ...     votes = [Vote(name, name, "z", "tie", float(time)) for name, time in names]
    ...     n = len(votes)
    ...     return rows_of(votes, np.zeros(n, np.int32), np.arange(n), np.zeros(n, np.int64))
    >>> rows = sorted_rows([made(("c", 3), ("a", 1)), made(("b", 2))])
    >>> [rows.models[code] for code in rows.model_a], rows.offset.tolist()
    (['a', 'b', 'c'], [0, 1, 2])
    """
    models = _Dictionary()
    coded = [models.codes(rows.models) for rows in parts]
    optional: dict[str, tuple[list[Any], Any]] = {}
    for words, column, absent in (
        ("languages", "language", ""),
        ("category_sets", "categories", ()),
        ("voters", "voter", ""),
        ("prompts", "prompt", ""),
    ):
        dictionary = _Dictionary(absent)
        mapped = [(dictionary.codes(getattr(rows, words)), getattr(rows, column), len(rows)) for rows in parts]
        there = any(codes is not None for _, codes, _ in mapped)
        whole = [np.zeros(n, np.int32) if codes is None else code[codes] for code, codes, n in mapped]
        optional[column] = list(dictionary.words), np.concatenate(whole) if there else None
    count = sum(map(len, parts))
    joined = Rows(
        models=list(models.words),
        model_a=np.concatenate([code[rows.model_a] for code, rows in zip(coded, parts, strict=True)]),
        model_b=np.concatenate([code[rows.model_b] for code, rows in zip(coded, parts, strict=True)]),
        winner=np.concatenate([rows.winner for rows in parts]),
        tstamp=np.concatenate([rows.tstamp for rows in parts]),
        partition=np.concatenate([rows.partition for rows in parts]),
        offset=np.arange(count, dtype=np.int64),
        recorded=np.concatenate([rows.recorded for rows in parts]),
        languages=optional["language"][0],
        language=optional["language"][1],
        category_sets=optional["categories"][0],
        categories=optional["categories"][1],
        voters=optional["voter"][0],
        voter=optional["voter"][1],
        prompts=optional["prompt"][0],
        prompt=optional["prompt"][1],
        p_pair=_filled([rows.p_pair for rows in parts], parts, np.nan, ()),
        style=_filled([rows.style for rows in parts], parts, -1, (8,)),
    )
    by_time = joined.take(np.argsort(joined.tstamp, kind="stable"))
    by_time.offset[:] = np.arange(count)
    return by_time


class _Dictionary:
    """Merges the words of several dictionaries into one."""

    def __init__(self, *first: Any) -> None:
        self.words: dict[Any, int] = {word: at for at, word in enumerate(first)}

    def codes(self, words: Sequence[Any]) -> NDArray[np.int32]:
        return np.array([self.words.setdefault(word, len(self.words)) for word in words], dtype=np.int32)


def _filled(columns: Sequence[Any], parts: Sequence[Rows], absent: float, shape: tuple[int, ...]) -> Any:
    """Join a column of all parts, with `absent` where a part lacks it; None if all parts lack it."""
    there = [column for column in columns if column is not None]
    if not there:
        return None
    return np.concatenate(
        [
            np.full((len(rows), *shape), absent, there[0].dtype) if column is None else column
            for column, rows in zip(columns, parts, strict=True)
        ]
    )
