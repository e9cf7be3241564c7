"""What is fuzzed: every parser that a stranger's bytes reach, and what must hold whatever they are.

A target raises nothing: what it may refuse, it refuses by its own errors, and those are caught here. Where another
library acts on the same text, both are asked, and must mean the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from uvicorn.server import ServerState

from services.gateway.parse_body import read_model, read_votes, split_body
from services.herald.api.drafts import make, read_draft
from services.herald.channels.ssrf_guard import RefusedAddress, read_url
from services.http.api_keys import InvalidKeyFile, Key, KeyRing, digest, parse_keys
from services.http.errors import Refused
from services.http.uvicorn_protocol import Protocol
from services.sources import SourceError, open_source
from streams.contracts.model import model_key, parse_model
from streams.contracts.names import normalised, unprintable
from streams.contracts.vote import DRAWN_SECONDS, InvalidRecord, parse_vote
from streams.intake.decode import decode, strict
from streams.ledger.codec import Block, DamagedRecord, Notice, encode_block, encode_notice
from streams.ledger.codec import decode as decode_ledger
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from tests.fuzz import channel_urls
from tests.fuzz.mutate import mutations
from tests.unit.intake.making import ARRIVED_MS, as_records, body, meaning

ARRIVED = ARRIVED_MS / 1000
STYLE = dict.fromkeys(("tokens_a", "tokens_b", "headers_a", "headers_b", "lists_a", "lists_b", "bolds_a", "bolds_b"), 7)
RICH = body(
    arena="text",
    voter="who",
    language="German",
    categories=["code", "maths"],
    prompt_hash="ab" * 16,
    battle="draw 7",
    p_pair=0.25,
    drawn_at=1_599_999_990.25,
    style=STYLE,
)
PLAIN = body()
ODD = body(
    model_a="e\u0301 ",
    model_b="\u200bx  y",
    anony=True,
    count=1,
    weight=1.0,
    is_valid=True,
    dedup_tag={"sampled": True},
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser.

    Attributes
    ----------
    inputs
        Inputs without end for a seed.
    act
        Reads one; whether it was taken. Raises what is a fault: anything at all.
    """

    inputs: Callable[[int], Iterator[bytes]]
    act: Callable[[bytes], bool]


def near(seeds: Sequence[bytes], *words: bytes) -> Callable[[int], Iterator[bytes]]:
    """Inputs near good ones."""
    return lambda seed: mutations(seeds, words, seed)


# --- records ---------------------------------------------------------------------------------------------------------


def vote(value: bytes) -> bool:
    """A vote, by all three ways of intake, and by Python's own JSON."""
    try:
        read = parse_vote(value, ARRIVED)
    except InvalidRecord:
        read = None
    key = b"v1" if read is None else read.id.encode()
    records = as_records([(key, value), (b"v0", body(id="v0"))])
    decoded = decode(records)
    assert meaning(decoded) == meaning(strict(records))
    assert (read is not None) == (len(decoded.ids) == 2)
    if read is not None:
        other = json.loads(value)
        names = tuple(normalised(other[side]) for side in ("model_a", "model_b"))
        assert (other["id"], names) == (read.id, (read.model_a, read.model_b))
        assert other.get("anony") in (True, None)
        assert all(other.get(field) in (1, None) for field in ("count", "weight"))
        assert float(other["tstamp"]) == read.tstamp
        assert read.drawn_at is None or read.drawn_at <= read.tstamp + DRAWN_SECONDS
        assert not any(map(unprintable, (read.model_a, read.model_b, read.language or "", *(read.categories or ()))))
    return read is not None


DECLARED = {
    "arena": "text", "model": "org/x", "provider": "org", "license": "open_weight", "visibility": "public",
    "status": "active", "weight": 1.5, "tstamp": 1_600_000_000, "family": "x", "announced_at": 5, "reason": "cost",
}  # fmt: skip


def model(value: bytes) -> bool:
    """A model record, as it comes from the topic and as it comes through the gateway."""
    with contextlib.suppress(Refused):
        read_model(value, "text", "org/x", ARRIVED)
    try:
        read = parse_model(value, model_key("text", "org/x"), ARRIVED)
    except InvalidRecord:
        return False
    assert read.weight == 0 or 1e-9 <= read.weight <= 1e9
    assert not any(map(unprintable, (read.model, read.provider, read.family or "", read.reason or "")))
    other = json.loads(value)
    assert (normalised(other["provider"]), float(other["weight"])) == (read.provider, read.weight)
    return True


@cache
def ledger_records() -> list[bytes]:
    """Records of a ledger: blocks of plain and of rich votes, and notices."""
    found: list[bytes] = []
    for text in (PLAIN, RICH):
        pairs = [(f"v{at}".encode(), text.replace(b'"v1"', b'"v%d"' % at)) for at in range(5)]
        found += encode_block(Block("text", decode(as_records(pairs)).rows, {0: 4}))
    read = parse_model(json.dumps(DECLARED).encode(), model_key("text", "org/x"), ARRIVED)
    return [*found, *(encode_notice(Notice("text", "org/x", each, 0, 3, ARRIVED_MS)) for each in (read, None))]


def ledger(value: bytes) -> bool:
    """A ledger record: damaged, or one that can be folded and written again."""
    try:
        read = decode_ledger(value)
    except DamagedRecord:
        return False
    fold(ArenaState(read.arena), read, ArenaLimits(models=20, boards=5), interpreted)
    written = encode_block(read) if isinstance(read, Block) else [encode_notice(read)]
    assert all(decode_ledger(each).arena == read.arena for each in written)
    return True


# --- HTTP ------------------------------------------------------------------------------------------------------------


def votes_body(value: bytes) -> bool:
    """The body of a request, by its content type and by its looks."""
    taken = False
    for ndjson in (False, True):
        try:
            votes = read_votes(split_body(value, ndjson), ARRIVED)
        except Refused:
            continue
        taken = taken or bool(votes.records)
        for key, record in votes.records:
            assert record is not None
            assert parse_vote(record, ARRIVED).id.encode() == key
    return taken


def draft(value: bytes) -> bool:
    """What a subscriber sends."""
    try:
        made = make(read_draft(value), Key("me", None), "sub_1", "whsec_" + "A" * 32, ARRIVED)
    except Refused:
        return False
    assert made.owner == "me"
    return True


def url(value: bytes) -> bool:
    """The URL of a webhook: what the guard takes names a public host, for every reader of URLs."""
    text = value.decode("utf-8", "replace")
    try:
        read = read_url(text, allow_private=False)
    except RefusedAddress:
        return False
    host = read.raw_host or ""
    assert urlsplit(str(read)).hostname == host.lower(), "two readers see two hosts"
    assert read.scheme in ("http", "https")
    assert read.user is None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        assert last, host
        assert not last.isdigit(), host
        assert not re.fullmatch("0x[0-9a-f]*", last.lower()), host
        assert last.lower() not in ("localhost", "internal", "local"), host
    else:
        assert address.is_global, host
    return True


def key_file(value: bytes) -> bool:
    """A file of keys, and the header that is looked up in it."""
    text = value.decode("utf-8", "replace")
    ring = KeyRing(None)
    ring._keys = {digest("secret"): Key("a", None)}
    found = ring.find(text, 0.0)
    assert found is None or text.split()[-1] == "secret"
    try:
        keys = parse_keys(text)
    except InvalidKeyFile:
        return False
    for each in keys.values():
        assert each.arenas is None or each.arenas
    return bool(keys)


class _Wire(asyncio.Transport):
    """A connection that nobody is behind."""

    def __init__(self) -> None:
        super().__init__()
        self.closed, self.sent = False, b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "http.disconnect" and message.get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@cache
def _served() -> tuple[asyncio.AbstractEventLoop, uvicorn.Config]:
    config = uvicorn.Config(_answer, http=Protocol, lifespan="off", log_config=None, access_log=False)
    config.load()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return asyncio.new_event_loop(), config


def request(value: bytes) -> bool:
    """A request as it comes off the wire, in two pieces; whether it was answered."""
    loop, config = _served()

    async def serve() -> bytes:
        state, wire = ServerState(), _Wire()
        protocol = Protocol(config=config, server_state=state, app_state={})
        protocol.connection_made(wire)
        for piece in (value[: len(value) // 3], value[len(value) // 3 :]):
            if not wire.closed and piece:
                protocol.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        await asyncio.gather(*state.tasks)  # what is under way is told that nobody is there
        return wire.sent

    sent = loop.run_until_complete(serve())
    assert not sent or sent.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
    return b" 200 OK" in sent[:20]


# --- files and channels ----------------------------------------------------------------------------------------------


@cache
def _room() -> Path:
    return Path(tempfile.mkdtemp(prefix="isonomy-fuzz-"))


def file_of(kind: str) -> Callable[[bytes], bool]:
    """A file of votes of one kind: each row is a vote or is refused, or the file is refused."""

    def act(value: bytes) -> bool:
        path = _room() / f"votes{kind}"
        path.unlink(missing_ok=True)  # ext4 writes a file to disk when it was cut to nothing and filled again
        path.write_bytes(value)
        taken = False
        try:
            for batch in open_source(str(path), now=ARRIVED).rows():
                for rows in batch.rows.values():
                    taken = taken or len(rows) > 0
                    assert not any(map(unprintable, rows.models))
        except SourceError:
            return False
        return taken

    return act


def channel(value: bytes) -> bool:
    """The URL of a channel, against what Apprise builds of it; see `channel_urls`."""
    return channel_urls.judge(value.decode(), _canary())


@cache
def _canary() -> Path:
    path = _room() / "canary.json"
    path.write_text(f'{{"text": "{channel_urls.CANARY}"}}')
    return path


def _channels(seed: int) -> Iterator[bytes]:
    return (each.encode() for each in channel_urls.urls(seed, _canary()))


def _ledger(seed: int) -> Iterator[bytes]:
    return mutations(
        ledger_records(), (b"\xc0", b"\xca", b"\xdc\x00\x05", b"\xc4\xff", b"<u2", b"<f8", b"model_a"), seed
    )


WORDS = ("id", "model_a", "model_b", "winner", "tstamp", "arena", "style", "p_pair", "battle", "drawn_at")
NAMES = tuple(name.encode() for name in WORDS)
DRAFT = (
    b'{"name":"n","channel":{"type":"webhook","url":"https://a.example/","headers":{"x-a":"b"}},'
    b'"match":{"arena":"text","kinds":["silent_removal"],"severity":"warning","models":["x"]},"status":"active"}'
)
HASH = digest("other").encode()
REQUEST = (
    b"POST /v1/votes HTTP/1.1\r\nhost: x\r\nauthorization: Bearer secret\r\ncontent-type: application/json\r\n"
    b"content-length: 2\r\n\r\n{}"
)
CHUNKED = (
    b"POST /v1/votes HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n"
)
URLS = (
    b"https://hooks.example.com/isonomy?a=b", b"http://93.184.216.34:8080/x", b"https://[2606:2800:220:1::1]/x",
    b"https://user@hooks.example.com/", b"https://10.0.0.1/", b"http://xn--bcher-kva.example/",
)  # fmt: skip
CSV = b"id,model_a,model_b,winner,tstamp\nv1,x,y,model_a,1600000000\nv2,x,z,tie,1600000001.5\n"

TARGETS = {
    "votes": Target(near((PLAIN, RICH, ODD, body(winner="tie (bothbad)", model_a="é")), *NAMES), vote),
    "models": Target(near((json.dumps(DECLARED).encode(),), b"weight", b"5e-324", b"1.7e308", b"provider"), model),
    "ledger": Target(_ledger, ledger),
    "bodies": Target(near((PLAIN, b"[" + PLAIN + b"," + ODD + b"]", PLAIN + b"\n" + RICH + b"\n"), *NAMES), votes_body),
    "drafts": Target(near((DRAFT,), b"apprise", b"slack://a/b/c", b"secret", b"whsec_"), draft),
    "urls": Target(
        near(URLS, b"@", b"#", b"?", b"//", b"0x7f.1", b"127.1", b"localhost", b"%00", b"[::1]", b"\\"), url
    ),
    "channels": Target(_channels, channel),
    "keys": Target(
        near((b"a:" + HASH + b":text,code\n", b"Bearer secret", b"# x\nb:" + HASH + b":*\n"), b"*", b"::"), key_file
    ),
    "requests": Target(
        near((REQUEST, CHUNKED, b"GET /v1/arenas HTTP/1.1\r\nhost: x\r\n\r\n"), b"\r\n\r\n", b": "), request
    ),
    "csv": Target(near((CSV, CSV.replace(b",", b'","')), b",,", b"model_a", b'"\n'), file_of(".csv")),
    "jsonl": Target(near((PLAIN + b"\n" + RICH + b"\n",), *NAMES), file_of(".jsonl")),
    "json": Target(near((b"[" + PLAIN + b"," + RICH + b"]",), *NAMES), file_of(".json")),
}
"""By name."""
