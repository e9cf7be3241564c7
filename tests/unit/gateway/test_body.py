"""What is taken out of a body, and what is rejected."""

import contextlib
import json
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import services.gateway.parse_body as gateway_body
from services.gateway.parse_body import MAX_VOTES, ParsedVotes, read_votes, split_body
from services.http.errors import Refusal, Refused
from streams.contracts.reasons import Reason
from streams.contracts.vote import InvalidRecord, parse_vote

NOW = 2_000_000_000.0
MakeVote = Callable[..., bytes]


def read(body: bytes, ndjson: bool = False) -> ParsedVotes:
    return read_votes(split_body(body, ndjson), NOW)


def refused(body: bytes, ndjson: bool = False) -> Refused:
    with pytest.raises(Refused) as caught:
        split_body(body, ndjson)
    return caught.value


def test_one_object(vote: MakeVote) -> None:
    value = vote(tstamp=1.0)
    assert read(b" " + value + b"\n").records == [(b"v1", value)]


def test_an_array_keeps_each_item_as_it_was_sent(vote: MakeVote) -> None:
    first, second = vote(id="a", temperature=0.70, tstamp=1.50), b'{ "id":"b",' + vote(id=None, tstamp=1)[1:]
    assert read(b"[" + first + b" ,\n" + second + b"]").records == [(b"a", first), (b"b", second)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("ndjson", [True, False])
def test_lines_count_without_the_blank_ones(vote: MakeVote, end: bytes, ndjson: bool) -> None:
    body = end.join([vote(id="a"), b"", b"  ", b"{broken", vote(id="c"), b""])
    votes = read(body, ndjson)
    assert [key for key, _ in votes.records] == [b"a", b"c"]
    assert [(each.index, each.reason) for each in votes.rejected] == [(1, Reason.INVALID_JSON)]


def test_one_line_that_is_not_utf8_does_not_take_down_the_others(vote: MakeVote) -> None:
    votes = read(vote(id="a") + b"\n" + vote(id="b").replace(b"x", b"\xff") + b"\n" + vote(id="c"))
    assert [(each.index, each.reason) for each in votes.rejected] == [(1, Reason.INVALID_UTF8)]


def test_one_line_that_nests_too_deeply_does_not_take_down_the_others(vote: MakeVote) -> None:
    bomb = b'{"id":"b","u":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    votes = read(vote(id="a") + b"\n" + bomb + b"\n" + vote(id="c"))
    assert [(each.index, each.reason) for each in votes.rejected] == [(1, Reason.TOO_DEEP)]


def test_a_pretty_printed_object_is_not_taken_for_lines(vote: MakeVote) -> None:
    assert len(read(json.dumps(json.loads(vote()), indent=2).encode()).records) == 1
    assert refused(b'{\n"id": "v1",\n"model_a" "x"\n}').reason == Reason.INVALID_JSON


BAD_ITEMS = {
    "number": (b"7", Reason.NOT_AN_OBJECT),
    "null": (b"null", Reason.NOT_AN_OBJECT),
    "array": (b"[1]", Reason.NOT_AN_OBJECT),
    "string": (b'"v"', Reason.NOT_AN_OBJECT),
    "empty object": (b"{}", Reason.MISSING_FIELD),
}
BAD_FIELDS = [
    ({"id": None}, Reason.MISSING_FIELD),
    ({"id": 7}, Reason.INVALID_ID),
    ({"id": ""}, Reason.INVALID_ID),
    ({"id": "x" * 65}, Reason.INVALID_ID),
    ({"arena": "Text"}, Reason.INVALID_ARENA),
    ({"arena": "text\n"}, Reason.INVALID_ARENA),
    ({"arena": 1}, Reason.INVALID_ARENA),
    ({"model_a": ["x"]}, Reason.INVALID_MODEL),
    ({"model_b": "m" * 129}, Reason.INVALID_MODEL),
    ({"model_b": "x"}, Reason.SAME_MODEL),
    ({"winner": "draw"}, Reason.UNKNOWN_WINNER),
    ({"winner": True}, Reason.UNKNOWN_WINNER),
    ({"tstamp": "now"}, Reason.INVALID_TSTAMP),
    ({"tstamp": -1}, Reason.INVALID_TSTAMP),
    ({"tstamp": NOW + 301}, Reason.FUTURE_TSTAMP),
    ({"p_pair": 0}, Reason.INVALID_FIELD),
    ({"battle": "b" * 65}, Reason.INVALID_FIELD),
    ({"drawn_at": -1}, Reason.INVALID_FIELD),
    ({"drawn_at": NOW + 6}, Reason.INVALID_FIELD),
    ({"categories": ["c"] * 9}, Reason.INVALID_FIELD),
    ({"style": {"tokens_a": 1}}, Reason.INVALID_FIELD),
    ({"prompt": "p" * 70_000}, Reason.TOO_LARGE),
    ({"model_b": "x\u200b "}, Reason.SAME_MODEL),
    ({"anony": False}, Reason.NOT_ANONYMOUS),
    ({"count": 2}, Reason.INVALID_FIELD),
    ({"weight": 0.5}, Reason.INVALID_FIELD),
    ({"is_valid": False}, Reason.INVALID_FIELD),
    ({"dedup_tag": {"sampled": False}}, Reason.INVALID_FIELD),
]


@pytest.mark.parametrize(("item", "reason"), BAD_ITEMS.values(), ids=BAD_ITEMS)
def test_items_that_are_no_votes(item: bytes, reason: Reason, vote: MakeVote) -> None:
    check_rejected(item, reason, vote)


@pytest.mark.parametrize(("changes", "reason"), BAD_FIELDS, ids=str)
def test_votes_that_cannot_be_used(changes: dict[str, object], reason: Reason, vote: MakeVote) -> None:
    check_rejected(vote(**changes), reason, vote)


def check_rejected(item: bytes, reason: Reason, vote: MakeVote) -> None:
    """A bad item is rejected by itself, alone and among good ones, in an array and in lines."""
    alone = read(item)
    assert ([each.reason for each in alone.rejected], alone.records) == ([reason], [])
    good = [vote(id="a"), item, vote(id="c")]
    for body in (b"[" + b",".join(good) + b"]", b"\n".join(good)):
        votes = read(body)
        assert [key for key, _ in votes.records] == [b"a", b"c"]
        assert [(each.index, each.reason) for each in votes.rejected] == [(1, reason)]


BODIES = {
    "empty": (b"", Reason.EMPTY),
    "blank": (b" \r\n\t", Reason.EMPTY),
    "no JSON": (b"id=1", Reason.INVALID_JSON),
    "cut off": (b'{"id":"v1"', Reason.INVALID_JSON),
    "array cut off": (b'[{"id":"v1"},', Reason.INVALID_JSON),
    "byte order mark": (b"\xef\xbb\xbf{}", Reason.INVALID_JSON),
    "NaN": (b'{"tstamp":NaN}', Reason.INVALID_JSON),
    "NaN in an array": (b'[{"tstamp":NaN}]', Reason.INVALID_JSON),
    "Infinity in an unknown field": (b'{"u":Infinity}', Reason.INVALID_JSON),
    "lone surrogate": (b'{"id":"\\ud800"}', Reason.INVALID_JSON),
    "not UTF-8": (b'{"id":"\xff"}', Reason.INVALID_UTF8),
    "not UTF-8 in an unknown field of an item": (b'[{"u":"\xc3"}]', Reason.INVALID_UTF8),
    "surrogate as UTF-8": (b'{"id":"\xed\xa0\x80"}', Reason.INVALID_UTF8),
    "array bomb": (b"[" * 100_000 + b"]" * 100_000, Reason.TOO_DEEP),
    "object bomb": (b'{"u":' * 100_000 + b"1" + b"}" * 100_000, Reason.TOO_DEEP),
    "bomb in an unknown field of an item": (b'[{"u":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", Reason.TOO_DEEP),
}


@pytest.mark.parametrize(("body", "reason"), BODIES.values(), ids=BODIES)
def test_bodies_that_are_refused_whole(body: bytes, reason: Reason) -> None:
    error = refused(body)
    assert (error.reason, error.status) == (reason, 400)
    assert error.detail


def test_no_lines_are_an_empty_body() -> None:
    assert refused(b"\n \n", ndjson=True).reason == Reason.EMPTY


def test_an_empty_array_holds_nothing() -> None:
    assert read(b"[]") == ParsedVotes([], {}, [], [], [])


@pytest.mark.parametrize("body", [b"[" + b"1," * MAX_VOTES + b"1]", b"1\n" * (MAX_VOTES + 1)])
def test_more_items_than_one_request_may_have(body: bytes) -> None:
    error = refused(body, ndjson=body[:1] == b"1")
    assert (error.reason, error.status) == (Refusal.TOO_MANY_VOTES, 413)


def test_the_last_of_duplicate_names_counts_for_the_key_too(vote: MakeVote) -> None:
    value = vote()[:-1] + b',"id":"v2"}'
    assert read(value).records == [(b"v2", value)]


def test_duplicates_are_those_of_an_arena_within_the_request(vote: MakeVote) -> None:
    body = b"\n".join(
        [vote(), vote(arena="code"), vote(arena="text"), vote(id="v2"), vote(winner="draw"), vote(id="v2")]
    )
    votes = read(body)
    assert (len(votes.records), votes.duplicates()) == (5, 2)
    left = votes.without(Reason.TOO_MANY_ARENAS, lambda arena, _: None if arena == "code" else f"not {arena}")
    assert (left.duplicates(), list(left.arenas), left.names()) == (0, ["code"], {"code": {"x": None, "y": None}})
    assert read(b"[" + b",".join([vote()] * 3) + b"]").duplicates() == 2


def test_names_out_of_their_normal_form_are_listed_once_and_only_of_votes_that_are_taken(vote: MakeVote) -> None:
    items = [vote(model_a="a "), vote(id="v2", model_a="a ", language="e\u0301n"), vote(model_a="b ", winner="draw")]
    votes = read(b"\n".join(items))
    assert votes.renamed == {"a ": "a", "e\u0301n": "\u00e9n"}
    assert [value for _, value in votes.records] == items[:2], "what is written is what was sent"


def test_arenas_are_listed_with_their_first_vote(vote: MakeVote) -> None:
    body = b"\n".join([vote(), vote(arena="code"), vote(arena="text"), vote(arena="code")])
    assert read(body).arenas == {"text": 0, "code": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
nearly_votes = st.fixed_dictionaries(
    {
        "id": st.text(max_size=66),
        "model_a": st.sampled_from(["x", "y", ""]),
        "model_b": st.sampled_from(["x", "y"]),
        "winner": st.sampled_from(["model_a", "tie (bothbad)", "draw"]),
        "tstamp": st.sampled_from([0, 1.5, NOW, NOW + 400, -1]),
    },
    optional={"arena": st.sampled_from(["text", "T"]), "p_pair": st.floats(-1, 2), "extra": json_values},
)


@given(st.lists(nearly_votes | json_values, max_size=6), st.booleans(), st.booleans())
def test_every_shape_agrees_with_parse_vote_item_by_item(items: list[object], lines: bool, ascii_only: bool) -> None:
    texts = [json.dumps(item, ensure_ascii=ascii_only) for item in items]
    try:
        values = [text.encode() for text in texts]
    except UnicodeEncodeError:
        return
    if lines and not values:
        return
    votes = read(b"\n".join(values) if lines else b"[" + b",".join(values) + b"]", ndjson=lines)
    good, bad = [], []
    for index, value in enumerate(values):
        try:
            good.append((parse_vote(value, NOW).id.encode(), value))
        except InvalidRecord as error:
            bad.append((index, error.reason, error.detail))
    assert votes.records == good
    assert [(each.index, each.reason, each.detail) for each in votes.rejected] == bad


@given(st.binary(max_size=60), st.booleans())
def test_no_bytes_lead_to_anything_but_votes_or_a_reason(body: bytes, ndjson: bool) -> None:
    try:
        read(body, ndjson)
    except Refused as error:
        reason = error.reason
    else:
        return
    assert reason in set(Reason)


def test_what_the_gateway_takes_intake_takes_although_its_clock_is_a_minute_behind(vote: MakeVote) -> None:
    ahead = vote(tstamp=NOW + 240)
    assert len(read(ahead).records) == 1
    assert parse_vote(ahead, NOW - 60).id
    [rejected] = read(vote(tstamp=NOW + 241)).rejected
    assert rejected.reason is Reason.FUTURE_TSTAMP


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * 4_000_000 + b"1]",
        b'["' + b'",["' * 1_000_000,
        b'[{"a":[' + b"1," * 3_000_000 + b"1]}]",
        b'[{"a":"' + b"1," * 3_000_000 + b'1"}]',
        b"[" * 3_000_000 + b"," * 3_000_000,
        b"," * 6_000_000,
        b"{}\n" * 2_000_000,
    ],
    ids=["items", "strings", "one item", "one string", "deep", "commas", "lines"],
)
def test_eight_megabytes_of_nearly_nothing_make_no_objects(body: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(Refused):
            read(body, ndjson=body[:1] == b"{" and b"\n" in body)
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 16 * len(body)


@settings(max_examples=300)
@given(
    st.lists(
        st.recursive(st.text(alphabet='[]{},"\\\\ab', max_size=8), lambda inner: st.lists(inner, max_size=3)),
        min_size=1,
        max_size=9,
    )
)
def test_items_are_counted_as_they_would_be_made(items: list[object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway_body, "MAX_VOTES", len(items) - 1)
        assert refused(json.dumps(items).encode(), ndjson=False).reason is Refusal.TOO_MANY_VOTES
        patch.setattr(gateway_body, "MAX_VOTES", len(items))
        assert len(read(json.dumps(items).encode()).rejected) == len(items)
