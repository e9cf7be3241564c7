"""Unpacking gzip within a limit."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.http.errors import Refusal, Refused
from services.http.request_body import Inflate


def unpack(packed: bytes, limit: int = 10_000, step: int = 7) -> bytes:
    inflate = Inflate(limit)
    out = b"".join(piece for at in range(0, len(packed), step) for piece in inflate.feed(packed[at : at + step]))
    inflate.end()
    return out


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 500))
def test_one_member_and_two_in_pieces_of_any_size(first: bytes, second: bytes, step: int) -> None:
    assert unpack(gzip.compress(first, mtime=0), step=step) == first
    assert unpack(gzip.compress(first, mtime=0) + gzip.compress(second, mtime=0), step=step) == first + second


def test_exactly_the_limit_is_allowed() -> None:
    assert unpack(gzip.compress(b"x" * 1000, mtime=0), limit=1000) == b"x" * 1000
    with pytest.raises(Refused) as caught:
        unpack(gzip.compress(b"x" * 1001, mtime=0), limit=1000)
    assert caught.value.reason == Refusal.BODY_TOO_LARGE


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    inflate = Inflate(1000)
    with pytest.raises(Refused) as caught:
        list(inflate.feed(gzip.compress(b"\0" * 50_000_000, mtime=0)))
    assert caught.value.reason == Refusal.BODY_TOO_LARGE


@pytest.mark.parametrize(
    "packed", [b"{}", gzip.compress(b"x", mtime=0)[:-3], b"", gzip.compress(b"x", mtime=0) + b"{}"]
)
def test_what_is_not_gzip_or_not_whole_is_refused(packed: bytes) -> None:
    with pytest.raises(Refused) as caught:
        unpack(packed)
    assert caught.value.reason == Refusal.INVALID_ENCODING
