"""The guard looks at the address that is connected to, so a name that changes its mind gains nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from socket import AddressFamily
from ssl import SSLContext
from typing import Any

import pytest
from aiohttp import web
from aiohttp.web_response import Response

from services.herald.channels.http_client import Names, Poster
from streams.contracts.delivery import Answer, Outcome
from streams.contracts.settings import Settings

LOOPBACK = [(socket.AF_INET, "127.0.0.1")]
PUBLIC = [(socket.AF_INET, "93.184.216.34")]


class Target:
    """A server on loopback that counts what reaches it."""

    def __init__(self, handler=None) -> None:
        self.requests: list[web.Request] = []
        self.connections = 0
        self._handler = handler

    async def __aenter__(self) -> Target:
        async def handle(request) -> Response:
            self.requests.append(request)
            if self._handler is not None:
                return await self._handler(request)
            return web.Response(text="taken")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


def names(*answers: list[tuple[AddressFamily, str]]):
    """A lookup that gives one answer after the other, and the last for ever."""
    left = list(answers)
    asked: list[str] = []

    async def lookup(host, port: object) -> list[tuple[AddressFamily, str]]:
        asked.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    lookup.asked = asked
    return lookup


async def post(
    url: str,
    *,
    lookup=None,
    allow_private: bool = False,
    settings: Settings | None = None,
    tls: SSLContext | None = None,
    **more: Callable[[], None],
) -> Answer:
    settings = settings or Settings(allow_private=allow_private, herald_attempt_seconds=2.0, herald_connect_seconds=1.0)
    async with Poster(settings, lookup, tls) as poster:
        return await poster.post(url, b"{}", {}, **more)


@pytest.mark.parametrize(
    "found",
    [
        LOOPBACK,
        [(socket.AF_INET, "169.254.169.254")],
        [(socket.AF_INET, "10.1.2.3")],
        [(socket.AF_INET6, "::1")],
        [(socket.AF_INET6, "fd00:ec2::254")],
        [(socket.AF_INET6, "::ffff:169.254.169.254")],
        PUBLIC + LOOPBACK,
    ],
)
async def test_a_name_that_leads_inside_is_refused(found: list[tuple[AddressFamily, str]]) -> None:
    async with Target() as target:
        answer = await post(f"http://hooks.example.com:{target.port}/", lookup=names(found))
    assert answer.outcome is Outcome.REFUSED
    assert target.requests == []


async def test_what_was_looked_at_is_what_is_connected_to() -> None:
    lookup = names(PUBLIC, LOOPBACK)  # rebinding: the second answer leads inside
    async with Target() as target:
        answer = await post(f"http://hooks.example.com:{target.port}/", lookup=lookup)
    assert lookup.asked == ["hooks.example.com"]
    assert answer.outcome in (Outcome.TIMEOUT, Outcome.UNREACHABLE)
    assert target.requests == []


async def test_no_socket_is_made_for_an_address_inside_whatever_led_there() -> None:
    from services.herald.channels.http_client import guarded_socket
    from services.herald.channels.ssrf_guard import RefusedAddress

    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    with pytest.raises(RefusedAddress):
        guarded_socket(False)(info)
    guarded_socket(True)(info).close()


async def test_a_redirect_is_not_followed() -> None:
    async def away(request: object) -> None:
        raise web.HTTPFound("http://127.0.0.1/elsewhere")

    async with Target(away) as target:
        answer = await post(f"http://127.0.0.1:{target.port}/", allow_private=True)
    assert (answer.outcome, answer.status, len(target.requests)) == (Outcome.REDIRECTED, 302, 1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.REDIRECTED),
        (400, Outcome.REJECTED),
        (410, Outcome.GONE),
        (429, Outcome.THROTTLED),
        (500, Outcome.REJECTED),
    ],
)
async def test_each_status_has_its_outcome(status: int, outcome: Outcome) -> None:
    async def answering(request: object) -> Response:
        return web.Response(status=status, headers={"Retry-After": "77"})

    async with Target(answering) as target:
        answer = await post(f"http://127.0.0.1:{target.port}/", allow_private=True)
    assert (answer.outcome, answer.status, answer.retry_after) == (outcome, status, 77.0)


async def test_an_endpoint_that_hangs_is_given_up_in_time() -> None:
    async def hanging(request: object) -> None:
        await asyncio.Event().wait()

    settings = Settings(allow_private=True, herald_attempt_seconds=0.3)
    async with Target(hanging) as target:
        answer = await post(f"http://127.0.0.1:{target.port}/", settings=settings)
    assert answer.outcome is Outcome.TIMEOUT
    assert answer.seconds > 0.25


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async def endless(request) -> None:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with Target(endless) as target:
        answer = await post(f"http://127.0.0.1:{target.port}/", allow_private=True)
    assert answer.outcome is Outcome.DELIVERED
    assert 0 < len(answer.detail) <= 512


async def test_an_answer_whose_body_never_comes_is_taken_by_its_status() -> None:
    async def slow(request) -> None:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()

    async with Target(slow) as target:
        answer = await post(f"http://127.0.0.1:{target.port}/", allow_private=True)
    assert answer.outcome is Outcome.DELIVERED


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        answer = await post(f"http://127.0.0.1:{taken.getsockname()[1]}/s3cr3t", allow_private=True)
    assert answer.outcome is Outcome.UNREACHABLE
    assert "s3cr3t" not in answer.detail


async def test_a_name_that_does_not_exist() -> None:
    async def lookup(host: object, port: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    answer = await post("http://hooks.example.com/", lookup=lookup)
    assert answer.outcome is Outcome.UNREACHABLE


async def test_a_name_server_that_hangs_takes_no_longer_than_an_attempt() -> None:
    async def lookup(host: object, port: object) -> None:
        await asyncio.Event().wait()

    settings = Settings(herald_attempt_seconds=0.3)
    assert (await post("http://hooks.example.com/", lookup=lookup, settings=settings)).outcome is Outcome.TIMEOUT


async def test_host_and_certificate_are_the_name_s_though_the_address_is_fixed(tmp_path: Path) -> None:
    server, client = certificates(tmp_path, "hooks.example.com")
    seen = []

    async def handle(request) -> Response:
        seen.append(request.host)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server).start()
    port = runner.addresses[0][1]
    try:
        settings = Settings(allow_private=True)
        right = await post(f"https://hooks.example.com:{port}/", lookup=names(LOOPBACK), settings=settings, tls=client)
        wrong = await post(f"https://other.example.com:{port}/", lookup=names(LOOPBACK), settings=settings, tls=client)
    finally:
        await runner.cleanup()
    assert (right.outcome, seen) == (Outcome.DELIVERED, [f"hooks.example.com:{port}"])
    assert wrong.outcome is Outcome.TLS


async def test_the_body_stays_here_when_it_is_no_longer_ours_to_send() -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def not_ours() -> None:
        raise Stop

    bodies = []

    async def reading(request) -> Response:
        bodies.append(await request.read())
        return web.Response()

    async with Target(reading) as target:
        try:
            answer = await post(f"http://127.0.0.1:{target.port}/", allow_private=True, still_ours=not_ours)
        except Stop:
            answer = None
    assert answer is None or answer.outcome is not Outcome.DELIVERED
    assert bodies == []


def certificates(directory: Path, name: str) -> tuple[SSLContext, SSLContext]:
    """Server and client contexts of an authority made for this test, with Debian's openssl."""
    import subprocess

    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


async def test_names_that_hang_do_not_make_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def getaddrinfo(host, port, **_: Any):
        if host == "hangs":
            over.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    most = Settings().herald_concurrency
    async with Poster(Settings()) as poster:
        names = poster._names
        assert isinstance(names, Names)
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        hanging = [asyncio.create_task(names("hangs", 443)) for _ in range(most - 1)]
        try:
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                assert await names("fine", 443) == PUBLIC
        finally:
            over.set()
            await asyncio.gather(*hanging)
