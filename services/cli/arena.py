"""`isonomy arena`: list stopped arenas, and have a fold try one again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from services.cli.admission import require_redis
from services.cli.common import format_option, json_text, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import COMMAND, async_redis_client
from streams.contracts.keys import names_of
from streams.contracts.names import shown
from streams.contracts.setting_groups import RedisSettings
from streams.contracts.stopped import FOLDS, Stopped, read_stopped

if TYPE_CHECKING:
    from redis.asyncio import Redis

LOOK_SECONDS = 0.2

Reply = TypeVar("Reply")


@click.group("arena")
def command() -> None:
    """Arenas that a fold has stopped because a record could not be folded or a view not published."""


@command.command("list")
@click.option("--stopped", "only", is_flag=True, help="Only stopped arenas.")
@format_option
def list_arenas(only: bool, form: str) -> None:
    """List the published arenas, and which folds have stopped them, since when and why."""
    settings = read_settings()
    require_redis(settings.redis)

    async def read(redis: Redis) -> dict[str, dict[str, Stopped]]:
        return {arena: await _stopped(redis, settings.redis, arena) for arena in await _arenas(redis, settings.redis)}

    found = asyncio.run(_with_redis(settings.redis, read))
    stops = [(arena, fold, stop) for arena, of_arena in found.items() for fold, stop in of_arena.items()]
    going_on = [] if only else [arena for arena, of_arena in found.items() if not of_arena]
    if form == "json":
        for arena, fold, stop in stops:
            click.echo(json_text({"arena": arena, "stage": fold, "since": stop.since, "why": stop.why}))
        for arena in going_on:
            click.echo(json_text({"arena": arena, "stage": None, "since": None, "why": None}))
        return
    for arena, fold, stop in stops:
        since = datetime.fromtimestamp(stop.since, UTC)
        click.echo(f"{arena:32} {fold:9} stopped {since:%Y-%m-%d %H:%M:%S} UTC: {shown(stop.why)}")
    for arena in going_on:
        click.echo(f"{arena:32} continues")
    click.echo(f"{len(found):,} arenas, {sum(map(bool, found.values())):,} of them stopped")


@command.command("release")
@click.argument("arena")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
def release(arena: str, wait: float) -> None:
    """Let the folds that stopped ARENA try again from their last saved state, after the cause is fixed.

    The worker that owns the arena takes over all of its arenas again; intake continues meanwhile. If the cause is
    still there, the arena stops again at the same place, and the exit code is 1. Nothing is skipped.
    """
    settings = read_settings()
    require_redis(settings.redis)

    async def ask(redis: Redis) -> dict[str, Stopped]:
        before = await _stopped(redis, settings.redis, arena)
        if not before:
            known = await _arenas(redis, settings.redis)
            what = "it is not stopped" if arena in known else f"known arenas: {', '.join(known) or 'none'}"
            raise UserError(f"cannot release {shown(arena)}: {what}")
        asked = [settings.redis.keys.release(arena, fold) for fold in before]
        for key in asked:
            await redis.hset(key, "asked", f"{time.time():.3f}")
        end = time.monotonic() + wait
        while any([await redis.hget(key, "asked") for key in asked]):
            if time.monotonic() >= end:
                raise UserError(
                    f"no worker has released {arena} within {wait:g} s; the request stays: is a worker running?"
                )
            await asyncio.sleep(LOOK_SECONDS)
        return await _stopped(redis, settings.redis, arena)

    again = asyncio.run(_with_redis(settings.redis, ask))
    if again:
        raise UserError("\n".join(f"{fold} has stopped {arena} again: {shown(why.why)}" for fold, why in again.items()))
    click.echo(f"{arena} continues")


async def _with_redis(settings: RedisSettings, ask: Callable[[Redis], Awaitable[Reply]]) -> Reply:
    from redis.exceptions import RedisError

    redis = async_redis_client(settings, COMMAND)
    try:
        return await ask(redis)
    except RedisError as error:
        raise UserError(f"Redis at {settings.place} cannot be reached: {error}") from None
    finally:
        await redis.aclose()


async def _arenas(redis: Redis, settings: RedisSettings) -> list[str]:
    return names_of(await redis.smembers(settings.keys.arenas))


async def _stopped(redis: Redis, settings: RedisSettings, arena: str) -> dict[str, Stopped]:
    texts = await redis.mget([settings.keys.stopped(arena, fold) for fold in FOLDS])
    return read_stopped([text if isinstance(text, bytes) else None for text in texts])
