"""Sends a message through the channel of its subscription."""

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
"""For Alertmanager, a firing alert ends after this many resend intervals without another resend."""


class Channels:
    """All channels; use it as an async context manager.

    Parameters
    ----------
    settings
        Of this process.
    poster
        Replaces our HTTP client in tests.
    """

    def __init__(self, settings: Settings, poster: Poster | None = None) -> None:
        self._settings = settings
        self._poster = poster or Poster(settings.herald)
        self._apprise = AppriseSender(settings.herald)
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
        """Check a channel's URL without sending anything; raises `RefusedAddress`.

        Returns
        -------
        The recipient's address if the channel is e-mail, else None.
        """
        allow_private = self._settings.herald.allow_private
        if channel.type is ChannelType.APPRISE:
            read_apprise_url(channel.url, allow_private=allow_private)
            return await self._apprise.check(channel.url)
        url = read_url(channel.url, allow_private=allow_private)
        if channel.type is ChannelType.ALERTMANAGER and url.query_string:
            raise RefusedAddress("the URL of an Alertmanager must have no query")
        return None

    async def ask(self, subscription: Subscription, link: str) -> Answer:
        """Mail the confirmation link to the recipient of an e-mail subscription, in one attempt."""
        url = subscription.channel.url
        literal = dialect_of(apprise_scheme(url)).literal
        title, text = confirmation_message(subscription, link, self._settings.board.public_url, literal)
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
            Gives the channel.
        message
            Message id, the same in every attempt.
        alerts
            At least one, all with the same arena and status.
        still_ours
            Called right before the body is sent. If it raises, nothing is sent.
        """
        channel, settings, now = subscription.channel, self._settings, time.time()
        match channel.type:
            case ChannelType.WEBHOOK:
                body = webhook_body(alerts, subscription.name, settings.board.public_url)
                try:
                    headers = {**channel.headers, **signed_headers(channel.secrets, message, now, body)}
                except InvalidSecret as error:
                    return Answer(Outcome.MISCONFIGURED, at=now, seconds=0.0, detail=str(error))
                return await self._poster.post(channel.url, body, headers, still_ours)
            case ChannelType.ALERTMANAGER:
                ahead = AHEAD * settings.herald.resend_seconds
                body = alertmanager_body(alerts, settings.board.public_url, now, ahead)
                return await self._poster.post(alertmanager_url(channel.url), body, channel.headers, still_ours)
            case ChannelType.APPRISE:
                title, text = text_message(
                    alerts, settings.board.public_url, dialect_of(apprise_scheme(channel.url)).literal
                )
                first = alerts[0]
                tone = "resolved" if first.status is Status.RESOLVED else first.severity.value
                still_ours()
                return await self._apprise.send(channel.url, title, text, tone)


def alertmanager_url(url: str) -> str:
    """URL for posting alerts, from the base URL of an Alertmanager.

    >>> alertmanager_url("http://alertmanager.example:9093/")
    'http://alertmanager.example:9093/api/v2/alerts'
    """
    return url if url.endswith("/api/v2/alerts") else f"{url.rstrip('/')}/api/v2/alerts"


def limit_host(channel: Channel) -> str:
    """Key of the limit per host: the host of the URL, or the service behind Apprise."""
    if channel.type is ChannelType.APPRISE:
        return apprise_scheme(channel.url)
    return host_of(channel.url)
