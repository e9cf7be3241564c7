"""`isonomy alerts`: the alerts that fire, as published."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click
import msgspec
from redis.exceptions import RedisError

from services.cli.admission import require_redis
from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import COMMAND, redis_client
from streams.contracts.keys import names_of
from streams.contracts.names import shown
from streams.contracts.settings import Settings

LOOK_SECONDS = 0.25
_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


class _Alert(msgspec.Struct):
    """What is shown of one."""

    severity: str
    arena: str
    kind: str
    summary: str
    runbook_url: str


class _View(msgspec.Struct):
    alerts: list[_Alert]


@click.command("alerts")
@click.option("--arena", help="Only this arena; all that are known if not.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for an alert when none fires.")
@format_option
def command(arena: str | None, wait: float, form: str) -> None:
    """List the alerts that fire, latest beginning first; they are also records of the topic `alerts`."""
    settings = read_settings()
    require_redis(settings)
    redis: Any = redis_client(settings, COMMAND)
    deadline = time.monotonic() + wait
    try:
        while True:
            arenas = [arena] if arena else names_of(redis.smembers(settings.keys.arenas))
            alerts = _read(redis, settings, arenas) if arenas else []
            if alerts or time.monotonic() >= deadline:
                break
            time.sleep(LOOK_SECONDS)  # between two looks, not in place of one
    except RedisError as error:
        raise UserError(f"Redis at {settings.redis_place} cannot be reached: {error}") from None
    finally:
        redis.close()
    if form == "json":
        sys.stdout.write(json.dumps(alerts) + "\n")
        return
    _print(alerts)


def _read(redis: Any, settings: Settings, arenas: list[str]) -> list[dict[str, Any]]:
    """Read what fires in these arenas; of one that cannot be read, nothing would look like all is well."""
    alerts = []
    for arena, text in zip(arenas, redis.mget([settings.keys.alerts(each) for each in arenas]), strict=True):
        try:
            view = {"alerts": []} if text is None else msgspec.json.decode(text)
            msgspec.convert(view, _View)
            alerts += view["alerts"]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"what Redis has of the alerts of arena {arena} cannot be read here: {error}") from None
    return alerts


def _print(alerts: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from services.cli.show import console_of

    console = console_of()
    for alert in alerts:
        head = f"{alert['severity']:8} {alert['arena']} · {alert['kind']}"
        console.print(Text(shown(head), style=_STYLES.get(alert["severity"], "")))
        console.print(Text(f"         {shown(alert['summary'])}"))
        console.print(Text(f"         runbook: {shown(alert['runbook_url'])}", style="dim"))
    if not alerts:
        console.print("no alert fires")
