"""Sends through Apprise: Slack, e-mail and others. Apprise blocks, so each service has threads of its own.

Before a plugin is used it is checked. Apprise parses parameters in its own way, and some of them disable certificate
checks, read a file or name another server. So the check uses the parameters that Apprise itself has parsed, and then
inspects the plugin.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote

from services.herald.channels.apprise_urls import PARAMETERS, SERVICES, apprise_scheme, read_apprise_url
from services.herald.channels.dialects import Dialect, dialect_of
from services.herald.channels.ssrf_guard import RefusedAddress
from streams.contracts.delivery import Answer, Outcome
from streams.contracts.setting_groups import HeraldSettings
from streams.contracts.settings import InvalidSetting

if TYPE_CHECKING:
    from apprise import NotifyBase

# Apprise (2.3.0) logs the tokens of a URL that it cannot use. Our answer states the outcome of an attempt.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

PIECES = 8
"""Most parts that one message is split into."""
_PREFIXED = ("qsd+", "qsd-", "qsd:")
"""Where Apprise stores parameters that begin with +, - or a colon: custom headers and payload fields."""
_MAILS = {"cc", "bcc"}
"""Template parameters that only Apprise's e-mail services have."""
_FINDS_MEMBERS = {"slack", "threema", "zulip"}
"""Services that find one of their members by an e-mail address, and send no mail."""
MAILTO = "e-mail is mailto: and one address; the server is the operator's, and each recipient has its own subscription"


def build(url: str, smtp: str | None, *, allow_private: bool) -> NotifyBase | None:
    """Build the plugin of a URL. The first call imports Apprise, a second or two: do not call it on an event loop.

    Parameters
    ----------
    url
        The URL as the subscriber gave it.
    smtp
        URL of the operator's SMTP server, for e-mail.
    allow_private
        Allows any service. The rules on parameters, certificates and files stay.

    Returns
    -------
    The plugin; None if Apprise cannot use the URL, or if it is e-mail and there is no SMTP server.

    Raises
    ------
    RefusedAddress
        With the reason, and without the URL.
    """
    from apprise import Apprise, AppriseAsset
    from apprise.plugins import url_to_dict

    asset = AppriseAsset(app_id="Isonomy", app_desc="Isonomy", app_url="", http_redirects=False)
    target, scheme = read_apprise_url(url, allow_private=allow_private), apprise_scheme(url)
    if scheme == "mailto":
        if smtp is None:
            return None
        # We trust the operator's URL. Only the address comes from the subscriber, and it is one word.
        plugin = Apprise.instantiate(f"{smtp}{'&' if '?' in smtp else '?'}to={quote(target)}", asset)
        if plugin is not None:
            _look_at_recipient(plugin, target)
        return plugin
    try:
        read = url_to_dict(target)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 -- plugins (2.3.0) raise various errors for incomplete URLs
        return None
    if read is None:
        return None
    if read["schema"] != scheme:
        raise RefusedAddress(f"Apprise reads this as {read['schema'][:20]!r}, not as {scheme!r}")
    if unknown := {name.lower() for name in read["qsd"]} - PARAMETERS:
        raise RefusedAddress(f"parameter {min(unknown)[:20]!r} is none of {', '.join(sorted(PARAMETERS))}")
    if any(read[prefixed] for prefixed in _PREFIXED):
        raise RefusedAddress("a parameter begins with +, - or a colon")
    try:
        plugin = Apprise.instantiate(read, asset, suppress_exceptions=False)
    except Exception:  # noqa: BLE001 -- mostly TypeError for a bad token, target or region; its text may contain it
        return None
    if plugin is not None:
        _look_at(plugin, scheme)
    return plugin


def _look_at(plugin: NotifyBase, scheme: str) -> None:
    """Refuse a plugin with behaviour that no allowed parameter may cause; raises `RefusedAddress`."""
    if scheme not in plugin.schemas():  # type: ignore[no-untyped-call]
        raise RefusedAddress(f"Apprise reads {scheme!r} as another service")
    if plugin.verify_certificate is not True:
        raise RefusedAddress("certificates would not be verified")
    if getattr(plugin, "template", None):
        raise RefusedAddress("a template would be read from a file")
    _look_for_mail(plugin, scheme)


def recipients_of(plugin: NotifyBase) -> list[str]:
    """Addresses that an e-mail plugin sends to, as (name, address) in its `targets`."""
    return [str(each[1]) for each in getattr(plugin, "targets", ())]


def _look_at_recipient(plugin: NotifyBase, address: str) -> None:
    """Refuse e-mail to anybody but the one recipient who agreed; raises `RefusedAddress`.

    The operator's own URL may still add copies.
    """
    recipients = recipients_of(plugin)
    if [each.lower() for each in recipients] != [address.lower()]:
        raise RefusedAddress(
            f"Apprise would send to {len(recipients)} recipients, or to another: give one plain address, and none in"
            " the file of ISONOMY_SMTP_URL_FILE"
        )


def _look_for_mail(plugin: NotifyBase, scheme: str) -> None:
    """Refuse e-mail through any service but `mailto:`, which counts recipients; raises `RefusedAddress`."""
    from apprise.utils.parse import is_email

    if plugin.template_args.keys() & _MAILS:
        raise RefusedAddress(MAILTO)
    targets = getattr(plugin, "targets", None) or ()
    mailed = [each for each in targets if isinstance(each, str) and is_email(each)]  # type: ignore[no-untyped-call]
    if mailed and scheme not in _FINDS_MEMBERS:
        # Pushbullet, for example, mails everybody who has no account there.
        raise RefusedAddress(f"{scheme[:20]} would send to an e-mail address: {MAILTO}")


class AppriseSender:
    """Sends text messages; use it as an async context manager.

    Raises
    ------
    InvalidSetting
        If the file with the SMTP server's URL is invalid.
    """

    def __init__(self, settings: HeraldSettings) -> None:
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
            async with asyncio.timeout(self._settings.attempt_seconds):
                taken = await loop.run_in_executor(self._threads_of(url), send)
        except RefusedAddress as error:
            return answer(Outcome.REFUSED, str(error))
        except TimeoutError:
            return answer(Outcome.TIMEOUT, f"no answer within {self._settings.attempt_seconds:.0f} s")
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
            async with asyncio.timeout(self._settings.attempt_seconds):
                plugin = await asyncio.get_running_loop().run_in_executor(self._threads_of(url), self._plugin, url)
        except TimeoutError:
            raise RefusedAddress("Apprise did not read this URL in time") from None
        mail = apprise_scheme(url) == "mailto"
        if plugin is None and mail:
            raise RefusedAddress("no e-mail can be sent here: the operator has not set ISONOMY_SMTP_URL_FILE")
        if plugin is None:
            raise RefusedAddress("Apprise cannot use this URL: a token is missing or has the wrong format")
        return recipients_of(plugin)[0] if mail else None

    def _threads_of(self, url: str) -> ThreadPoolExecutor:
        scheme = apprise_scheme(url)
        scheme = scheme if scheme in SERVICES else "other"  # threads never end: no key may create more
        if scheme not in self._threads:
            count = self._settings.per_host
            self._threads[scheme] = ThreadPoolExecutor(count, thread_name_prefix=f"apprise-{scheme}")
        return self._threads[scheme]

    def _plugin(self, url: str) -> NotifyBase | None:
        plugin = build(url, self._smtp, allow_private=self._settings.allow_private)
        if plugin is not None:
            plugin.socket_connect_timeout = self._settings.connect_seconds
            plugin.socket_read_timeout = self._settings.attempt_seconds
        return plugin


def _notify(plugin: NotifyBase, dialect: Dialect, title: str, text: str, severity: str) -> bool:
    from apprise import NotifyFormat, OverflowMode

    kind = {"resolved": "success", "info": "info", "warning": "warning"}.get(severity, "failure")
    # Fix the format: no parameter of the URL may choose another, and Apprise must not convert the text.
    plugin.notify_format = form = NotifyFormat(dialect.form)
    title, text = dialect.whole(title), dialect.whole(text)
    # The service would refuse a longer text in every attempt. So it is split into a few parts; beyond that only its
    # beginning is sent, which states how many alerts there are and where to read them.
    overflow = OverflowMode.SPLIT if len(text) <= PIECES * plugin.body_maxlen else OverflowMode.TRUNCATE
    return bool(plugin.notify(title=title, body=text, notify_type=kind, body_format=form, overflow=overflow))


def read_smtp_url(settings: HeraldSettings) -> str | None:
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
