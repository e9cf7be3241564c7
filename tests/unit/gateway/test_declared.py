"""What a model's declaration becomes."""

import msgspec
import pytest

from services.gateway.parse_body import key_of, read_model
from services.http.errors import Refused
from streams.contracts.model import parse_model
from streams.contracts.names import normalised
from streams.contracts.reasons import Reason

BODY = {"provider": "p", "license": "open_weight", "visibility": "public", "status": "active", "weight": 1.5}


def encoded(**changes: object) -> bytes:
    return msgspec.json.encode(BODY | changes)


def test_the_path_and_the_clock_complete_the_record() -> None:
    key, value = read_model(encoded(note="kept"), "text", "meta/llama-3", now=7.0)
    record = parse_model(value, key, 7.0)
    assert (key, record.arena, record.model, record.tstamp) == (b"text/meta/llama-3", "text", "meta/llama-3", 7.0)
    assert msgspec.json.decode(value)["note"] == "kept"


def test_a_given_time_stays() -> None:
    _, value = read_model(encoded(tstamp=3, arena="text", model="m"), "text", "m", now=7.0)
    assert msgspec.json.decode(value)["tstamp"] == 3


@pytest.mark.parametrize(
    ("body", "reason", "status"),
    [
        (b"", Reason.EMPTY, 400),
        (b"{", Reason.INVALID_JSON, 400),
        (b'{"u":' + b"[" * 30_000 + b"]" * 30_000 + b"}", Reason.TOO_DEEP, 400),
        (b"[]", Reason.NOT_AN_OBJECT, 422),
        (encoded(note="n" * 70_000), Reason.TOO_LARGE, 413),
        (encoded(arena="code"), Reason.INVALID_ARENA, 422),
        (encoded(arena="text "), Reason.INVALID_ARENA, 422),
        (encoded(model="n "), Reason.INVALID_MODEL, 422),
        (encoded(model=["m"]), Reason.INVALID_MODEL, 422),
        (encoded(weight=-1), Reason.INVALID_FIELD, 422),
        (encoded(status="new"), Reason.INVALID_FIELD, 422),
        (encoded(tstamp=1000.0), Reason.FUTURE_TSTAMP, 422),
        (b'{"provider":"p"}', Reason.MISSING_FIELD, 422),
    ],
)
def test_declarations_that_cannot_be_used(body: bytes, reason: Reason, status: int) -> None:
    with pytest.raises(Refused) as caught:
        read_model(body, "text", "m", now=7.0)
    assert (caught.value.reason, caught.value.status) == (reason, status)


def test_the_name_is_written_in_its_normal_form() -> None:
    key, value = read_model(encoded(model="m\n"), "text", "\u200bm ", now=7.0)
    assert (key, msgspec.json.decode(value)["model"]) == (b"text/m", "m")
    assert parse_model(value, key, 7.0).model == "m"


@pytest.mark.parametrize(("arena", "model"), [("Text", "m"), ("text", " \u200b"), ("text", ""), ("text", "m" * 129)])
def test_paths_that_name_no_model(arena: str, model: str) -> None:
    with pytest.raises(Refused):
        read_model(encoded(), arena, model, now=7.0)
    with pytest.raises(Refused):
        key_of(arena, normalised(model))
