"""Model records: what an arena may declare, and under which key."""

import json
from typing import Any

import pytest

from streams.contracts.model import model_key, parse_model, split_key
from streams.contracts.reasons import Reason
from streams.contracts.vote import InvalidRecord

ARRIVED = 1_700_000_000.0
FIELDS = {
    "arena": "text",
    "model": "org/x",
    "provider": "org",
    "license": "open_weight",
    "visibility": "public",
    "status": "active",
    "weight": 1.5,
    "tstamp": 1_600_000_000,
}
KEY = b"text/org/x"


def body(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in (FIELDS | changes).items() if value is not ...}).encode()


def reason_of(value: bytes | None, key: bytes | None = KEY) -> Reason:
    with pytest.raises(InvalidRecord) as refused:
        parse_model(value, key, ARRIVED)
    return refused.value.reason


def test_a_declared_model_is_read_whole() -> None:
    model = parse_model(body(family="x", announced_at=5, reason="cost", unknown=[1]), KEY, ARRIVED)
    assert (model.arena, model.model, model.provider, model.license) == ("text", "org/x", "org", "open_weight")
    assert (model.visibility, model.status, model.weight, model.tstamp) == ("public", "active", 1.5, 1_600_000_000.0)
    assert (model.family, model.announced_at, model.reason) == ("x", 5.0, "cost")


@pytest.mark.parametrize(
    "changes",
    [
        {"weight": 0},
        {"weight": 1e-9},
        {"weight": 1e9},
        {"provider": "[/x] <b> \u0915\u094d\u200d\u0937"},
        {"tstamp": ARRIVED + 300},
        {"family": None},
        {"license": "open_source"},
        {"status": "retired"},
    ],
)
def test_the_limits_are_inside(changes: dict[str, int] | dict[str, float] | dict[str, str] | dict[str, None]) -> None:
    assert parse_model(body(**changes), KEY, ARRIVED).model == "org/x"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"arena": "Text"}, Reason.INVALID_ARENA),
        ({"arena": "text\n"}, Reason.INVALID_ARENA),
        ({"arena": 1}, Reason.INVALID_ARENA),
        ({"model": ""}, Reason.INVALID_MODEL),
        ({"model": "m" * 129}, Reason.INVALID_MODEL),
        ({"model": "None"}, Reason.INVALID_MODEL),
        ({"provider": ""}, Reason.INVALID_FIELD),
        ({"provider": None}, Reason.INVALID_FIELD),
        ({"license": "mit"}, Reason.INVALID_FIELD),
        ({"visibility": "secret"}, Reason.INVALID_FIELD),
        ({"status": "gone"}, Reason.INVALID_FIELD),
        ({"weight": -1}, Reason.INVALID_FIELD),
        ({"weight": True}, Reason.INVALID_FIELD),
        ({"weight": 1.7e308}, Reason.INVALID_FIELD),
        ({"weight": 5e-324}, Reason.INVALID_FIELD),
        ({"weight": 9.99e-10}, Reason.INVALID_FIELD),
        ({"weight": 1.001e9}, Reason.INVALID_FIELD),
        ({"provider": "o\x1brg"}, Reason.INVALID_FIELD),
        ({"family": "a\u202ex"}, Reason.INVALID_FIELD),
        ({"provider": " \ufeff"}, Reason.INVALID_FIELD),
        ({"model": " \u00ad"}, Reason.INVALID_MODEL),
        ({"model": "\u0958" * 65}, Reason.INVALID_MODEL),
        ({"reason": "one\ntwo"}, Reason.INVALID_FIELD),
        ({"model": "or\x1bg"}, Reason.INVALID_MODEL),
        ({"announced_at": -1}, Reason.INVALID_FIELD),
        ({"reason": "r" * 1025}, Reason.INVALID_FIELD),
        ({"tstamp": "now"}, Reason.INVALID_TSTAMP),
        ({"tstamp": ARRIVED + 301}, Reason.FUTURE_TSTAMP),
        *[({name: ...}, Reason.MISSING_FIELD) for name in FIELDS],
    ],
)
def test_a_wrong_field_has_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    assert reason_of(body(**changes)) is reason


@pytest.mark.parametrize("number", [b"1e999", b"9" * 400])
def test_a_weight_beyond_floats_is_refused(number: bytes) -> None:
    assert reason_of(body().replace(b"1.5", number)) is Reason.INVALID_FIELD


def test_an_empty_value_is_no_model() -> None:
    assert reason_of(b"") is Reason.EMPTY
    assert reason_of(None) is Reason.EMPTY


@pytest.mark.parametrize("key", [None, b"", b"text", b"text/", b"text/org", b"vision/org/x", b"text/org/x ", b"\xff/x"])
def test_a_key_of_another_model_is_refused(key: bytes | None) -> None:
    assert reason_of(body(), key) is Reason.KEY_MISMATCH


def test_names_are_read_in_their_normal_form() -> None:
    model = parse_model(
        body(model=" org/x\n", provider="o\u200brg ", family="cafe\u0301", reason=" as it is "), KEY, ARRIVED
    )
    assert (model.model, model.provider, model.family, model.reason) == ("org/x", "org", "caf\u00e9", " as it is ")


def test_the_key_names_the_model_in_its_normal_form() -> None:
    assert reason_of(body(model="org/x "), b"text/org/x ") is Reason.KEY_MISMATCH


@pytest.mark.parametrize("model", ["x", "org/x", "/", "a//b", "é", "m" * 128, "𝕏" * 128])
def test_a_key_is_split_where_the_arena_ends(model: str) -> None:
    assert split_key(model_key("text", model)) == ("text", model)


@pytest.mark.parametrize("key", [None, b"", b"/", b"text", b"text/", b"/x", b"Te/x", b"\xff", b"text/" + b"m" * 129])
def test_what_is_not_a_key_is_not_split(key: bytes | None) -> None:
    with pytest.raises(InvalidRecord) as refused:
        split_key(key)
    assert refused.value.reason is Reason.KEY_MISMATCH
