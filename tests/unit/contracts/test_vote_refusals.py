"""Every bad vote has its named reason."""

import json

import pytest

from streams.contracts.reasons import Reason
from streams.contracts.vote import MAX_RECORD_BYTES, STYLE_FIELDS, InvalidRecord, parse_vote
from streams.intake.decode import decode
from tests.unit.intake.making import ABSENT, ARRIVED_MS, as_records, body

ARRIVED = ARRIVED_MS / 1000
STYLE = dict.fromkeys(STYLE_FIELDS, 1)
PLAIN = body()


def raw(name: str, text: bytes) -> bytes:
    """A plain vote where one field is written as given."""
    return body(**{name: "@"}).replace(b'"@"', text)


REFUSED = {
    "a tombstone": (None, Reason.EMPTY),
    "no bytes": (b"", Reason.EMPTY),
    "10 MB": (body(x="p" * 10_000_000), Reason.TOO_LARGE),
    "10 MB of brackets": (b"[" * 10_000_000, Reason.TOO_LARGE),
    "one byte too large": (b" " * (MAX_RECORD_BYTES + 1), Reason.TOO_LARGE),
    "invalid UTF-8": (b"\xff", Reason.INVALID_UTF8),
    "invalid UTF-8 in a field": (raw("voter", b'"\xc3"'), Reason.INVALID_UTF8),
    "invalid UTF-8 in an ignored field": (raw("x", b'"\xed\xa0\x80"'), Reason.INVALID_UTF8),
    "invalid UTF-8 in an ignored name": (PLAIN[:-1] + b',"\xff":1}', Reason.INVALID_UTF8),
    "overlong UTF-8": (raw("x", b'"\xc0\x80"'), Reason.INVALID_UTF8),
    "UTF-16": (PLAIN.decode().encode("utf-16"), Reason.INVALID_UTF8),
    "a byte order mark": (b"\xef\xbb\xbf" + PLAIN, Reason.INVALID_JSON),
    "blank": (b" \n", Reason.INVALID_JSON),
    "half a vote": (PLAIN[:-1], Reason.INVALID_JSON),
    "two votes": (PLAIN + PLAIN, Reason.INVALID_JSON),
    "a raw NUL": (raw("voter", b'"\x00"'), Reason.INVALID_JSON),
    "a raw newline in a string": (raw("voter", b'"\n"'), Reason.INVALID_JSON),
    "a raw newline in an ignored string": (raw("x", b'"\n"'), Reason.INVALID_JSON),
    "a lone surrogate": (raw("voter", b'"\\ud800"'), Reason.INVALID_JSON),
    "a lone surrogate in a model": (raw("model_a", b'"\\udc00x"'), Reason.INVALID_JSON),
    "NaN": (raw("tstamp", b"NaN"), Reason.INVALID_JSON),
    "Infinity": (raw("tstamp", b"Infinity"), Reason.INVALID_JSON),
    "NaN in an ignored field": (raw("x", b"NaN"), Reason.INVALID_JSON),
    "a comment": (PLAIN + b"//", Reason.INVALID_JSON),
    "a deep array": (b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", Reason.TOO_DEEP),
    "a deep object": (b'{"x":' * 9_000 + b"1" + b"}" * 9_000, Reason.TOO_DEEP),
    "a deep array that does not end": (b"[" * 60_000, Reason.TOO_DEEP),
    "a bomb of 100,000 brackets": (b"[" * 100_000 + b"]" * 100_000, Reason.TOO_LARGE),
    "an array": (b"[]", Reason.NOT_AN_OBJECT),
    "a vote in an array": (b"[" + PLAIN + b"]", Reason.NOT_AN_OBJECT),
    "a string": (b'"vote"', Reason.NOT_AN_OBJECT),
    "a number": (b"1", Reason.NOT_AN_OBJECT),
    "null": (b"null", Reason.NOT_AN_OBJECT),
    "an empty object": (b"{}", Reason.MISSING_FIELD),
    **{f"no {name}": (body(**{name: ABSENT}), Reason.MISSING_FIELD) for name in json.loads(PLAIN)},
    "an empty id": (body(id=""), Reason.INVALID_ID),
    "an id of 65": (body(id="i" * 65), Reason.INVALID_ID),
    "an id that is a number": (body(id=1), Reason.INVALID_ID),
    "an id that is null": (body(id=None), Reason.INVALID_ID),
    "an empty arena": (body(arena=""), Reason.INVALID_ARENA),
    "an arena of 33": (body(arena="a" * 33), Reason.INVALID_ARENA),
    "an arena in capitals": (body(arena="Text"), Reason.INVALID_ARENA),
    "an arena that begins with a dash": (body(arena="-text"), Reason.INVALID_ARENA),
    "an arena with a colon": (body(arena="a:b"), Reason.INVALID_ARENA),
    "an arena with a brace": (body(arena="a}"), Reason.INVALID_ARENA),
    "an arena with a trailing newline": (body(arena="text\n"), Reason.INVALID_ARENA),
    "an arena of other digits": (body(arena="٣"), Reason.INVALID_ARENA),
    "an arena that is null": (body(arena=None), Reason.INVALID_ARENA),
    "an empty model": (body(model_a=""), Reason.INVALID_MODEL),
    "a model of 129": (body(model_b="m" * 129), Reason.INVALID_MODEL),
    "a model that is a list": (body(model_b=["x"]), Reason.INVALID_MODEL),
    "a model that is null": (body(model_a=None), Reason.INVALID_MODEL),
    "a model against itself": (body(model_b="x"), Reason.SAME_MODEL),
    "a model that was lost": (body(model_a="null"), Reason.INVALID_MODEL),
    "a model that a provider lost": (body(model_b=" OpenAI/undefined"), Reason.INVALID_MODEL),
    "a model that a database lost": (body(model_b="\\N"), Reason.INVALID_MODEL),
    "a model with an end of text": (body(model_a="x\x03z"), Reason.INVALID_MODEL),
    "a model against itself and a blank": (body(model_b="x "), Reason.SAME_MODEL),
    "a model against itself in halves": (body(model_a="e\u0301", model_b="\u00e9"), Reason.SAME_MODEL),
    "a model of blanks": (body(model_a=" \u3000\n"), Reason.INVALID_MODEL),
    "a model of 130 in its normal form": (body(model_a="\u0958" * 65), Reason.INVALID_MODEL),
    "a model with an escape": (body(model_b="\x1b[2Jz"), Reason.INVALID_MODEL),
    "a model with a delete": (body(model_b="z\x7f"), Reason.INVALID_MODEL),
    "a model that turns the writing around": (body(model_a="x\u202e4-tpg"), Reason.INVALID_MODEL),
    "a model with nothing in it": (body(model_a="\u200b"), Reason.INVALID_MODEL),
    "a language with a bell": (body(language="en\x07"), Reason.INVALID_FIELD),
    "a category with a soft hyphen": (body(categories=["code", "a\u00adb"]), Reason.INVALID_FIELD),
    "an unknown winner": (body(winner="model_c"), Reason.UNKNOWN_WINNER),
    "an empty winner": (body(winner=""), Reason.UNKNOWN_WINNER),
    "a winner in capitals": (body(winner="TIE"), Reason.UNKNOWN_WINNER),
    "a winner with a blank": (body(winner="tie "), Reason.UNKNOWN_WINNER),
    "a winner that is named": (body(winner="x"), Reason.UNKNOWN_WINNER),
    "a winner that is a number": (body(winner=0), Reason.UNKNOWN_WINNER),
    "a winner that is null": (body(winner=None), Reason.UNKNOWN_WINNER),
    "a negative tstamp": (body(tstamp=-0.001), Reason.INVALID_TSTAMP),
    "a tstamp in words": (body(tstamp="2024-08-14"), Reason.INVALID_TSTAMP),
    "a tstamp that is a truth": (body(tstamp=True), Reason.INVALID_TSTAMP),
    "a tstamp that is null": (body(tstamp=None), Reason.INVALID_TSTAMP),
    "a tstamp beyond floats": (raw("tstamp", b"1e999"), Reason.INVALID_TSTAMP),
    "a tstamp of 400 digits": (raw("tstamp", b"9" * 400), Reason.INVALID_TSTAMP),
    "a tstamp of 5,000 digits": (raw("tstamp", b"9" * 5_000), Reason.INVALID_TSTAMP),
    "a tstamp from the future": (body(tstamp=ARRIVED + 300.001), Reason.FUTURE_TSTAMP),
    "a tstamp in milliseconds": (body(tstamp=ARRIVED_MS), Reason.FUTURE_TSTAMP),
    "a p_pair of 0": (body(p_pair=0), Reason.INVALID_FIELD),
    "a negative p_pair": (body(p_pair=-0.5), Reason.INVALID_FIELD),
    "a p_pair of 1.5": (body(p_pair=1.5), Reason.INVALID_FIELD),
    "a p_pair that is a truth": (body(p_pair=True), Reason.INVALID_FIELD),
    "a voter of 65": (body(voter="v" * 65), Reason.INVALID_FIELD),
    "a voter that is a number": (body(voter=1), Reason.INVALID_FIELD),
    "a battle of 65": (body(battle="b" * 65), Reason.INVALID_FIELD),
    "a battle that is a number": (body(battle=1), Reason.INVALID_FIELD),
    "a draw before the beginning of time": (body(drawn_at=-0.5), Reason.INVALID_FIELD),
    "a draw after the vote": (body(drawn_at=1_600_000_005.75), Reason.INVALID_FIELD),
    "a draw in milliseconds": (body(drawn_at=1_600_000_000_000), Reason.INVALID_FIELD),
    "a draw in words": (body(drawn_at="2020-09-13"), Reason.INVALID_FIELD),
    "a draw that is a truth": (body(drawn_at=True), Reason.INVALID_FIELD),
    "a draw beyond floats": (raw("drawn_at", b"1e999"), Reason.INVALID_FIELD),
    "a language of 65": (body(language="l" * 65), Reason.INVALID_FIELD),
    "a prompt hash of 65": (body(prompt_hash="h" * 65), Reason.INVALID_FIELD),
    "nine categories": (body(categories=["c"] * 9), Reason.INVALID_FIELD),
    "a category of 65": (body(categories=["c" * 65]), Reason.INVALID_FIELD),
    "a category that is a number": (body(categories=["c", 1]), Reason.INVALID_FIELD),
    "categories that are a string": (body(categories="code"), Reason.INVALID_FIELD),
    "an empty style": (body(style={}), Reason.INVALID_FIELD),
    "a style without one key": (body(style=dict.fromkeys(STYLE_FIELDS[:-1], 1)), Reason.INVALID_FIELD),
    "a negative style": (body(style=STYLE | {"lists_a": -1}), Reason.INVALID_FIELD),
    "a style beyond 31 bits": (body(style=STYLE | {"lists_a": 2**31}), Reason.INVALID_FIELD),
    "a style beyond 64 bits": (body(style=STYLE | {"lists_a": 2**70}), Reason.INVALID_FIELD),
    "a style in halves": (body(style=STYLE | {"lists_a": 0.5}), Reason.INVALID_FIELD),
    "a style in whole floats": (body(style=STYLE | {"lists_a": 1.0}), Reason.INVALID_FIELD),
    "a style with null": (body(style=STYLE | {"lists_a": None}), Reason.INVALID_FIELD),
    "a style that is a list": (body(style=[1] * 8), Reason.INVALID_FIELD),
    "a vote on models that were named": (body(anony=False), Reason.NOT_ANONYMOUS),
    "an anony in words": (body(anony="false"), Reason.INVALID_FIELD),
    "an anony of 0": (body(anony=0), Reason.INVALID_FIELD),
    "an anony whose name is escaped": (body()[:-1] + b',"anon\\u0079":false}', Reason.NOT_ANONYMOUS),
    "three votes in one": (body(count=3), Reason.INVALID_FIELD),
    "no vote in one": (body(count=0), Reason.INVALID_FIELD),
    "a count in words": (body(count="1"), Reason.INVALID_FIELD),
    "half a vote's weight": (body(weight=0.5), Reason.INVALID_FIELD),
    "a weight in words": (body(weight="heavy"), Reason.INVALID_FIELD),
    "a vote that the arena calls invalid": (body(is_valid=False), Reason.INVALID_FIELD),
    "a vote outside the sample": (body(dedup_tag={"high_freq": True, "sampled": False}), Reason.INVALID_FIELD),
    "a dedup_tag that does not say": (body(dedup_tag={"high_freq": True}), Reason.INVALID_FIELD),
    "a dedup_tag in words": (body(dedup_tag="sampled"), Reason.INVALID_FIELD),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_name(name: str) -> None:
    value, reason = REFUSED[name]
    with pytest.raises(InvalidRecord) as refused:
        parse_vote(value, ARRIVED)
    assert refused.value.reason is reason
    assert refused.value.detail
    [reject] = decode(as_records([(b"v1", value)])).rejects
    assert (reject.index, reject.reason, reject.detail) == (0, reason, refused.value.detail)


@pytest.mark.parametrize("key", [None, b"", b"v2", b"v1 ", b"V1", b"\xff", b"v1\x00"])
def test_a_key_that_is_not_the_id_is_refused(key: bytes | None) -> None:
    [reject] = decode(as_records([(key, PLAIN)])).rejects
    assert reject.reason is Reason.KEY_MISMATCH


def test_every_reason_has_a_bad_vote() -> None:
    # Of a batch; of a key at the gateway.
    of_others = {Reason.UNREADABLE, Reason.TOO_MANY_ARENAS, Reason.TOO_MANY_NAMES}
    assert {reason for _, reason in REFUSED.values()} | {Reason.KEY_MISMATCH} == set(Reason) - of_others
