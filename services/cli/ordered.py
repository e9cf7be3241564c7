"""Sort the rows of several batches by time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.ledger.rows import Codes, Rows

Word = TypeVar("Word", bound=Hashable)
Scalar = TypeVar("Scalar", bound=np.generic)


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
    models = _Dictionary[str]()
    coded = [models.codes(rows.models) for rows in parts]
    languages, language = _recoded([(rows.languages, rows.language, len(rows)) for rows in parts], "")
    category_sets, categories = _recoded([(rows.category_sets, rows.categories, len(rows)) for rows in parts], ())
    voters, voter = _recoded([(rows.voters, rows.voter, len(rows)) for rows in parts], "")
    prompts, prompt = _recoded([(rows.prompts, rows.prompt, len(rows)) for rows in parts], "")
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
        languages=languages,
        language=language,
        category_sets=category_sets,
        categories=categories,
        voters=voters,
        voter=voter,
        prompts=prompts,
        prompt=prompt,
        p_pair=_filled([rows.p_pair for rows in parts], parts, np.nan, ()),
        style=_filled([rows.style for rows in parts], parts, -1, (8,)),
    )
    by_time = joined.take(np.argsort(joined.tstamp, kind="stable"))
    by_time.offset[:] = np.arange(count)
    return by_time


class _Dictionary(Generic[Word]):
    """Merges the words of several dictionaries into one."""

    def __init__(self, *first: Word) -> None:
        self.words: dict[Word, int] = {word: at for at, word in enumerate(first)}

    def codes(self, words: Sequence[Word]) -> NDArray[np.int32]:
        return np.array([self.words.setdefault(word, len(self.words)) for word in words], dtype=np.int32)


def _recoded(
    parts: Sequence[tuple[Sequence[Word], Codes | None, int]], absent: Word
) -> tuple[list[Word], Codes | None]:
    """Join a coded column, given as words, codes and rows of each part; no codes if all parts lack the column."""
    dictionary = _Dictionary(absent)
    mapped = [(dictionary.codes(words), codes, n) for words, codes, n in parts]
    there = any(codes is not None for _, codes, _ in mapped)
    whole = [np.zeros(n, np.int32) if codes is None else code[codes] for code, codes, n in mapped]
    return list(dictionary.words), np.concatenate(whole) if there else None


def _filled(
    columns: Sequence[NDArray[Scalar] | None], parts: Sequence[Rows], absent: float, shape: tuple[int, ...]
) -> NDArray[Scalar] | None:
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
