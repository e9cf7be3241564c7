"""Slack, e-mail and others through Apprise, each in threads of its own: it knows no coroutines."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from services.herald.channels.apprise_build import build
from services.herald.channels.apprise_urls import SERVICES, apprise_scheme
from services.herald.channels.dialects import Dialect, dialect_of
from services.herald.channels.ssrf_guard import RefusedAddress
from streams.contracts.delivery import Answer, Outcome
from streams.contracts.settings import InvalidSetting, Settings

PIECES = 8
"""So many messages may one be cut into."""


class AppriseSender:
    """Sends text messages; use it as an async context manager.

    Raises
    ------
    InvalidSetting
        When the file of the SMTP server's URL cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smtp = read_smtp_url(settings)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        """By scheme, each as many as may be under way to one host. A thread that hangs outlives its attempt: in one
        pool for all, a mail server that hangs would time out every Slack message, however large the pool."""

    async def __aenter__(self) -> AppriseSender:
        """Nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the threads, without waiting for a service that hangs."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, url: str, title: str, text: str, severity: str) -> Answer:
        """Send one message and say what came of it; only cancelling raises, whatever a plugin does."""
        began, at = time.monotonic(), time.time()

        def answer(outcome: Outcome, detail: str = "") -> Answer:
            return Answer(outcome, at=at, seconds=round(time.monotonic() - began, 4), detail=detail)

        def send() -> bool | None:
            plugin = self._plugin(url)
            return None if plugin is None else _notify(plugin, dialect_of(apprise_scheme(url)), title, text, severity)

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.herald_attempt_seconds):
                taken = await loop.run_in_executor(self._threads_of(url), send)
        except RefusedAddress as error:
            return answer(Outcome.REFUSED, str(error))
        except TimeoutError:
            return answer(Outcome.TIMEOUT, f"no answer within {self._settings.herald_attempt_seconds:.0f} s")
        except Exception as error:  # noqa: BLE001 -- plugins trip over answers that they do not expect
            return answer(Outcome.FAILED, f"Apprise raised {type(error).__name__}")  # its text may hold tokens
        if taken is None:
            return answer(Outcome.MISCONFIGURED, "Apprise cannot use this URL, or no SMTP server is set for e-mail")
        return answer(*((Outcome.DELIVERED,) if taken else (Outcome.FAILED, "the service did not take it")))

    async def check(self, url: str) -> str | None:
        """Build what would send to a URL, and let it go; raises `RefusedAddress`.

        Returns
        -------
        The address that would be mailed to, of e-mail.
        """
        try:
            async with asyncio.timeout(self._settings.herald_attempt_seconds):
                plugin = await asyncio.get_running_loop().run_in_executor(self._threads_of(url), self._plugin, url)
        except TimeoutError:
            raise RefusedAddress("Apprise did not read this URL in time") from None
        mail = apprise_scheme(url) == "mailto"
        if plugin is None and mail:
            raise RefusedAddress("no e-mail can be sent here: the operator has not set ISONOMY_SMTP_URL_FILE")
        if plugin is None:
            raise RefusedAddress("Apprise cannot use this URL: a token is missing, or has another form")
        return str(plugin.targets[0][1]) if mail else None

    def _threads_of(self, url: str) -> ThreadPoolExecutor:
        scheme = apprise_scheme(url)
        scheme = scheme if scheme in SERVICES else "other"  # threads never end: no key makes more
        if scheme not in self._threads:
            count = self._settings.herald_per_host
            self._threads[scheme] = ThreadPoolExecutor(count, thread_name_prefix=f"apprise-{scheme}")
        return self._threads[scheme]

    def _plugin(self, url: str) -> Any:
        plugin = build(url, self._smtp, allow_private=self._settings.allow_private)
        if plugin is not None:
            plugin.socket_connect_timeout = self._settings.herald_connect_seconds
            plugin.socket_read_timeout = self._settings.herald_attempt_seconds
        return plugin


def _notify(plugin: Any, dialect: Dialect, title: str, text: str, severity: str) -> bool:
    from apprise import NotifyFormat, OverflowMode

    kind = {"resolved": "success", "info": "info", "warning": "warning"}.get(severity, "failure")
    # The only form that it has: no parameter of the URL chooses another, and nothing is converted.
    plugin.notify_format = form = NotifyFormat(dialect.form)
    title, text = dialect.whole(title), dialect.whole(text)
    # What is longer than the service takes is refused whole, in every attempt: it goes out in a few pieces, or its
    # beginning does, which says how many alerts there are and where to read them.
    overflow = OverflowMode.SPLIT if len(text) <= PIECES * plugin.body_maxlen else OverflowMode.TRUNCATE
    return bool(plugin.notify(title=title, body=text, notify_type=kind, body_format=form, overflow=overflow))


def read_smtp_url(settings: Settings) -> str | None:
    """URL of the operator's SMTP server; raises `InvalidSetting`, which does not show it."""
    path = settings.smtp_url_file
    if path is None:
        return None
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"ISONOMY_SMTP_URL_FILE={str(path)!r}: {error}") from None
    if not text.startswith(("mailto://", "mailtos://")) or len(text.split()) != 1:
        raise InvalidSetting(
            f"ISONOMY_SMTP_URL_FILE={str(path)!r}: not one URL that begins with mailto:// or mailtos://"
        )
    return text
