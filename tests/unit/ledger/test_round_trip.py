"""Reading a ledger record gives what was written."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.model import Model
from streams.ledger.codec import Block, Notice, decode, encode_block, encode_notice
from streams.ledger.rows import Rows
from tests.unit.intake.making import columns, seeded
from tests.unit.ledger.making import row_sets, some_rows, whole

MODEL = Model("text", "org/x", "org", "open_weight", "public", "active", 0.5, 7.0, family="x", reason="cost")


@settings(seeded, max_examples=120)
@given(row_sets())
def test_a_block_comes_back_as_it_was(rows: Rows) -> None:
    block = whole(rows, "a-b_0")
    [record] = encode_block(block)
    read = decode(record)
    assert (read.arena, read.through) == ("a-b_0", block.through)
    assert columns(read.rows) == columns(rows)


@settings(seeded, max_examples=50)
@given(row_sets())
def test_equal_blocks_are_equal_bytes(rows: Rows) -> None:
    [record] = encode_block(whole(rows))
    assert encode_block(decode(record)) == [record]


@pytest.mark.parametrize("optional", ["language", "categories", "voter", "prompt", "p_pair", "style"])
def test_an_empty_block_with_an_optional_column_comes_back(optional: str) -> None:
    rows = some_rows(3).take(slice(0, 0))
    read = decode(encode_block(Block("text", rows, {0: 9}))[0])
    assert (len(read.rows), read.through) == (0, {0: 9})
    assert len(getattr(read.rows, optional)) == 0


@pytest.mark.parametrize("model", [None, MODEL, Model("text", "x", "o", "proprietary", "private", "retired", 0, 0.0)])
def test_a_notice_comes_back_as_it_was(model: Model | None) -> None:
    notice = Notice("text", "org/x", model, 0, 2**63 - 1, -1)
    assert decode(encode_notice(notice)) == notice


def test_later_additions_are_ignored() -> None:
    [record] = encode_block(whole(some_rows()))
    fields = msgspec.msgpack.decode(record)
    fields["columns"] |= {"device": {"dtype": "|S3", "data": b"abc"}, "pages": 7}
    fields |= {"devices": ["", "phone"], "checksum": b"\0"}
    assert columns(decode(msgspec.msgpack.encode(fields)).rows) == columns(some_rows())
    notice = msgspec.msgpack.decode(encode_notice(Notice("text", "x", MODEL, 0, 1, 2))) | {"signature": b"\xff"}
    notice["model"]["context"] = 128_000
    assert decode(msgspec.msgpack.encode(notice)).model == MODEL


@settings(seeded, max_examples=20)
@given(st.permutations(["v", "kind", "arena", "rows", "through", "models", "columns"]))
def test_the_order_of_the_fields_does_not_matter(order) -> None:
    fields = msgspec.msgpack.decode(encode_block(whole(some_rows()))[0])
    shuffled = {name: fields[name] for name in [*order, *fields]}
    assert columns(decode(msgspec.msgpack.encode(shuffled)).rows) == columns(some_rows())
