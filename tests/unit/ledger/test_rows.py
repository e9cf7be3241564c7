"""Rows chosen from rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ledger.rows import Rows, code
from tests.unit.intake.making import columns, seeded
from tests.unit.ledger.making import row_sets, some_rows, spelled


@settings(seeded, max_examples=100)
@given(row_sets(), st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_mask_indices_and_a_slice_choose_alike(rows: Rows, chosen) -> None:
    mask = np.array(chosen[: len(rows)], np.bool_)
    every = spelled(rows)
    assert spelled(rows.take(mask)) == spelled(rows.take(np.flatnonzero(mask)))
    assert spelled(rows.take(mask)) == [line for line, keep in zip(every, mask, strict=True) if keep]
    assert spelled(rows.take(slice(1, 3))) == every[1:3]


def test_taking_everything_changes_nothing() -> None:
    assert columns(some_rows().take(slice(None))) == columns(some_rows())


@settings(seeded, max_examples=100)
@given(st.lists(st.text(max_size=2)), st.lists(st.text(max_size=2), max_size=3))
def test_codes_find_their_words(values, first) -> None:
    words, codes = code(values, first)
    assert [words[number] for number in codes] == values
    assert words == list(dict.fromkeys([*first, *values]))
    assert codes.dtype == np.int32
