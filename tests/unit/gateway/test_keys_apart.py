"""What one key does wrong is its own trouble: over HTTP, with honest keys beside it."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from services.gateway.app import create_gateway
from services.gateway.budget import Held, Holding
from services.http.api_keys import new_key
from services.http.errors import Refused
from services.kafka.writer import Unavailable
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import GatewaySettings
from streams.contracts.settings import Settings

from .conftest import Gateway, ListLog

MakeVote = Callable[..., bytes]
VOTES = "/v1/votes"
DECLARATION = b'{"provider":"p","license":"proprietary","visibility":"public","status":"active","weight":1}'
WORDS = {"bad": "*", "star": "*", "named": "text,code,vision"}


class Keys:
    """A gateway whose key file holds a bad key, an honest one for all arenas and an honest one for three."""

    def __init__(self, directory: Path, **changes: object) -> None:
        made = {name: new_key(name, arenas) for name, arenas in WORDS.items()}
        self.lines = {name: line for name, (_, line) in made.items()}
        self._headers = {name: {"Authorization": f"Bearer {secret}"} for name, (secret, _) in made.items()}
        self.path = directory / "keys"
        self.write(*WORDS)
        settings = Settings(gateway=replace(GatewaySettings(api_keys_file=self.path), **changes))
        log, metrics = ListLog(), Metrics()
        self.app = create_gateway(settings, metrics, log=log)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://gateway")
        self.gateway = Gateway(client, log, metrics, {})

    def write(self, *names: str) -> None:
        self.path.write_text("".join(self.lines[name] + "\n" for name in names))

    async def send(
        self, key: str, content: bytes, path: str = VOTES, method: str = "POST", encoding: str = "identity"
    ) -> httpx.Response:
        headers = self._headers[key] | {"Content-Encoding": encoding}
        return await self.gateway.client.request(method, path, content=content, headers=headers)

    def scope(self, key: str) -> dict[str, Any]:
        """Of a request as a server hands it over."""
        headers = [(b"authorization", self._headers[key]["Authorization"].encode())]
        return {"type": "http", "method": "POST", "path": VOTES, "query_string": b"", "headers": headers}

    async def series(self, name: str) -> dict[str, float]:
        """Value of each key's series, as scraped."""
        lines = (await self.gateway.client.get("/metrics")).text.splitlines()
        found = (
            line.removeprefix(f'isonomy_{name}{{key="').split('"} ') for line in lines if f"isonomy_{name}{{" in line
        )
        return {key: float(value) for key, value in found}


async def test_a_key_that_sends_rubbish_is_told_why_and_honest_ones_lose_nothing(
    tmp_path: Path, vote: MakeVote
) -> None:
    keys = Keys(tmp_path, rate_limit=0.0)
    rubbish = b"\n".join([vote(id=f"g{number}") for number in range(2)] + [vote(winner="draw")] * 48)
    taken = {"star": 0, "named": 0}
    statuses = []
    for number in range(30):
        response = await keys.send("bad", rubbish)
        statuses.append(response.status_code)
        for name in taken:
            answer = await keys.send(name, vote(id=f"{name}{number}"))
            taken[name] += answer.json()["accepted"]
    assert statuses == [202] * 20 + [429] * 10
    assert taken == {"star": 30, "named": 30}
    error = response.json()["error"]
    assert error["reason"] == "key_quarantined"
    assert error["detail"].startswith(
        "key 'bad': 960 of its last 1,000 items were refused, first with unknown_winner: winner 'draw' is none of "
    )
    assert error["detail"].endswith("its requests are accepted again in 10 s")
    assert 1 <= int(response.headers["retry-after"]) <= 10
    assert (await keys.send("bad", DECLARATION, "/v1/arenas/text/models/m", "PUT")).status_code == 429
    assert await keys.series("gateway_key_quarantined") == {"bad": 1, "star": 0, "named": 0}
    assert await keys.series("gateway_quarantine_refusals_total") == {"bad": 11}


@pytest.mark.parametrize("what", ["no json", "forbidden"])
async def test_bodies_that_are_no_json_and_arenas_that_are_forbidden_count(
    tmp_path: Path, vote: MakeVote, what: str
) -> None:
    keys = Keys(tmp_path)
    body = b"{" + b"x" * 100_000 if what == "no json" else b"\n".join([vote(arena="other")] * 1_000)
    assert (await keys.send("named", body)).status_code == (400 if what == "no json" else 403)
    assert (await keys.send("named", vote())).json()["error"]["reason"] == "key_quarantined"


async def test_half_bad_is_charged_and_not_set_aside(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, rate_limit=1.0, rate_burst=4_000.0)
    half = b"\n".join([vote(), vote(winner="draw")] * 1_000)
    for _ in range(2):
        assert (await keys.send("bad", half)).json()["accepted"] == 1_000
    assert (await keys.send("bad", half)).json()["error"]["reason"] == "rate_limited"


async def test_what_is_refused_for_its_rate_or_for_kafka_sets_nobody_aside(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, rate_limit=1e6, rate_burst=2_000.0, quarantine_items=10)
    many = b"\n".join([vote()] * 2_000)
    keys.gateway.log.unavailable = Unavailable("no acknowledgement", written=True)
    answers = await asyncio.gather(*(keys.send("star", many) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {429, 503}
    assert await keys.series("gateway_key_quarantined") == {"star": 0}


async def test_arenas_without_end_are_refused_item_by_item_and_honest_keys_lose_nothing(
    tmp_path: Path, vote: MakeVote
) -> None:
    keys = Keys(tmp_path, key_arenas=10)
    flood = b"\n".join([b"{}"] + [vote(id=f"f{number}", arena=f"made-up-{number}") for number in range(40)])
    response = await keys.send("bad", flood)
    assert (response.status_code, response.json()["accepted"]) == (202, 10)
    rejected = response.json()["rejected"]
    assert [(each["index"], each["reason"]) for each in rejected] == [(0, "missing_field")] + [
        (number, "too_many_arenas") for number in range(11, 41)
    ]
    for part in ("ISONOMY_KEY_ARENAS", "10 arenas", "'made-up-10'", "name arenas in the key's line"):
        assert part in rejected[1]["detail"]
    for name, arenas in (("star", [f"own-{number}" for number in range(10)]), ("named", ["text", "code", "vision"])):
        votes = [vote(id=f"{name}-{arena}-{number}", arena=arena) for arena in arenas for number in range(20)]
        assert (await keys.send(name, b"\n".join(votes))).json() == {"accepted": len(votes), "rejected": []}
    written = [value for _, _, value in keys.gateway.log.written]
    assert len(written) == 10 + 200 + 60
    assert (await keys.send("bad", vote(arena="made-up-3"))).status_code == 202, "a known one is free"
    declared = await keys.send("bad", DECLARATION, "/v1/arenas/another/models/m", "PUT")
    assert (declared.status_code, declared.json()["error"]["reason"]) == (403, "too_many_arenas")
    assert await keys.series("gateway_key_arenas") == {"bad": 10, "star": 10}


async def test_models_without_end_are_refused_and_a_neighbour_of_the_same_arena_is_not(tmp_path: Path) -> None:
    keys = Keys(tmp_path, key_models=5)
    models = "/v1/arenas/text/models/"
    statuses = [(await keys.send("bad", DECLARATION, f"{models}m{number}", "PUT")).status_code for number in range(8)]
    assert statuses == [202] * 5 + [429] * 3
    response = await keys.send("bad", b"", f"{models}never-seen", "DELETE")
    assert (response.status_code, response.json()["error"]["reason"]) == (429, "too_many_models")
    assert 86_000 < int(response.headers["retry-after"]) <= 86_400
    assert "ISONOMY_KEY_MODELS" in response.json()["error"]["detail"]
    for name, arena in (("star", "text"), ("named", "text"), ("bad", "code")):
        path = f"/v1/arenas/{arena}/models/mine"
        assert (await keys.send(name, DECLARATION, path, "PUT")).status_code == 202
    for method, body in (("PUT", DECLARATION), ("DELETE", b"")):
        assert (await keys.send("bad", body, f"{models}m1", method)).status_code == 202, "a known one is free"
    assert len(keys.gateway.log.written) == 10


async def test_invented_names_are_refused_vote_by_vote_and_known_ones_go_on(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, key_names=6, quarantine_items=10)
    assert (await keys.send("bad", vote(id="real", model_a="x", model_b="y"))).status_code == 202
    flood = [vote(id=f"f{n}", model_a=f"made-up-{2 * n}", model_b=f"made-up-{2 * n + 1}") for n in range(50)]
    response = await keys.send("bad", b"\n".join([b"{}", *flood, vote(id="after", model_a="y", model_b="x")]))
    assert (response.status_code, response.json()["accepted"]) == (202, 3), (
        "two of the flood, and the real one after it"
    )
    rejected = response.json()["rejected"]
    assert [(each["index"], each["reason"]) for each in rejected] == [(0, "missing_field")] + [
        (index, "too_many_names") for index in range(3, 51)
    ]
    for part in ("ISONOMY_KEY_NAMES", "key 'bad'", "6 different models", "arena 'text'", "'made-up-4' and 'made-up-5'"):
        assert part in rejected[1]["detail"]
    response = await keys.send("bad", vote(id="alone", model_a="x", model_b="one-more"))
    assert (response.status_code, response.json()["rejected"][0]["reason"]) == (422, "too_many_names")
    assert "'x'" not in response.json()["rejected"][0]["detail"], "only what is new is named"
    for name, arena in (("star", "text"), ("named", "text"), ("bad", "code")):
        made = vote(id=f"{name}-{arena}", arena=arena, model_a="one-more", model_b="another")
        assert (await keys.send(name, made)).status_code == 202, "other keys and arenas have limits of their own"
    assert await keys.series("gateway_key_names_refused_total") == {"bad": 49}
    lines = (await keys.gateway.client.get("/metrics")).text.splitlines()
    assert 'isonomy_gateway_votes_total{outcome="too_many_names"} 49.0' in lines
    assert await keys.series("gateway_key_quarantined") == {"bad": 0, "star": 0, "named": 0}


async def test_a_name_in_another_form_is_no_further_name(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, key_names=2)
    for number, name in enumerate(("caf\u00e9", "cafe\u0301", "  caf\u00e9 ")):
        assert (await keys.send("bad", vote(id=f"{number}", model_a=name, model_b="y"))).status_code == 202


async def test_the_names_of_a_key_are_free_again_after_a_day(
    tmp_path: Path, vote: MakeVote, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, now = Keys(tmp_path, key_names=2), 1_000.0
    monkeypatch.setattr("services.gateway.auth.time", SimpleNamespace(monotonic=lambda: now))
    assert (await keys.send("bad", vote(model_a="one", model_b="two"))).status_code == 202
    now += 86_399.0
    assert (await keys.send("bad", vote(model_a="one", model_b="three"))).status_code == 422
    now += 2.0
    assert (await keys.send("bad", vote(model_a="one", model_b="three"))).status_code == 202


async def test_a_key_that_left_the_file_has_no_series_and_comes_back_as_new(
    tmp_path: Path, vote: MakeVote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.http.api_keys.CHECK_SECONDS", 0.0)
    keys = Keys(tmp_path)
    await keys.send("star", vote())
    await keys.send("bad", b"\n".join([vote(arena="x"), *[b"{}"] * 1_000]))
    assert (await keys.send("bad", vote())).status_code == 429
    keys.write("star", "named")
    assert (await keys.send("star", vote())).status_code == 202
    assert await keys.series("gateway_key_quarantined") == {"star": 0}
    assert await keys.series("gateway_key_arenas") == {"star": 1}
    assert await keys.series("gateway_quarantine_refusals_total") == {}
    keys.write(*WORDS)
    assert (await keys.send("bad", vote())).status_code == 202


async def test_a_key_has_so_many_requests_under_way_however_small(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, bodies_limit=0, body_limit=20_000)  # its fourth: one body, or three requests
    go_on, under_way = asyncio.Event(), asyncio.Event()
    waiting = 0

    async def wait(topic: str, records: object) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            under_way.set()
        await go_on.wait()

    send, keys.gateway.log.send = keys.gateway.log.send, wait  # type: ignore[method-assign]
    path = "/v1/arenas/text/models/m"
    three = [asyncio.create_task(keys.send("bad", b"", path, "DELETE")) for _ in range(3)]
    await under_way.wait()
    response = await keys.send("bad", b"", path, "DELETE")
    assert (response.status_code, response.json()["error"]["reason"]) == (429, "rate_limited")
    go_on.set()
    assert [(await each).status_code for each in three] == [202] * 3
    keys.gateway.log.send = send  # type: ignore[method-assign]
    assert (await keys.send("bad", vote())).status_code == 202


async def test_an_answer_that_nobody_reads_is_held_against_its_key_and_no_other(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, bodies_limit=4 * 200_000, body_limit=100_000)
    body = b"[" + b"{}," * 3_000 + b",".join([vote()] * 400) + b"]"  # nine in ten: not set aside
    read, written = asyncio.Event(), asyncio.Event()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        if len(sent) == 2:  # as uvicorn does: a further piece waits until the client has read those before
            written.set()
            await read.wait()
        sent.append(message)

    slow = asyncio.create_task(keys.app(keys.scope("bad"), receive, send))
    await written.wait()
    assert len(sent[1]["body"]) > 200_000
    response = await keys.send("bad", vote())
    assert (response.status_code, response.json()["error"]["reason"]) == (429, "rate_limited")
    assert (await keys.send("star", vote())).status_code == 202
    read.set()
    await slow
    assert (await keys.send("bad", vote())).status_code == 202


def test_answers_that_one_key_does_not_read_take_no_room_of_others() -> None:
    holding = Holding(4 * 200_000)
    for _ in range(10):  # of requests that were all under way before the first was answered
        holding.keep("bad", 300_000)
    assert holding.total == 200_000, "its part, and no more"
    with Held(holding, "star") as held:
        held.more(150_000)
        with pytest.raises(Refused, match="of key 'bad'"), Held(holding, "bad"):
            pass
    for _ in range(10):
        holding.release("bad", 300_000)
    assert (holding.total, holding.of) == (0, {})


async def test_who_waits_as_long_as_it_is_told_is_let_in(
    tmp_path: Path, vote: MakeVote, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path, rate_limit=10.0, rate_burst=1_000.0)
    now = 1_000.0
    monkeypatch.setattr("services.gateway.auth.time", SimpleNamespace(monotonic=lambda: now))
    batch = b"\n".join(vote(id=f"v{number}") for number in range(1_000))
    assert (await keys.send("star", batch)).status_code == 202
    told: list[int] = []
    while (answer := await keys.send("star", batch)).status_code == 429 and len(told) < 5:
        told.append(int(answer.headers["retry-after"]))
        now += told[-1]
    assert answer.status_code == 202
    assert len(told) == 2, "first that nothing is left, then how long the batch takes"


async def test_a_packed_body_is_charged_for_what_it_unpacks_to(tmp_path: Path, vote: MakeVote) -> None:
    keys = Keys(tmp_path, rate_limit=1.0, rate_burst=10_000.0)
    large = gzip.compress(b'{"a":"' + b" " * 8_000_000 + b'"}')
    assert (await keys.send("bad", large, encoding="gzip")).status_code == 422
    assert (await keys.send("bad", large, encoding="gzip")).status_code == 429
    keys = Keys(tmp_path, rate_limit=1.0, rate_burst=10_000.0)
    for _ in range(2):
        assert (await keys.send("bad", large[:-4], encoding="gzip")).status_code == 400
    assert (await keys.send("bad", vote())).status_code == 429


def test_a_key_may_name_as_many_models_as_an_arena_may_hold_undeclared() -> None:
    settings = Settings.from_env({})
    assert settings.gateway.key_names == settings.fold.max_models == 2_000
