"""`isonomy alerts`: the published alerts that fire, and which kinds of alerts were judged."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec
from redis.exceptions import RedisError

from services.cli.admission import require_redis
from services.cli.common import format_option, json_text, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import COMMAND, redis_client
from streams.contracts.judged import Judged, told
from streams.contracts.keys import names_of
from streams.contracts.names import shown
from streams.contracts.setting_groups import RedisSettings

if TYPE_CHECKING:
    from redis import Redis

LOOK_SECONDS = 0.25
_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


class _ShownAlert(msgspec.Struct):
    """The fields of an alert that are shown."""

    severity: str
    arena: str
    kind: str
    summary: str
    runbook_url: str


class _View(msgspec.Struct):
    alerts: list[_ShownAlert]


class _Fairness(msgspec.Struct):
    """The part of the fairness view that lists what was judged; None if its worker does not publish it."""

    judged: list[Judged] | None = None


class _ArenaAlerts(msgspec.Struct):
    """One arena: its alerts as published and as shown, and what was judged; all None if no view has been published."""

    arena: str
    alerts: list[object] | None
    shown: list[_ShownAlert] | None
    judged: list[Judged] | None


@click.command("alerts")
@click.option("--arena", help="Only this arena; default: all known arenas.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for an alert when none fires.")
@format_option
def command(arena: str | None, wait: float, form: str) -> None:
    """List the alerts that fire, newest first, and what was judged; alerts are also records of the topic.

    If no alert fires, that means nothing for kinds that were not judged: these are listed with the reason. With
    --format json: {"alerts": [...], "arenas": [{"arena", "alerts": number, "judged": [...]}]}, where null means that
    nothing was judged yet.
    """
    settings = read_settings()
    require_redis(settings.redis)
    redis = redis_client(settings.redis, COMMAND)
    deadline = time.monotonic() + wait
    try:
        while True:
            known = names_of(redis.smembers(settings.redis.keys.arenas))
            found = _read(redis, settings.redis, [each for each in known if arena in (None, each)])
            if any(each.alerts for each in found) or time.monotonic() >= deadline:
                break
            time.sleep(LOOK_SECONDS)  # only if the views are read again afterwards
    except RedisError as error:
        raise UserError(f"Redis at {settings.redis.place} cannot be reached: {error}") from None
    finally:
        redis.close()
    if arena is not None and arena not in known:
        raise UserError(f"there is no arena {arena!r}; there are: {', '.join(known) or 'none yet'}")
    if form == "json":
        arenas = [
            {"arena": each.arena, "alerts": None if each.alerts is None else len(each.alerts), "judged": each.judged}
            for each in found
        ]
        sys.stdout.write(
            json_text({"alerts": [line for each in found for line in each.alerts or ()], "arenas": arenas})
        )
        sys.stdout.write("\n")
        return
    _print(found)


def _read(redis: Redis, settings: RedisSettings, arenas: list[str]) -> list[_ArenaAlerts]:
    """Read the firing alerts of these arenas. An unreadable view is an error: skipped, it would look like no alert."""
    found = []
    for arena in arenas:
        # Read both in one MGET, so that they are of the same moment.
        alerts, fairness = redis.mget([settings.keys.alerts(arena), settings.keys.fairness(arena)])
        try:
            view = None if alerts is None else msgspec.json.decode(alerts)
            read = None if view is None else msgspec.convert(view, _View).alerts
            judged = None if fairness is None else msgspec.json.decode(fairness, type=_Fairness).judged
            found.append(_ArenaAlerts(arena, None if view is None else view["alerts"], read, judged))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"the alerts of arena {arena} in Redis cannot be read: {error}") from None
    return found


def _print(found: list[_ArenaAlerts]) -> None:
    from rich.text import Text

    from services.cli.board_table import console_of

    console = console_of()
    for alert in (alert for each in found for alert in each.shown or ()):
        head = f"{alert.severity:8} {alert.arena} · {alert.kind}"
        console.print(Text(shown(head), style=_STYLES.get(alert.severity, "")))
        console.print(Text(f"         {shown(alert.summary)}"))
        console.print(Text(f"         runbook: {shown(alert.runbook_url)}", style="dim"))
    for each in found:
        console.print(Text(shown(f"{each.arena}: {_said(each)}"), style="dim" if each.alerts else ""))
    if not found:
        console.print("no arena has published anything yet: nothing was judged")


def _said(found: _ArenaAlerts) -> str:
    """Return the number of an arena's alerts and what was judged, which says how much "no alert" means."""
    if found.alerts is None:
        return "nothing was judged yet"
    number = len(found.alerts)
    fires = {0: "no alert fires", 1: "1 alert fires"}.get(number, f"{number:,} alerts fire")
    return f"{fires}. {told(found.judged)}"
