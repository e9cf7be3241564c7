"""`isonomy alerts`: the alerts that fire, as published."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click
from redis.exceptions import RedisError

from services.cli.admission import require_redis
from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import COMMAND, redis_client

LOOK_SECONDS = 0.25
_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


@click.command("alerts")
@click.option("--arena", help="Only this arena; all that are known if not.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for an alert when none fires.")
@format_option
def command(arena: str | None, wait: float, form: str) -> None:
    """List the alerts that fire, latest beginning first; they are also records of the topic `alerts`."""
    settings = read_settings()
    require_redis(settings)
    redis: Any = redis_client(settings, COMMAND, decode_responses=True)
    deadline = time.monotonic() + wait
    try:
        while True:
            arenas = [arena] if arena else sorted(redis.smembers(settings.keys.arenas))
            views = (
                [text for text in redis.mget([settings.keys.alerts(each) for each in arenas]) if text] if arenas else []
            )
            alerts = [alert for text in views for alert in json.loads(text)["alerts"]]
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


def _print(alerts: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for alert in alerts:
        head = f"{alert['severity']:8} {alert['arena']} · {alert['kind']}"
        console.print(Text(head, style=_STYLES.get(alert["severity"], "")))
        console.print(Text(f"         {alert['summary']}"))
        console.print(Text(f"         runbook: {alert['runbook_url']}", style="dim"))
    if not alerts:
        console.print("no alert fires")
