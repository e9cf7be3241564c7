"""Sends a message through the channel of its subscription, whichever that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from services.herald.channels.apprise_send import AppriseSender
from services.herald.channels.apprise_urls import apprise_scheme, read_apprise_url
from services.herald.channels.dialects import dialect_of
from services.herald.channels.http_client import Poster, host_of
from services.herald.channels.signing import InvalidSecret, signed_headers
from services.herald.channels.ssrf_guard import RefusedAddress, read_url
from services.herald.rules.consent import confirmation_message
from services.herald.rules.payload import alertmanager_body, text_message, webhook_body
from streams.contracts.alert import Alert, Status
from streams.contracts.delivery import Answer, Outcome
from streams.contracts.settings import Settings
from streams.contracts.subscription import Channel, ChannelType, Subscription

AHEAD = 4
"""What fires ends, for Alertmanager, after so many times the interval in which it is sent again."""


class Channels:
    """All channels; use it as an async context manager.

    Parameters
    ----------
    settings
        Of this process.
    poster
        Another HTTP client than our own, in tests.
    """

    def __init__(self, settings: Settings, poster: Poster | None = None) -> None:
        self._settings = settings
        self._poster = poster or Poster(settings)
        self._apprise = AppriseSender(settings)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Channels:
        """Open all."""
        await self._stack.enter_async_context(self._poster)
        await self._stack.enter_async_context(self._apprise)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all."""
        await self._stack.aclose()

    async def check(self, channel: Channel) -> str | None:
        """Hold a channel's URL against the rules, without sending anything; raises `RefusedAddress`.

        Returns
        -------
        The one address that its messages are mailed to; None when they are no e-mail.
        """
        allow_private = self._settings.allow_private
        if channel.type is ChannelType.APPRISE:
            read_apprise_url(channel.url, allow_private=allow_private)
            return await self._apprise.check(channel.url)
        url = read_url(channel.url, allow_private=allow_private)
        if channel.type is ChannelType.ALERTMANAGER and url.query_string:
            raise RefusedAddress("the URL of an Alertmanager has no query")
        return None

    async def ask(self, subscription: Subscription, link: str) -> Answer:
        """Send the recipient of an e-mail subscription the link by which it is confirmed: one attempt."""
        url = subscription.channel.url
        literal = dialect_of(apprise_scheme(url)).literal
        title, text = confirmation_message(subscription, link, self._settings.public_url, literal)
        return await self._apprise.send(url, title, text, "info")

    async def send(
        self,
        subscription: Subscription,
        message: str,
        alerts: Sequence[Alert],
        still_ours: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Make one attempt.

        Parameters
        ----------
        subscription
            Whose channel it is.
        message
            Id of the message, the same in every attempt.
        alerts
            At least one, all of one arena and one status.
        still_ours
            Asked right before the body goes out; raising stops it there.
        """
        channel, settings, now = subscription.channel, self._settings, time.time()
        match channel.type:
            case ChannelType.WEBHOOK:
                body = webhook_body(alerts, subscription.name, settings.public_url)
                try:
                    headers = {**channel.headers, **signed_headers(channel.secrets, message, now, body)}
                except InvalidSecret as error:
                    return Answer(Outcome.MISCONFIGURED, at=now, seconds=0.0, detail=str(error))
                return await self._poster.post(channel.url, body, headers, still_ours)
            case ChannelType.ALERTMANAGER:
                ahead = AHEAD * settings.herald_resend_seconds
                body = alertmanager_body(alerts, settings.public_url, now, ahead)
                return await self._poster.post(alertmanager_url(channel.url), body, channel.headers, still_ours)
            case ChannelType.APPRISE:
                title, text = text_message(alerts, settings.public_url, dialect_of(apprise_scheme(channel.url)).literal)
                first = alerts[0]
                tone = "resolved" if first.status is Status.RESOLVED else first.severity.value
                still_ours()
                return await self._apprise.send(channel.url, title, text, tone)


def alertmanager_url(url: str) -> str:
    """Where alerts are posted, of an Alertmanager's own URL.

    >>> alertmanager_url("http://alertmanager.example:9093/")
    'http://alertmanager.example:9093/api/v2/alerts'
    """
    return url if url.endswith("/api/v2/alerts") else f"{url.rstrip('/')}/api/v2/alerts"


def limit_host(channel: Channel) -> str:
    """What attempts to one host are counted by: the host, or the service behind Apprise."""
    if channel.type is ChannelType.APPRISE:
        return apprise_scheme(channel.url)
    return host_of(channel.url)
