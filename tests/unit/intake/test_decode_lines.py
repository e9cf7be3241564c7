"""Attempts to break the joining of records into lines: no record may say anything about its neighbour."""

import pytest

from streams.contracts.reasons import Reason
from streams.intake.decode import _fast, decode, strict
from tests.unit.intake.making import as_records, body, meaning

A, B, C = body(id="a"), body(id="b"), body(id="c")
OPEN = A[:-1]  # an object that lacks its closing brace

ATTEMPTS = {
    "a string that spans two records": [OPEN + b',"x":"}', b'{"}', C],
    "a string that spans, and two votes in one record": [OPEN + b',"x":"}', b'{"}', B + C],
    "an escaped line end": [OPEN + b',"x":"}\\', b'{"}', C],
    "an array that spans": [OPEN + b',"x":[{}', b"{}]}", C],
    "an object that spans": [OPEN + b',"x":{}', b"{}}", C],
    "two votes in one, one vote in two": [A + B, C[:-1] + b',"x":{}', b"{}}"],
    "two votes in one, none in the next": [A + B, b"{}"],
    "two votes on two lines of one record": [A + b"\n" + B, b""],
    "two votes on two lines, an empty record before": [b"", A + b"\n" + B],
    "two votes on two lines, a missing value": [A + b"\n" + B, None],
    "a vote cut between its tokens": [A[: A.index(b",") + 1], A[A.index(b",") + 1 :]],
    "a vote cut between its tokens, and two in one": [A[: A.index(b",") + 1], A[A.index(b",") + 1 :], B + C],
    "a vote cut at a blank, and two in one": [B + C, A[: A.index(b" ")], A[A.index(b" ") :]],
    "a comment over two records": [A[:-1] + b"/*}", b"{*/}"],
    "only braces": [b"}\n{", b"{}"],
    "one brace each": [b"{", b"}"],
    "a record that ends in a newline": [A + b"\n", B],
    "a record that begins with one": [A, b"\n" + B],
    "carriage returns": [A + b"\r", b"\r" + B],
    "blank records": [A, b" ", B],
    "a line separator that JSON allows in strings": [A[:-1] + ',"x":"\u2028"}'.encode(), B],
    "half a letter on each side": [A[:-1] + b',"x":"\xc3"}', B[:-1] + b',"x":"\xa9"}'],
    "a letter over the seam": [OPEN + b',"x":"\xe2}', b'{\x80\xa8"}'],
    "an array of votes": [b"[" + A + b"," + B + b"]"],
    "an array that opens in one record": [b"[" + A, B + b"]"],
    "a trailing word": [A + b"x}", B],
    "a null character between": [A + b"\x00", B],
    "a byte order mark": [b"\xef\xbb\xbf" + A, B],
    "a byte order mark later": [A, b"\xef\xbb\xbf" + B],
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_no_record_reaches_into_the_next(name: str) -> None:
    values = ATTEMPTS[name]
    for keys in ([b"a", b"b", b"c"], [b"b", b"c", b"a"], [b"b", b"a", b"c"], [b"a", b"c", b"c"]):
        records = as_records(list(zip(keys, values, strict=False)))
        alone = [bool(strict(as_records([pair])).ids) for pair in zip(records.keys, records.values, strict=True)]
        decoded = decode(records)
        assert [int(at) for at in decoded.rows.offset] == [at for at, usable in enumerate(alone) if usable]
        assert meaning(decoded) == meaning(strict(records))


def test_two_votes_in_one_record_are_one_refused_record() -> None:
    decoded = decode(as_records([(b"a", A + B), (b"c", C)]))
    assert [(reject.index, reject.reason) for reject in decoded.rejects] == [(0, Reason.INVALID_JSON)]
    assert decoded.ids == [b"c"]


def test_a_vote_may_be_written_over_lines() -> None:
    pretty = A.replace(b", ", b",\n  ")
    records = as_records([(b"a", pretty), (b"b", B)])
    assert _fast(records) is None
    assert decode(records).ids == [b"a", b"b"]


def test_an_escaped_newline_in_a_string_is_no_line_end() -> None:
    records = as_records([(b"a", body(id="a", voter="}\n{")), (b"b", B)])
    assert _fast(records) is not None
    assert decode(records).rows.voters == ["", "}\n{"]
