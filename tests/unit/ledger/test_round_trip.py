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


@pytest.mark.parametrize(
    "optional", ["language", "categories", "voter", "prompt", "battle", "p_pair", "drawn_at", "style"]
)
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


WRITTEN_BEFORE = {  # records that programs wrote before votes had `battle` and `drawn_at`
    "plain": bytes.fromhex(
        "8ba17601a46b696e64a5626c6f636ba56172656e61a474657874a4726f777301a77468726f7567689192020ba66d6f64656c7392a178a179"
        "a96c616e67756167657391a0ad63617465676f72795f736574739190a6766f7465727391a0a770726f6d70747391a0a7636f6c756d6e7387"
        "a76d6f64656c5f6182a56474797065a33c7532a464617461c4020000a76d6f64656c5f6282a56474797065a33c7532a464617461c4020100"
        "a677696e6e657282a56474797065a37c7531a464617461c40102a6747374616d7082a56474797065a33c6638a464617461c4080000000000"
        "001440a9706172746974696f6e82a56474797065a33c7532a464617461c4020200a66f666673657482a56474797065a33c6938a464617461"
        "c4080a00000000000000a87265636f7264656482a56474797065a33c6938a464617461c408e803000000000000"
    ),
    "rich": bytes.fromhex(
        "8ba17601a46b696e64a5626c6f636ba56172656e61a474657874a4726f777301a77468726f7567689192020ba66d6f64656c7392a178a179"
        "a96c616e67756167657392a0a2656ead63617465676f72795f73657473929091a4636f6465a6766f7465727392a0a175a770726f6d707473"
        "92a0a168a7636f6c756d6e738da76d6f64656c5f6182a56474797065a33c7532a464617461c4020000a76d6f64656c5f6282a56474797065"
        "a33c7532a464617461c4020100a677696e6e657282a56474797065a37c7531a464617461c40102a6747374616d7082a56474797065a33c66"
        "38a464617461c4080000000000001440a9706172746974696f6e82a56474797065a33c7532a464617461c4020200a66f666673657482a564"
        "74797065a33c6938a464617461c4080a00000000000000a87265636f7264656482a56474797065a33c6938a464617461c408e80300000000"
        "0000a86c616e677561676582a56474797065a33c7532a464617461c4020100aa63617465676f7269657382a56474797065a33c7532a46461"
        "7461c4020100a5766f74657282a56474797065a33c7534a464617461c40401000000a670726f6d707482a56474797065a33c7534a4646174"
        "61c40401000000a6705f7061697282a56474797065a33c6638a464617461c408000000000000d03fa57374796c6582a56474797065a33c69"
        "34a464617461c4200400000004000000040000000400000004000000040000000400000004000000"
    ),
}


@pytest.mark.parametrize("name", WRITTEN_BEFORE)
def test_votes_without_the_draw_are_the_bytes_of_old_ledgers(name: str) -> None:
    record = WRITTEN_BEFORE[name]
    read = decode(record)
    assert (read.rows.battles, read.rows.battle, read.rows.drawn_at) == ([""], None, None)
    assert encode_block(read) == [record]


def test_programs_that_know_no_draw_read_the_rest() -> None:
    [record] = encode_block(whole(some_rows()))
    fields = msgspec.msgpack.decode(record)
    known = msgspec.msgpack.decode(WRITTEN_BEFORE["rich"])
    assert set(fields) - set(known) == {"battles"}
    assert set(fields["columns"]) - set(known["columns"]) == {"battle", "drawn_at"}
