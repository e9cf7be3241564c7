"""What is noted of a ledger partition, and the proof that a ledger is still the same."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.fold.checkpoint import checksum, decode_listing, encode_listing
from tests.unit.intake.making import seeded

TEXT = encode_listing(7, ["vision", "text"], checksum(b"record"))


@settings(seeded, max_examples=100)
@given(st.integers(0, 2**63 - 1), st.lists(st.text(st.characters(codec="utf-8"), max_size=9)), st.binary())
def test_a_listing_comes_back(position: int, arenas: list[str], record: bytes) -> None:
    listing = decode_listing(encode_listing(position, arenas, checksum(record)))
    assert (listing.position, listing.arenas) == (position, sorted(arenas))
    assert listing.tail == checksum(record)


def test_a_refold_that_was_begun_says_how_far_it_has_to_go() -> None:
    listing = decode_listing(encode_listing(7, ["text"], checksum(b"record"), 4_000))
    assert (listing.position, listing.refold_until) == (7, 4_000)


def test_a_listing_from_before_refolds_were_noted_is_of_none() -> None:
    before = msgspec.msgpack.decode(TEXT)
    del before["refold_until"]
    listing = decode_listing(msgspec.msgpack.encode(before))
    assert (listing.position, listing.arenas, listing.refold_until) == (7, ["text", "vision"], 0)


def test_the_order_of_the_arenas_does_not_matter() -> None:
    assert encode_listing(7, ["text", "vision"], checksum(b"record")) == TEXT


def test_another_record_is_another_ledger() -> None:
    listing = decode_listing(TEXT)
    assert listing.tail != checksum(b"recorD")
    assert listing.tail != checksum(b"")
    assert listing.tail != checksum(None)


@pytest.mark.parametrize("at", range(len(TEXT)))
def test_a_truncated_listing_is_none(at: int) -> None:
    assert decode_listing(TEXT[:at]) is None


BOMB = b"\x81\xa1z" + b"\x91" * 9_999
NEXT_VERSION = msgspec.msgpack.encode(msgspec.msgpack.decode(TEXT) | {"v": 2})
NO_TEXT = TEXT.replace(b"text", b"\xff\xfe\xfd\xfc")


@pytest.mark.parametrize(
    "text",
    [None, b"", b"{}", b"\x80", b"\x90", BOMB, NO_TEXT, NEXT_VERSION],
    ids=["none", "empty", "JSON", "an empty map", "a list", "a bomb", "no text", "another version"],
)
def test_what_cannot_be_used_is_none(text: bytes | None) -> None:
    assert decode_listing(text) is None


@settings(seeded, max_examples=200)
@given(st.binary(max_size=40), st.integers(0, len(TEXT)))
def test_noise_is_none_or_a_listing(noise: bytes, at: int) -> None:
    decode_listing(noise)
    decode_listing(TEXT[:at] + noise)
    decode_listing(TEXT[:at] + noise + TEXT[at + len(noise) :])
