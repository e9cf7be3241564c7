"""Rows: votes as columns, the form that all code after intake uses, and the check of rows that were decoded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.contracts.vote import NONE, STYLE_FIELDS, WINNERS, Style, Vote

T = TypeVar("T")
Scalar = TypeVar("Scalar", bound=np.generic)
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rows:
    """`n` votes as columns; strings are coded into dictionaries.

    Code 0 of `languages`, `category_sets`, `voters`, `prompts` and `battles` means absent. Optional columns are None
    when no row has them.

    Attributes
    ----------
    models
        Dictionary of model names.
    model_a, model_b
        int32[n] codes into `models`.
    winner
        uint8[n]: 0 model_a, 1 model_b, 2 tie, 3 both_bad, 4 none.
    tstamp
        float64[n], epoch seconds, as sent by the arena.
    partition, offset
        int32[n], int64[n]: the record of the votes topic that the row came from.
    recorded
        int64[n], epoch milliseconds when that record arrived at the broker.
    language, categories, voter, prompt, battle
        int32[n] codes into the dictionaries, or None. Rows of one `battle` are votes on one draw of two models.
    p_pair
        float64[n], NaN where absent, or None.
    drawn_at
        float64[n], epoch seconds when the two models were drawn, NaN where absent, or None.
    style
        int32[n, 8] in the order of `STYLE_FIELDS`, -1 where absent, or None.
    """

    models: list[str]
    model_a: Codes
    model_b: Codes
    winner: NDArray[np.uint8]
    tstamp: NDArray[np.float64]
    partition: NDArray[np.int32]
    offset: NDArray[np.int64]
    recorded: NDArray[np.int64]
    languages: list[str]
    language: Codes | None
    category_sets: list[tuple[str, ...]]
    categories: Codes | None
    voters: list[str]
    voter: Codes | None
    prompts: list[str]
    prompt: Codes | None
    battles: list[str]
    battle: Codes | None
    p_pair: NDArray[np.float64] | None
    drawn_at: NDArray[np.float64] | None
    style: NDArray[np.int32] | None

    def __len__(self) -> int:
        return len(self.winner)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Rows:
        """Return the chosen rows (a mask, indices or a slice); dictionaries are shared."""

        def pick(column: NDArray[Scalar] | None) -> NDArray[Scalar] | None:
            return None if column is None else column[chosen]

        return Rows(
            models=self.models,
            model_a=self.model_a[chosen],
            model_b=self.model_b[chosen],
            winner=self.winner[chosen],
            tstamp=self.tstamp[chosen],
            partition=self.partition[chosen],
            offset=self.offset[chosen],
            recorded=self.recorded[chosen],
            languages=self.languages,
            language=pick(self.language),
            category_sets=self.category_sets,
            categories=pick(self.categories),
            voters=self.voters,
            voter=pick(self.voter),
            prompts=self.prompts,
            prompt=pick(self.prompt),
            battles=self.battles,
            battle=pick(self.battle),
            p_pair=pick(self.p_pair),
            drawn_at=pick(self.drawn_at),
            style=pick(self.style),
        )


def code(values: Sequence[T], first: Iterable[T] = ()) -> tuple[list[T], Codes]:
    """Dictionary-code `values`: the dictionary in order of first appearance, after `first`, and int32 codes.

    >>> code(["b", "a", "b"])
    (['b', 'a'], array([0, 1, 0], dtype=int32))
    """
    index: defaultdict[T, int] = defaultdict(None, {word: number for number, word in enumerate(dict.fromkeys(first))})
    index.default_factory = index.__len__  # one pass in C: each new word gets the next number
    codes = np.fromiter(map(index.__getitem__, values), dtype=np.int32, count=len(values))
    index.default_factory = None  # break the reference cycle with the dictionary
    return list(index), codes


def rows_of(
    votes: Sequence[Vote],
    partition: NDArray[np.int32],
    offset: NDArray[np.int64],
    recorded: NDArray[np.int64],
) -> Rows:
    """Turn decoded votes into columns; an unknown `winner` gets code 255, which the caller must refuse.

    Parameters
    ----------
    votes
        n decoded votes.
    partition, offset, recorded
        Arrays of length n, see `Rows`.
    """
    n = len(votes)
    first = [vote.model_a for vote in votes]
    second = [vote.model_b for vote in votes]
    models, both = code(first + second)
    winner_of = WINNERS.get
    languages, language = _optional([vote.language for vote in votes], "")
    sets, categories = _categories([vote.categories for vote in votes])
    voters, voter = _optional([vote.voter for vote in votes], "")
    prompts, prompt = _optional([vote.prompt_hash for vote in votes], "")
    battles, battle = _optional([vote.battle for vote in votes], "")
    pairs = [vote.p_pair for vote in votes]
    drawn = [vote.drawn_at for vote in votes]
    styles = [vote.style for vote in votes]
    return Rows(
        models=models,
        model_a=both[:n],
        model_b=both[n:],
        winner=np.frombuffer(bytes([winner_of(vote.winner, 255) for vote in votes]), dtype=np.uint8),
        tstamp=np.array([vote.tstamp for vote in votes], dtype=np.float64),
        partition=partition,
        offset=offset,
        recorded=recorded,
        languages=languages,
        language=language,
        category_sets=sets,
        categories=categories,
        voters=voters,
        voter=voter,
        prompts=prompts,
        prompt=prompt,
        battles=battles,
        battle=battle,
        p_pair=np.array([np.nan if p is None else p for p in pairs]) if any(pairs) else None,
        drawn_at=_seconds(drawn),
        style=style_columns(styles, np.arange(n)) if any(styles) else None,
    )


def _optional(values: list[T | None], absent: T) -> tuple[list[T], Codes | None]:
    """Code an optional column; None when no row has it."""
    if not any(values):
        return [absent], None
    return code([absent if value is None else value for value in values], first=[absent])


def _seconds(values: list[float | None]) -> NDArray[np.float64] | None:
    """Return an optional column of times, None when no row has it; 0.0 is a time, so `any` cannot tell."""
    if values.count(None) == len(values):
        return None
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _categories(values: list[tuple[str, ...] | None]) -> tuple[list[tuple[str, ...]], Codes | None]:
    written, codes = _optional(values, ())
    return (written, None) if codes is None else coded_sets(written[1:], codes)


def coded_sets(written: Sequence[Iterable[str]], codes: Codes) -> tuple[list[tuple[str, ...]], Codes | None]:
    """Return the distinct category sets, and `codes` (1-based indices into `written`; 0: absent) as codes into them."""
    if not any(written):
        return [()], None
    sets, meaning = code([(), *(tuple(sorted({*names} - {""})) for names in written)])
    return sets, meaning[codes]


def style_columns(styles: Sequence[Style | None], codes: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return int32[n, 8], the style columns of n rows; `codes` index into `styles`."""
    missing = (-1,) * len(STYLE_FIELDS)
    rows = [missing if style is None else tuple(getattr(style, name) for name in STYLE_FIELDS) for style in styles]
    columns = np.array(rows, dtype=np.int32)
    return np.asarray(columns[codes])


def find_fault(rows: Rows, through: Mapping[int, int]) -> str | None:
    """Describe the first fault that would corrupt a fold of these rows; None when there is none.

    A fold counts every row that it gets, so these rows are rejected.

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
    for words, absent in (
        (rows.languages, ""),
        (rows.category_sets, ()),
        (rows.voters, ""),
        (rows.prompts, ""),
        (rows.battles, ""),
    ):
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
        (rows.battle, rows.battles),
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
    if rows.drawn_at is not None and np.isinf(rows.drawn_at).any():
        return "a drawn_at that is not finite"
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
