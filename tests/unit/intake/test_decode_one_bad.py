"""One bad record among many good ones is found, and the others count."""

import pytest

from streams.contracts.reasons import Reason
from streams.intake.decode import _fast, decode
from tests.unit.intake.making import ARRIVED_MS, as_records, body, votes

BAD = {
    "no value": (b"bad", None, Reason.EMPTY),
    "no key": (None, body(id="bad"), Reason.KEY_MISMATCH),
    "another key": (b"good", body(id="bad"), Reason.KEY_MISMATCH),
    "garbage": (b"bad", b"{]}", Reason.INVALID_JSON),
    "invalid UTF-8": (b"bad", body(id="bad", x="@").replace(b"@", b"\xff"), Reason.INVALID_UTF8),
    "an arena in capitals": (b"bad", body(id="bad", arena="Text"), Reason.INVALID_ARENA),
    "an arena with a newline": (b"bad", body(id="bad", arena="text\n"), Reason.INVALID_ARENA),
    "an unknown winner": (b"bad", body(id="bad", winner="x"), Reason.UNKNOWN_WINNER),
    "a model against itself": (b"bad", body(id="bad", model_a="y"), Reason.SAME_MODEL),
    "a model that was lost": (b"bad", body(id="bad", model_b="NaN"), Reason.INVALID_MODEL),
    "a tstamp from the future": (b"bad", body(id="bad", tstamp=ARRIVED_MS / 1000 + 301), Reason.FUTURE_TSTAMP),
    "a p_pair of 0": (b"bad", body(id="bad", p_pair=0), Reason.INVALID_FIELD),
    "too many bytes": (b"bad", body(id="bad", x="p" * 70_000), Reason.TOO_LARGE),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("at", [0, 17, 40])
def test_it_is_found_wherever_it_stands(name: str, at: int) -> None:
    key, value, reason = BAD[name]
    pairs = votes(40)
    records = as_records([*pairs[:at], (key, value), *pairs[at:]])
    assert _fast(records) is None
    decoded = decode(records)
    assert [(reject.index, reject.reason) for reject in decoded.rejects] == [(at, reason)]
    assert decoded.ids == [key for key, _ in pairs]
    assert decoded.rows.offset.tolist() == [offset for offset in range(41) if offset != at]
