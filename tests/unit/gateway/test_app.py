"""The gateway over HTTP, without Kafka."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import httpx
import msgspec
import pytest

import services.http.request_body
from services.gateway.budget import REQUEST_BYTES
from services.kafka.writer import Unavailable
from streams.contracts.model import parse_model
from streams.contracts.vote import parse_vote

from .conftest import Gateway

MakeVote = Callable[..., bytes]
MakeGateway = Callable[..., Awaitable[Gateway]]
VOTES = "/v1/votes"
MODEL = "/v1/arenas/text/models/meta-llama/Llama-3-8b"
DECLARATION = b'{"provider":"p","license":"proprietary","visibility":"public","status":"active","weight":1}'


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and reason, with the one shape of all errors checked."""
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["reason", "detail"]
    assert body["error"]["detail"]
    assert "Traceback" not in response.text
    return response.status_code, body["error"]["reason"]


async def test_one_vote_is_accepted_and_written_as_it_came(gateway: Gateway, vote: MakeVote) -> None:
    value = vote(extra=[1, 2])
    response = await gateway.client.post(VOTES, content=value)
    assert (response.status_code, response.json()) == (202, {"accepted": 1, "rejected": []})
    assert gateway.log.written == [("isonomy.votes", b"v1", value)]
    assert gateway.count("isonomy_gateway_votes_total", outcome="accepted") == 1
    assert gateway.count("isonomy_gateway_requests_total", route=VOTES, status="202") == 1
    assert gateway.count("isonomy_gateway_request_seconds_count", route=VOTES) == 1


async def test_a_bad_item_is_listed_and_the_others_are_accepted(gateway: Gateway, vote: MakeVote) -> None:
    body = b"[" + b",".join([vote(id="a"), vote(winner="draw"), vote(id="c")]) + b"]"
    response = await gateway.client.post(VOTES, content=body)
    assert response.status_code == 202
    assert response.json()["accepted"] == 2
    assert [(each["index"], each["reason"]) for each in response.json()["rejected"]] == [(1, "unknown_winner")]
    assert [key for _, key, _ in gateway.log.written] == [b"a", b"c"]
    assert gateway.count("isonomy_gateway_votes_total", outcome="unknown_winner") == 1


@pytest.mark.parametrize("shape", [b"%s", b"[%s]", b"\n%s\n"])
async def test_when_all_are_rejected_the_status_says_so(gateway: Gateway, vote: MakeVote, shape: bytes) -> None:
    response = await gateway.client.post(VOTES, content=shape % vote(model_b="x"))
    assert response.status_code == 422
    assert response.json()["accepted"] == 0
    assert response.json()["rejected"][0]["reason"] == "same_model"
    assert gateway.log.written == []


async def test_ndjson_by_its_content_type(gateway: Gateway, vote: MakeVote) -> None:
    response = await gateway.client.post(
        VOTES, content=b"oops\n" + vote(), headers={"Content-Type": "application/x-ndjson"}
    )
    assert (response.json()["accepted"], response.json()["rejected"][0]["index"]) == (1, 0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "empty"), (b"{", "invalid_json"), (b"\xff", "invalid_utf8"), (b"[" * 100_000, "too_deep")],
)
async def test_a_body_that_is_no_json_is_a_bad_request(gateway: Gateway, body: bytes, reason: str) -> None:
    assert error(await gateway.client.post(VOTES, content=body)) == (400, reason)


async def test_no_key_or_a_wrong_one_may_not_write(gateway: Gateway, vote: MakeVote) -> None:
    for header in ("", "Bearer wrong", "Basic eDp5"):
        response = await gateway.client.post(VOTES, content=vote(), headers={"Authorization": header})
        assert error(response) == (401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
    del gateway.client.headers["authorization"]
    for method, path in (("POST", VOTES), ("PUT", MODEL), ("DELETE", MODEL)):
        assert error(await gateway.client.request(method, path, content=vote())) == (401, "unauthorized")
    assert gateway.log.written == []


async def test_without_a_key_file_nobody_may_write(make_gateway: MakeGateway, vote: MakeVote) -> None:
    gateway = await make_gateway(api_keys_file=None)
    assert error(await gateway.client.post(VOTES, content=vote())) == (401, "unauthorized")


async def test_a_key_for_some_arenas_may_not_write_to_others(gateway: Gateway, vote: MakeVote) -> None:
    body = vote() + b"\n" + vote(arena="Bad") + b"\n" + vote(arena="code")
    response = await gateway.client.post(VOTES, content=body, headers=gateway.text_only)
    assert error(response) == (403, "forbidden")
    assert "item 2" in response.json()["error"]["detail"]
    for method in ("PUT", "DELETE"):
        response = await gateway.client.request(method, "/v1/arenas/code/models/m", headers=gateway.text_only)
        assert error(response) == (403, "forbidden")
    assert gateway.log.written == []
    assert gateway.count("isonomy_gateway_votes_total", outcome="forbidden") == 3
    assert (await gateway.client.post(VOTES, content=vote(), headers=gateway.text_only)).status_code == 202


async def test_a_key_that_sends_too_much_is_told_when_to_come_back(make_gateway: MakeGateway, vote: MakeVote) -> None:
    gateway = await make_gateway(rate_limit=1.0, rate_burst=3.0)
    three = b"\n".join([vote()] * 3)
    assert (await gateway.client.post(VOTES, content=three)).status_code == 202
    for path, method in ((VOTES, "POST"), (MODEL, "PUT")):
        response = await gateway.client.request(method, path, content=vote())
        assert error(response) == (429, "rate_limited")
        assert 1 <= int(response.headers["retry-after"]) <= 3
    assert (await gateway.client.post(VOTES, content=vote(), headers=gateway.text_only)).status_code == 202
    assert len(gateway.log.written) == 4


async def test_a_key_holds_a_fourth_of_the_bytes_under_way_and_the_others_are_served(
    make_gateway: MakeGateway, vote: MakeVote
) -> None:
    # A request and its body: its fourth has room for one of them, and for what a second holds besides its body.
    gateway = await make_gateway(bodies_limit=4 * (2 * REQUEST_BYTES + 2_000), body_limit=2_000)

    async def slow() -> AsyncIterator[bytes]:
        yield b"[" + vote() + b"," + b" " * 1_500
        held.set()
        await go_on.wait()
        yield vote(id="v2") + b"]"

    held, go_on = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(gateway.client.post(VOTES, content=slow()))
    await held.wait()
    response = await gateway.client.post(VOTES, content=b" " * 600 + vote())
    assert error(response) == (429, "rate_limited")
    assert "use all the memory they may" in response.json()["error"]["detail"]
    assert (await gateway.client.post(VOTES, content=vote(), headers=gateway.text_only)).status_code == 202
    go_on.set()
    assert (await first).json()["accepted"] == 2
    assert (await gateway.client.post(VOTES, content=b" " * 600 + vote())).status_code == 202, "it is let go"


async def test_a_large_body_is_read_beside_the_loop_and_says_the_same(gateway: Gateway, vote: MakeVote) -> None:
    items = [vote(id=f"v{number}", x="y" * 100) for number in range(2_000)] + [b"{}"]
    response = await gateway.client.post(VOTES, content=b"[" + b",".join(items) + b"]")
    assert (response.status_code, response.json()["accepted"]) == (202, 2_000)
    assert [each["index"] for each in response.json()["rejected"]] == [2_000]


async def test_what_is_refused_whole_is_charged_all_the_same(make_gateway: MakeGateway, vote: MakeVote) -> None:
    gateway = await make_gateway(rate_limit=1.0, rate_burst=50.0)
    assert error(await gateway.client.post(VOTES, content=b"[" + b"1," * 50_001))[0] == 413
    assert error(await gateway.client.post(VOTES, content=vote())) == (429, "rate_limited")


@pytest.mark.parametrize("written", [True, False])
async def test_without_kafka_a_vote_is_refused_and_not_swallowed(
    gateway: Gateway, vote: MakeVote, written: bool
) -> None:
    gateway.log.unavailable = Unavailable("no acknowledgement", written)
    reason = "unconfirmed" if written else "unavailable"
    for method, path, body in (("POST", VOTES, vote()), ("PUT", MODEL, DECLARATION), ("DELETE", MODEL, b"")):
        response = await gateway.client.request(method, path, content=body)
        assert error(response) == (503, reason)
        assert int(response.headers["retry-after"]) >= 1
        assert ("same ids" in response.text) is written
    assert error(await gateway.client.get("/readyz")) == (503, "unavailable")
    assert (await gateway.client.get("/healthz")).status_code == 200
    assert gateway.count("isonomy_gateway_votes_total", outcome=reason) == 1
    assert gateway.count("isonomy_gateway_votes_total", outcome="accepted") == 0


async def pieces(body: bytes, step: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(body), step):
        yield body[at : at + step]


async def test_a_body_over_the_limit_is_refused_whatever_its_length_says(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(body_limit=10_000)
    body = b" " * 10_001
    for content, headers in (
        (body, {}),
        (pieces(body), {}),
        (pieces(body), {"Content-Length": "10"}),
        (pieces(b" " * 100_000), {"Content-Length": "nonsense"}),
    ):
        response = await gateway.client.post(VOTES, content=content, headers=headers)
        assert error(response) == (413, "body_too_large")
    assert error(await gateway.client.post(VOTES, content=pieces(body[:10_000]))) == (400, "empty")


async def test_ten_megabytes_are_too_large_by_default(gateway: Gateway) -> None:
    assert error(await gateway.client.post(VOTES, content=b"[" + b" " * 10_000_000 + b"]")) == (413, "body_too_large")


async def test_gzip_is_unpacked(gateway: Gateway, vote: MakeVote) -> None:
    body = gzip.compress(b"\n".join(vote(id=str(i)) for i in range(100)))
    response = await gateway.client.post(VOTES, content=pieces(body, 50), headers={"Content-Encoding": "gzip"})
    assert response.json() == {"accepted": 100, "rejected": []}


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        ("gzip", gzip.compress(b"\0" * 50_000_000, mtime=0), (413, "body_too_large")),
        ("gzip", b"{}", (400, "invalid_encoding")),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-1], (400, "invalid_encoding")),
        ("br", b"{}", (415, "unsupported_encoding")),
        ("gzip, gzip", b"{}", (415, "unsupported_encoding")),
    ],
    ids=["bomb", "not gzip", "cut off", "unknown", "twice"],
)
async def test_packed_bodies_that_are_refused(
    gateway: Gateway, encoding: str, body: bytes, expected: tuple[int, str]
) -> None:
    assert error(await gateway.client.post(VOTES, content=body, headers={"Content-Encoding": encoding})) == expected


async def test_a_body_that_does_not_arrive_is_not_waited_for(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.http.request_body, "BODY_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    assert error(await gateway.client.post(VOTES, content=slow())) == (408, "body_timeout")


async def test_a_model_is_declared_and_removed(gateway: Gateway) -> None:
    response = await gateway.client.put(MODEL, content=DECLARATION)
    assert (response.status_code, response.json()) == (202, {"arena": "text", "model": "meta-llama/Llama-3-8b"})
    assert (await gateway.client.delete(MODEL)).status_code == 202
    (topic, key, value), removal = gateway.log.written
    assert (topic, key) == ("isonomy.models", b"text/meta-llama/Llama-3-8b")
    assert parse_model(value, key, 4e9).weight == 1
    assert removal == (topic, key, None)


async def test_fields_of_a_declaration_that_nothing_heeds_are_named(gateway: Gateway) -> None:
    body = DECLARATION.rstrip()[:-1] + b',"anounced_at":5,"note":"kept","arena":"text","announced_at":null}'
    response = await gateway.client.put(MODEL, content=body)
    assert (response.status_code, response.json()["unread"]) == (202, ["anounced_at", "note"])
    value = gateway.log.written[0][2]
    assert value is not None
    assert b'"note":"kept"' in value


async def test_a_name_is_declared_and_removed_in_its_normal_form(gateway: Gateway) -> None:
    spelt = "/v1/arenas/text/models/gpt%20%20x%E2%80%8B%20"
    for act in (partial(gateway.client.put, content=DECLARATION), gateway.client.delete):
        response = await act(spelt)
        assert (response.status_code, response.json()) == (202, {"arena": "text", "model": "gpt x"})
    assert [key for _, key, _ in gateway.log.written] == [b"text/gpt x"] * 2


async def test_a_record_from_before_the_normal_form_is_removed_as_it_was_written(gateway: Gateway) -> None:
    response = await gateway.client.delete("/v1/arenas/text/models/gpt-4%20?as_written=true")
    assert (response.status_code, response.json()["model"]) == (202, "gpt-4 ")
    assert gateway.log.written == [("isonomy.models", b"text/gpt-4 ", None)]


async def test_as_written_is_true_or_false_and_nothing_else(gateway: Gateway) -> None:
    for query, said in {
        "as_written=1": "as_written='1': use true or false",
        "as_written=true&as_written=true": "as_written is given 2 times",
        "as_written=": "as_written='': use true or false",
    }.items():
        response = await gateway.client.delete(f"/v1/arenas/text/models/gpt-4?{query}")
        assert response.status_code == 400
        assert said in response.text


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", f"{VOTES}?arena=code", "there is no parameter 'arena' here; there are none"),
        ("PUT", "/v1/arenas/text/models/gpt-4?as_written=true", "no parameter 'as_written' here; there are none"),
        ("DELETE", "/v1/arenas/text/models/gpt-4?as_writen=true", "'as_writen' here; there are: as_written"),
    ],
)
async def test_a_parameter_that_would_not_be_heeded_is_refused_and_nothing_is_written(
    gateway: Gateway, vote: MakeVote, method: str, path: str, said: str
) -> None:
    response = await gateway.client.request(method, path, content=vote())
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "invalid_query")
    assert said in response.json()["error"]["detail"]
    assert gateway.log.written == []


async def test_the_answer_tells_duplicates_and_names_that_are_counted_in_another_spelling(
    gateway: Gateway, vote: MakeVote
) -> None:
    body = b"[" + b",".join([vote(model_a="gpt-4 "), vote(), vote(arena="code")]) + b"]"
    answer = (await gateway.client.post(VOTES, content=body)).json()
    assert answer == {"accepted": 3, "rejected": [], "duplicates": 1, "renamed": {"gpt-4 ": "gpt-4"}}
    assert len(gateway.log.written) == 3


async def test_a_vote_on_models_that_were_named_is_refused_and_said(gateway: Gateway, vote: MakeVote) -> None:
    response = await gateway.client.post(VOTES, content=b"[" + vote(anony=False) + b"," + vote(anony=True) + b"]")
    assert (response.status_code, response.json()["accepted"]) == (202, 1)
    assert [(each["index"], each["reason"]) for each in response.json()["rejected"]] == [(0, "not_anonymous")]
    assert gateway.count("isonomy_gateway_votes_total", outcome="not_anonymous") == 1


async def test_a_declaration_that_cannot_be_used_is_refused(gateway: Gateway) -> None:
    assert error(await gateway.client.put(MODEL, content=b"{}")) == (422, "missing_field")
    assert error(await gateway.client.put(MODEL, content=b"{")) == (400, "invalid_json")
    assert error(await gateway.client.put("/v1/arenas/Text/models/m", content=DECLARATION)) == (422, "invalid_arena")
    assert error(await gateway.client.delete("/v1/arenas/text/models/")) == (422, "invalid_model")
    assert gateway.log.written == []


async def test_what_is_not_there_is_an_error_in_the_same_shape(gateway: Gateway) -> None:
    for path in ("/nothing", VOTES + "/", "/v1/arenas/text/models"):
        assert error(await gateway.client.post(path)) == (404, "not_found")
    for path, allow in ((VOTES, {"POST"}), (MODEL, {"PUT", "DELETE"})):
        response = await gateway.client.get(path)
        assert error(response) == (405, "method_not_allowed")
        assert set(response.headers["allow"].split(", ")) == allow
    assert gateway.count("isonomy_gateway_requests_total", route="other", status="404") == 3


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_what_can_be_read_needs_no_key(gateway: Gateway, path: str) -> None:
    del gateway.client.headers["authorization"]
    assert (await gateway.client.get(path)).status_code == 200
    assert (await gateway.client.head(path)).status_code == 200


async def test_metrics_are_those_of_the_contract(gateway: Gateway, vote: MakeVote) -> None:
    await gateway.client.post(VOTES, content=vote())
    text = (await gateway.client.get("/metrics")).text
    assert 'isonomy_gateway_votes_total{outcome="accepted"} 1.0' in text
    assert "process_resident_memory_bytes" in text


async def test_what_nobody_expected_is_logged_and_not_shown(
    gateway: Gateway, vote: MakeVote, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.log.unavailable = ZeroDivisionError("secret of the house")
    with caplog.at_level(logging.ERROR):
        response = await gateway.client.post(VOTES, content=vote())
    assert error(response) == (500, "internal")
    assert "secret of the house" not in response.text
    assert "secret of the house" in caplog.text
    assert gateway.count("isonomy_gateway_requests_total", route=VOTES, status="500") == 1


async def test_the_written_votes_can_be_read_as_intake_reads_them(gateway: Gateway, vote: MakeVote) -> None:
    await gateway.client.post(VOTES, content=msgspec.json.encode([msgspec.Raw(vote(id=str(i))) for i in range(20)]))
    assert [parse_vote(value, 4e9).id.encode() for _, _, value in gateway.log.written] == [
        key for _, key, _ in gateway.log.written
    ]
