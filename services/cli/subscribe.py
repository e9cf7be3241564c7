"""`isonomy subscribe`: manage subscriptions to alerts through the board's API."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from streams.contracts.names import shown

TIMEOUT = 40.0
"""Longer than an attempt, because `test` waits for one."""


class BoardClient:
    """Client of a running board's API."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/"), key

    def call(self, method: str, path: str = "", body: object = None) -> Any:
        """Call a route; raises `UserError` with the board's error message.

        The answer is decoded JSON of a board of any version: each command reads the fields it knows.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        url = f"{self._url}/v1/subscriptions{path}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 -- the caller's own board
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 -- as above
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise UserError(_said(error)) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UserError(f"the board at {self._url} cannot be reached: {error}") from None
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise UserError(f"the server at {self._url} is not a board") from None


def _said(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read())["error"]
        return f"{said['detail']} ({said['reason']})"
    except (ValueError, KeyError, TypeError):
        return f"the board answered {error.code}"


@click.group("subscribe")
@click.option("--board", "url", metavar="URL", help="URL of the board; default: on this machine.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the bearer key; default: ISONOMY_KEY.",
)
@click.pass_context
def command(context: click.Context, url: str | None, key_file: Path | None) -> None:
    """Subscribe to alerts: webhook, Slack and others through Apprise, or an Alertmanager.

    `isonomy gateway new-key NAME` makes a key; its line goes into the file that ISONOMY_SUBSCRIBER_KEYS_FILE names.
    """

    def board() -> BoardClient:
        settings = read_settings()
        given = key_file.read_bytes() if key_file else os.environb.get(b"ISONOMY_KEY", b"")
        key = given.decode("ascii", "replace").strip()
        if not key:
            raise UserError("no key: give --key-file or set ISONOMY_KEY")
        if not key.isascii() or not key.isprintable() or len(key.split()) != 1:
            raise UserError("the key is not one word of letters: give only the secret, not its line")
        return BoardClient(url or f"http://127.0.0.1:{settings.board.port}", key)

    context.obj = board  # called by the subcommand, so that --help needs no key


@command.command("create")
@click.argument("url")
@click.option("--type", "kind", type=click.Choice(["webhook", "apprise", "alertmanager"]), default="webhook",
              show_default=True, help="Kind of receiver.")  # fmt: skip
@click.option("--name", help="Your name for it; default: the type.")
@click.option("--arena", help="Only this arena.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind of alert; may be repeated.")
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]), default="info", show_default=True,
              help="The least.")  # fmt: skip
@click.option("--model", "models", multiple=True, help="Only about this model; may be repeated.")
@click.option("--provider", "providers", multiple=True, help="Only about this provider; may be repeated.")
@click.option("--header", "headers", metavar="NAME=VALUE", multiple=True, help="Sent with each message.")
@format_option
@click.pass_context
def create(
    context: click.Context,
    url: str,
    kind: str,
    name: str | None,
    arena: str | None,
    kinds: tuple[str, ...],
    severity: str,
    models: tuple[str, ...],
    providers: tuple[str, ...],
    headers: tuple[str, ...],
    form: str,
) -> None:
    """Subscribe URL to alerts; it gets the alerts that fire now, and from then on new and resolved ones.

    For e-mail use mailto: and one address, with --type apprise; it starts when its recipient opens a link and agrees.
    """
    pairs = {}
    for header in headers:
        key, equals, value = header.partition("=")
        if not equals:
            raise click.BadParameter(f"{key!r} is not NAME=VALUE", param_hint="--header")
        pairs[key] = value
    match = {"severity": severity, "kinds": kinds, "models": models, "providers": providers}
    if arena is not None:
        match["arena"] = arena
    channel = {"type": kind, "url": url, "headers": pairs}
    made = context.obj().call("POST", body={"name": name or kind, "match": match, "channel": channel})
    if form == "json":
        click.echo(json.dumps(made))
        return
    for each in made.get("warnings", ()):  # absent from an older board's reply
        click.echo(f"warning: {shown(each)}", err=True)
    click.echo(f"subscription: {made['id']}")
    if made["secret"]:
        click.echo(f"secret (shown once): {made['secret']}")
    if made.get("confirmation"):  # absent from an older board's reply
        click.echo(_asked(made["id"], made["confirmation"]))


@command.command("list")
@format_option
@click.pass_context
def list_subscriptions(context: click.Context, form: str) -> None:
    """List your subscriptions."""
    found = context.obj().call("GET")["subscriptions"]
    if form == "json":
        click.echo(json.dumps(found))
        return
    for each in found:
        state = each["status"] + (f" ({each['reason']})" if each["reason"] else "")
        click.echo(
            shown(f"{each['id']}  {each['channel']['type']:12} {state:10} {each['name']}  {each['channel']['url']}")
        )
    if not found:
        click.echo("no subscription")


@command.command("delete")
@click.argument("subscription")
@click.pass_context
def delete(context: click.Context, subscription: str) -> None:
    """Delete a subscription, its history included."""
    context.obj().call("DELETE", f"/{_quoted(subscription)}")
    click.echo(f"deleted {subscription}")


@command.command("ask")
@click.argument("subscription")
@click.pass_context
def ask(context: click.Context, subscription: str) -> None:
    """Send the recipient of e-mail a new link to confirm it by; exit code 1 when it could not be sent."""
    answer = context.obj().call("POST", f"/{_quoted(subscription)}/confirmation")
    click.echo(_asked(subscription, answer))
    if answer["outcome"] != "delivered":
        raise SystemExit(1)


@command.command("test")
@click.argument("subscription")
@click.pass_context
def try_it(context: click.Context, subscription: str) -> None:
    """Send one test message now, and report the outcome; exit code 1 when it was not accepted."""
    answer = context.obj().call("POST", f"/{_quoted(subscription)}/test")
    status = f" {answer['status']}" if answer["status"] else ""
    click.echo(f"{answer['outcome']}{status} in {answer['seconds']:.2f} s  {shown(answer['detail'])}".rstrip())
    if answer["outcome"] != "delivered":
        raise SystemExit(1)


@command.command("deliveries")
@click.argument("subscription")
@click.option("--state", type=click.Choice(["waiting", "pending", "delivered", "dead", "skipped"]), help="Only these.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Number of newest deliveries."
)
@format_option
@click.pass_context
def deliveries(context: click.Context, subscription: str, state: str | None, limit: int, form: str) -> None:
    """List the deliveries with their outcome, newest first."""
    query = urllib.parse.urlencode({"limit": limit, **({"state": state} if state else {})})
    answer = context.obj().call("GET", f"/{_quoted(subscription)}/deliveries?{query}")
    if form == "json":
        click.echo(json.dumps(answer))
        return
    for each in answer["deliveries"]:
        said = each["answer"] or {}
        came = f"{said.get('outcome', '')} {said.get('status') or ''} {said.get('detail', '')[:60]}".strip()
        what = f"{each['status']:8} {each['arena']} · {each['kind']}"
        click.echo(f"{each['id']}  {each['state']:9} {each['attempts']} attempts  {what}  {shown(came)}")
    click.echo(f"{len(answer['deliveries'])} of {answer['total']}")


@command.command("replay")
@click.argument("subscription")
@click.argument("delivery", required=False)
@click.pass_context
def replay(context: click.Context, subscription: str, delivery: str | None) -> None:
    """Send a failed delivery again, or all of them."""
    path = f"/deliveries/{_quoted(delivery)}/replay" if delivery else "/replay"
    answer = context.obj().call("POST", f"/{_quoted(subscription)}{path}")
    click.echo(f"{answer['replayed']} will be sent again")


def _asked(subscription: str, sent: Mapping[str, str]) -> str:
    """Return whether the confirmation link was sent, and what to do next."""
    if sent["outcome"] == "delivered":
        return "unconfirmed: a link was sent; no alert is sent until its recipient opens it and agrees"
    again = f"`isonomy subscribe ask {subscription}` tries again"
    return f"unconfirmed: the link could not be sent ({shown(sent['detail'] or sent['outcome'])}); {again}"


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
