"""`isonomy rebuild`: drop the saved states and fold the ledger again."""

from __future__ import annotations

import asyncio

import click

from services.cli.admission import require_redis
from services.cli.common import read_settings
from services.cli.errors import UserError
from services.cli.footing import require_topics
from streams.contracts.connect import COMMAND, async_redis_client
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER, RATINGS_GROUP


@click.command("rebuild")
@click.option("--arena", multiple=True, help="Only this arena; may be repeated. Default: all known arenas.")
def command(arena: tuple[str, ...]) -> None:
    """Drop the saved states in Redis, so that the workers fold the ledger from its start again.

    Boards stay as they are until the new ones are complete. The folds of a running worker are fenced off, restart and
    then fold the ledger; without a worker, the next start does it. The Kafka log is not touched.
    """
    settings = read_settings()
    require_topics(settings, [LEDGER.name])
    require_redis(settings.redis)
    arenas = asyncio.run(_forget(settings, arena))
    if not arenas:
        click.echo("no arena is known in Redis; the next worker folds the ledger from its start anyway")
    else:
        click.echo(f"dropped the state of {', '.join(arenas)}; the ledger will be folded again")


async def _forget(settings: Settings, asked: tuple[str, ...]) -> list[str]:
    from redis.exceptions import RedisError

    from services.cli.topics import admin_of, begins_at
    from streams.fold.redis_store import forget

    redis = async_redis_client(settings.redis, COMMAND, decode_responses=True)
    try:
        known = sorted(map(str, await redis.smembers(settings.redis.keys.arenas)))
        unknown = set(asked) - set(known)
        if unknown:
            raise UserError(f"no such arena: {', '.join(sorted(unknown))}; known: {', '.join(known) or 'none'}")
        name = settings.kafka.topic(LEDGER.name)
        with admin_of(settings.kafka) as admin:
            partitions = len(admin.describe_topics([name])[0]["partitions"])
            first = begins_at(admin, name, partitions)
        if first is None:
            raise UserError(f"the first offset of {name} is unknown, so it is not certain that it can be folded again")
        if first > 0:
            raise UserError(
                f"a partition of {name} begins at offset {first}: earlier records are gone, so it cannot be folded "
                "again, and only the saved states still have all votes"
            )
        arenas = list(asked) or known
        await forget(redis, settings.redis.keys, RATINGS_GROUP, arenas, partitions)
    except RedisError as error:
        raise UserError(f"Redis at {settings.redis.place} cannot be reached: {error}") from None
    finally:
        await redis.aclose()
    return arenas
