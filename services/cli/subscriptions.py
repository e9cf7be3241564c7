"""`isonomy subscriptions`: the operator's control of all subscriptions, directly in Kafka."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from services.cli.footing import require_topics, topics_of
from streams.contracts.names import shown

if TYPE_CHECKING:
    from services.herald.api.store import SubscriptionStore

READ_SECONDS = 30.0
"""Seconds within which all subscriptions and deliveries must be read."""
LOOK_SECONDS = 0.05

T = TypeVar("T")


@click.group("subscriptions")
def command() -> None:
    """Show and end subscriptions of all keys, as the operator: this needs no key, but the right to write to Kafka.

    A subscription that is disabled here stays disabled whatever its owner changes, and its owner sees the reason. To
    block a key, remove its line from the file ISONOMY_SUBSCRIBER_KEYS_FILE: its deliveries are held at once.
    """


@command.command("list")
@format_option
def list_all(form: str) -> None:
    """List all subscriptions, with their owners; URLs are shown without their secrets."""

    async def read(store: SubscriptionStore) -> list[dict[str, str | None]]:
        from services.herald.api.views import show_channel

        book = store.book()
        found = []
        for name in sorted(book.subscriptions, key=lambda each: (book.subscriptions[each].owner, each)):
            subscription = book.subscription(name)
            assert subscription is not None  # noqa: S101 -- for the type checker: its name is from the same book
            found.append(
                {
                    "id": name,
                    "owner": subscription.owner,
                    "name": subscription.name,
                    "arena": subscription.match.arena,
                    "channel": subscription.channel.type.value,
                    "url": show_channel(subscription.channel).place,
                    "status": subscription.status.value,
                    "reason": subscription.reason,
                }
            )
        return found

    found = _with_store(read)
    if form == "json":
        click.echo(json.dumps(found))
        return
    for each in found:
        state = f"{each['status']} ({each['reason']})" if each["reason"] else f"{each['status']}"
        click.echo(
            shown(
                f"{each['id']}  {each['owner']:16} {each['arena'] or 'all arenas':16} {each['channel']:12} {state}"
                f"  {each['name']}  {each['url']}"
            )
        )
    click.echo(f"{len(found)} subscriptions")


@command.command("disable")
@click.argument("subscription")
@click.option("--reason", required=True, help="Reason that its owner sees.")
def disable(subscription: str, reason: str) -> None:
    """Send nothing to a subscription until it is allowed again; its deliveries wait meanwhile."""
    from streams.contracts.delivery import Blocked

    blocked = Blocked(subscription=subscription, reason=reason, at=time.time())
    _with_store(lambda store: _known(store, subscription).block(subscription, blocked))
    click.echo(f"disabled {subscription}; `isonomy subscriptions allow {subscription}` reverts it")


@command.command("allow")
@click.argument("subscription")
def allow(subscription: str) -> None:
    """Revert `disable`."""
    _with_store(lambda store: _known(store, subscription).block(subscription, None))
    click.echo(f"allowed {subscription}")


@command.command("delete")
@click.argument("subscription")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(subscription: str, yes: bool) -> None:
    """Delete a subscription of any owner, its history included."""
    if not yes:
        click.confirm(f"{subscription} and its history will be deleted for good. Delete?", abort=True)

    async def act(store: SubscriptionStore) -> None:
        await _known(store, subscription).delete(subscription)
        await store.block(subscription, None)

    _with_store(act)
    click.echo(f"deleted {subscription}")


def _known(store: SubscriptionStore, subscription: str) -> SubscriptionStore:
    if subscription not in store.book().subscriptions:
        raise UserError(f"there is no subscription {subscription}: `isonomy subscriptions list` shows all")
    return store


def _with_store(act: Callable[[SubscriptionStore], Awaitable[T]]) -> T:
    """Read the store completely, then call `act` on it; raises `UserError`."""
    from services.herald.api.store import SubscriptionStore
    from services.http.errors import Refused

    settings = read_settings()
    require_topics(settings, topics_of("herald"))

    async def run() -> T:
        store = SubscriptionStore(settings.kafka)
        async with store.run():
            await _read(store)
            return await act(store)

    try:
        return asyncio.run(run())
    except Refused as refused:
        raise UserError(refused.detail) from None


async def _read(store: SubscriptionStore) -> None:
    """Wait until the store is read completely and can be written to."""
    from services.http.errors import Refused

    until = time.monotonic() + READ_SECONDS
    while True:
        try:
            store.book()
            store.writable()  # writing has its own connection, which may be up later
        except Refused:
            if time.monotonic() >= until:
                raise
        else:
            return
        await asyncio.sleep(LOOK_SECONDS)
