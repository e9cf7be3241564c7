"""Compacting changes the dictionaries and not what the rows say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ledger.codec import compact
from streams.ledger.rows import Rows
from tests.unit.intake.making import columns, seeded
from tests.unit.ledger.making import row_sets, some_rows, spelled

chances = st.lists(st.booleans(), min_size=12, max_size=12)


@settings(seeded, max_examples=120)
@given(row_sets(), chances)
def test_the_rows_say_the_same(rows: Rows, chosen: list[bool]) -> None:
    some = rows.take(np.array(chosen[: len(rows)], np.bool_))
    assert spelled(compact(some)) == spelled(some)


@settings(seeded, max_examples=120)
@given(row_sets(), chances)
def test_only_words_that_are_used_remain(rows: Rows, chosen: list[bool]) -> None:
    small = compact(rows.take(np.array(chosen[: len(rows)], np.bool_)))
    assert {*small.model_a.tolist(), *small.model_b.tolist()} == set(range(len(small.models)))
    for codes, words in (
        (small.language, small.languages),
        (small.categories, small.category_sets),
        (small.voter, small.voters),
        (small.prompt, small.prompts),
        (small.battle, small.battles),
    ):
        assert set(range(len(words))) == ({0} if codes is None else {0, *codes.tolist()})


@settings(seeded, max_examples=100)
@given(row_sets())
def test_compacting_twice_is_compacting_once(rows: Rows) -> None:
    assert columns(compact(compact(rows))) == columns(compact(rows))


def test_a_column_that_nobody_has_any_more_goes() -> None:
    rows = some_rows(2)
    assert compact(rows).language is not None
    rows.language[:] = 0
    small = compact(rows)
    assert (small.language, small.languages) == (None, [""])


def test_no_rows_need_no_words() -> None:
    small = compact(some_rows(3).take(slice(0, 0)))
    assert (small.models, small.category_sets) == ([], [()])
    assert (small.languages, small.voters, small.prompts, small.battles) == ([""], [""], [""], [""])
