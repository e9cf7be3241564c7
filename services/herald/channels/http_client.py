"""One POST to an endpoint: bounded in time and in what is read, to a checked address, never redirected.

`ssrf_guard.py` checks the text of a URL. This module checks the address of every socket right before it connects, so a
name that resolves to another address a moment later gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.herald.channels.ssrf_guard import RefusedAddress, check_address, read_url
from services.herald.rules.backoff import read_retry_after
from streams.contracts.delivery import Answer, Outcome
from streams.contracts.setting_groups import HeraldSettings

READ_BYTES = 512
"""Most bytes of a response body that are read, for the delivery history."""
READ_SECONDS = 1.0

AGENT = f"isonomy-herald/{version('isonomy')}"
_NO_COMPLAINT: Callable[[], None] = lambda: None  # noqa: E731 -- a default that does nothing

Found = list[tuple[socket.AddressFamily, str]]
"""Family and address of each record of a name."""
Lookup = Callable[[str, int], Awaitable[Found]]


class Poster:
    """The HTTP client of the herald; use it as an async context manager.

    Every attempt opens a new connection. Attempts are rare, each address must be checked again, and an idle connection
    that the endpoint has just closed would look like a failure.

    Parameters
    ----------
    settings
        Time limits, and whether private addresses are allowed.
    lookup
        Resolves a name to its addresses.
    tls
        Trusted authorities; those of the system by default.
    """

    def __init__(
        self, settings: HeraldSettings, lookup: Lookup | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._names = NameResolver(settings.concurrency) if lookup is None else None
        self._lookup = lookup or self._names
        self._tls = tls
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Poster:
        """Open."""
        allow_private = self._settings.allow_private
        assert self._lookup is not None  # noqa: S101 -- for the type checker: one of the two is given
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._lookup, allow_private=allow_private),
            socket_factory=guarded_socket(allow_private),
            use_dns_cache=False,
            force_close=True,
            limit=0,  # the send queues limit connections
            ssl=self._tls or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=self._settings.attempt_seconds,
                connect=self._settings.connect_seconds,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": AGENT},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self._session.close()
        if self._names is not None:
            self._names.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], still_ours: Callable[[], None] = _NO_COMPLAINT
    ) -> Answer:
        """Send a body and return the outcome; only cancellation is raised.

        Parameters
        ----------
        url
            The URL as the subscriber gave it.
        body
            JSON.
        headers
            In addition to the content type.
        still_ours
            Called once the connection is open, right before the body is sent. If it raises, no body is sent.
        """
        began, at = time.monotonic(), time.time()

        def answer(outcome: Outcome, detail: str = "", **more: int | float | None) -> Answer:
            return Answer(outcome, at=at, seconds=round(time.monotonic() - began, 4), detail=detail, **more)  # type: ignore[arg-type]

        async def guarded_body() -> AsyncIterator[bytes]:
            still_ours()
            yield body

        try:
            target = read_url(url, allow_private=self._settings.allow_private)
            sent = {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}
            async with self._session.post(target, data=guarded_body(), headers=sent, allow_redirects=False) as response:
                text = await _beginning(response)
                wait = read_retry_after(response.headers.get("Retry-After"), at)
                return answer(_outcome(response.status), text, status=response.status, retry_after=wait)
        except RefusedAddress as error:
            return answer(Outcome.REFUSED, str(error))
        except TimeoutError:
            return answer(Outcome.TIMEOUT, f"no answer within {time.monotonic() - began:.0f} s")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            return answer(Outcome.TLS, _said(error))
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            if (refused := _refusal(error)) is not None:
                return answer(Outcome.REFUSED, str(refused))
            return answer(Outcome.UNREACHABLE, _said(error))


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    return {410: Outcome.GONE, 429: Outcome.THROTTLED}.get(status, Outcome.REJECTED)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Beginning of the response body. The status alone decides the outcome, so an error here is ignored."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(READ_SECONDS):
            read = await response.content.read(READ_BYTES)
            return "".join(letter if letter.isprintable() else " " for letter in read.decode("utf-8", "replace"))
    return ""


def _refusal(error: BaseException | None) -> RefusedAddress | None:
    """The guard's refusal in a chain of causes, if there is one."""
    while error is not None:
        if isinstance(error, RefusedAddress):
            return error
        error = error.__cause__ or error.__context__
    return None


def _said(error: BaseException) -> str:
    """Text of an error without the URL, which may contain a token."""
    system = getattr(error, "os_error", error)
    text = getattr(system, "strerror", None) or type(error).__name__
    return str(text)[:200]


def host_of(url: str) -> str:
    """Host of a URL, for the limit per host; empty if the URL is invalid."""
    try:
        return (URL(url).raw_host or "").lower()
    except ValueError:
        return ""


class NameResolver:
    """Resolves names in threads of its own, so that a dead name server blocks nothing else.

    Parameters
    ----------
    most
        Most lookups at once: as many as attempts, because a lookup that hangs blocks its thread.
    """

    def __init__(self, most: int) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="names")

    async def __call__(self, host: str, port: int) -> Found:
        """All addresses of a host; raises `OSError` if there is none."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [(family, str(address[0])) for family, _, _, _, address in found]

    def close(self) -> None:
        """Release the threads without waiting for lookups that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses a name if any of its addresses is not public.

    Parameters
    ----------
    lookup
        Resolves a name to its addresses.
    allow_private
        Lifts the guard.
    """

    def __init__(self, lookup: Lookup, *, allow_private: bool) -> None:
        self._lookup = lookup
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host; raises `RefusedAddress`, or `OSError` if there is none."""
        found = await self._lookup(host, port)
        if not self._allow_private:
            for _, address in found:
                check_address(address)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Nothing to release: the lookup belongs to the caller."""


def guarded_socket(allow_private: bool) -> aiohttp.SocketFactoryType:
    """Return a socket factory that checks the address it will connect to: the last check, for every connection."""

    def make(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = info
        if not allow_private:
            check_address(str(address[0]))
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        return made

    return make
