"""A block too large for one record is cut: nothing is lost, and no piece claims what is still to come."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ledger import codec
from streams.ledger.codec import MAX_BLOCK_BYTES, Block, decode, encode_block
from streams.ledger.rows import Rows
from tests.unit.intake.making import seeded
from tests.unit.ledger.making import row_sets, some_rows, spelled, whole


@settings(seeded, max_examples=100)
@given(row_sets(most=20), st.sampled_from([1, 900, 1_200, 2_000]))
def test_the_pieces_together_are_the_block(rows: Rows, most: int) -> None:
    block = whole(rows)
    pieces = cut(block, most)
    assert [line for piece in pieces for line in spelled(piece.rows)] == spelled(rows)
    assert {piece.arena for piece in pieces} == {"text"}
    assert most > 1 or len(pieces) == max(len(rows), 1)


@settings(seeded, max_examples=100)
@given(row_sets(most=20), st.sampled_from([1, 900, 2_000]))
def test_a_piece_accounts_for_its_rows_and_for_none_after_it(rows: Rows, most: int) -> None:
    block = whole(rows)
    pieces = cut(block, most)
    assert pieces[-1].through == block.through
    for at, piece in enumerate(pieces):
        for row in range(len(piece.rows)):
            assert piece.rows.offset[row] <= piece.through[int(piece.rows.partition[row])]
        for later in pieces[at + 1 :]:
            for row in range(len(later.rows)):
                assert later.rows.offset[row] > piece.through.get(int(later.rows.partition[row]), -1)


def cut(block: Block, most: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "MAX_BLOCK_BYTES", most)
        return [decode(record) for record in encode_block(block)]


def test_a_real_block_is_cut_to_the_size_that_brokers_take() -> None:
    rows = some_rows(30_000)
    records = encode_block(whole(rows))
    assert len(records) > 1
    assert max(map(len, records)) <= MAX_BLOCK_BYTES < 2**20
    assert sum(len(decode(record).rows) for record in records) == 30_000


def test_a_piece_holds_only_its_own_words() -> None:
    pieces = [decode(record) for record in encode_block(whole(some_rows(30_000)))]
    assert all(len(piece.rows.voters) == len(piece.rows) + 1 for piece in pieces)


def test_a_single_row_is_never_cut() -> None:
    assert len(cut(whole(some_rows(1)), 1)) == 1


def test_words_of_dropped_rows_do_not_overflow_the_codes() -> None:
    few = some_rows(2)
    models = [f"{number:x}" for number in range(70_000)]
    rows = replace(few, models=models, model_a=few.model_a + 69_990, model_b=few.model_b + 69_990)
    [piece] = [decode(record) for record in encode_block(whole(rows))]
    assert spelled(piece.rows) == spelled(rows)


def test_more_models_than_a_column_can_code_are_cut() -> None:
    count = 40_000
    rows = replace(
        some_rows(count),
        models=[chr(0x4E00 + number % 20_000) + chr(0x61 + number // 20_000) for number in range(2 * count)],
        model_a=np.arange(count, dtype=np.int32),
        model_b=np.arange(count, 2 * count, dtype=np.int32),
        **dict.fromkeys(["voter", "prompt", "battle", "style", "p_pair", "drawn_at"]),
        voters=[""],
        prompts=[""],
        battles=[""],
    )
    pieces = [decode(record) for record in encode_block(Block("text", rows, {2: 10 + count}))]
    assert [name for piece in pieces for name, *_ in spelled(piece.rows)] == rows.models[:count]
