"""Sends through Apprise: Slack, e-mail and others. Apprise blocks, so each service has threads of its own."""

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
"""Most parts that one message is split into."""


class AppriseSender:
    """Sends text messages; use it as an async context manager.

    Raises
    ------
    InvalidSetting
        If the file with the SMTP server's URL is invalid.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smtp = read_smtp_url(settings)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        """Pool by scheme, as large as the limit for one host. A thread that hangs outlives its attempt. In a shared
        pool of any size, a hanging mail server would let every Slack message time out."""

    async def __aenter__(self) -> AppriseSender:
        """Nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Release the threads without waiting for a service that hangs."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, url: str, title: str, text: str, severity: str) -> Answer:
        """Send one message and return the outcome. Whatever a plugin raises, only cancellation is raised."""
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
        except Exception as error:  # noqa: BLE001 -- plugins raise various errors for unexpected answers
            return answer(Outcome.FAILED, f"Apprise raised {type(error).__name__}")  # its text may contain tokens
        if taken is None:
            return answer(Outcome.MISCONFIGURED, "Apprise cannot use this URL, or no SMTP server is set for e-mail")
        return answer(*((Outcome.DELIVERED,) if taken else (Outcome.FAILED, "the service did not accept it")))

    async def check(self, url: str) -> str | None:
        """Build the plugin of a URL to check it, and discard it; raises `RefusedAddress`.

        Returns
        -------
        The recipient's address if it is e-mail, else None.
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
            raise RefusedAddress("Apprise cannot use this URL: a token is missing or has the wrong format")
        return str(plugin.targets[0][1]) if mail else None

    def _threads_of(self, url: str) -> ThreadPoolExecutor:
        scheme = apprise_scheme(url)
        scheme = scheme if scheme in SERVICES else "other"  # threads never end: no key may create more
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
    # Fix the format: no parameter of the URL may choose another, and Apprise must not convert the text.
    plugin.notify_format = form = NotifyFormat(dialect.form)
    title, text = dialect.whole(title), dialect.whole(text)
    # The service would refuse a longer text in every attempt. So it is split into a few parts; beyond that only its
    # beginning is sent, which states how many alerts there are and where to read them.
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
