"""`isonomy export`: write boards, votes and the ledger of a running stack to files for other programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.admission import require_redis
from services.cli.common import read_settings
from services.cli.errors import UserError
from services.cli.output import force_option, whole
from streams.contracts.names import normalised
from streams.contracts.setting_groups import RedisSettings

if TYPE_CHECKING:
    from services.export.official import OfficialRow
    from streams.contracts.view import Board

Function = Callable[..., None]
SUFFIXES = {".parquet": "parquet", ".csv": "csv"}


@click.group("export")
def command() -> None:
    """Write boards, votes or the ledger of a running stack to files that other programs read."""


def _output(*, needed: bool) -> Callable[[Function], Function]:
    def add(function: Function) -> Function:
        path = click.Path(dir_okay=False, path_type=Path)
        text = "Where to write; it is there whole or not at all."
        return click.option("--output", "-o", type=path, required=needed, help=text)(force_option(function))

    return add


@command.command("board")
@click.argument("arena")
@click.option("--board", "boards", multiple=True, help="Only this board; may be repeated. Default: all.")
@click.option("--since", metavar="YYYY-MM-DD", help="Also each past day from this one on, as far as history is kept.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv"]),
    help="Default: by the file's extension; csv on standard output without --output.",
)
@_output(needed=False)
def board(
    arena: str, boards: tuple[str, ...], since: str | None, form: str | None, output: Path | None, force: bool
) -> None:
    """Write the boards of ARENA, as they are published in Redis, in the columns of the public Arena data set.

    These are model_name, organization, license, rating, rating_lower, rating_upper, variance, vote_count, rank,
    category, leaderboard_publish_date. The category is the name of the board (overall, language:German,
    category:coding), the date that of the newest vote. Unknown values are empty: a provisional model has no rank.
    With --since the past days of the board overall come first; other boards have no history.

    In CSV a text that a spreadsheet would take for a formula (it begins with =, +, - or @) has an apostrophe in front.
    """
    from services.export.official import rows_of

    form = _form(form, output)
    if since is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", since):
        raise UserError(f"--since {since}: give a day as YYYY-MM-DD")
    settings = read_settings()
    require_redis(settings.redis)
    found, packed = _read(settings.redis, arena, boards)
    now = [row for each in found for row in rows_of(each)]
    past = _past(found, packed, since) if since is not None else []
    days = {(row.category, row.leaderboard_publish_date) for row in now}
    rows = [*(row for row in past if (row.category, row.leaderboard_publish_date) not in days), *now]
    _write(rows, form, output, force=force)
    undated = sum(each.as_of is None for each in found)
    said = f"{len(rows):,} lines of {len(found):,} boards of arena {arena}"
    click.echo(said + (f"; {undated:,} boards have no votes, and so no date" if undated else ""), err=True)


def _form(form: str | None, output: Path | None) -> str:
    if form is not None:
        if form == "parquet" and output is None:
            raise UserError("--format parquet: give a file with --output")
        return form
    if output is None:
        return "csv"
    if output.suffix.lower() not in SUFFIXES:
        raise UserError(f"{output}: give --format parquet or csv, or a name that ends in {' or '.join(SUFFIXES)}")
    return SUFFIXES[output.suffix.lower()]


def _read(settings: RedisSettings, arena: str, wanted: tuple[str, ...]) -> tuple[list[Board], bytes | None]:
    """Read the boards of an arena, the overall board first, and its daily history."""
    from redis.exceptions import RedisError

    from services.cli.progress import read_board
    from streams.contracts.connect import COMMAND, redis_client
    from streams.contracts.history import DAY
    from streams.contracts.keys import names_of
    from streams.contracts.view import OVERALL

    keys = settings.keys
    redis = redis_client(settings, COMMAND)
    try:
        arenas = names_of(redis.smembers(keys.arenas))
        if arena not in arenas:
            raise UserError(f"there is no arena {arena!r}; there are: {', '.join(arenas) or 'none yet'}")
        known = names_of(redis.smembers(keys.boards(arena)))
        chosen = sorted(_chosen(known, wanted, arena), key=lambda name: (name != OVERALL, name))
        read = {name: read_board(redis, settings, arena, name) for name in chosen}
        packed = redis.get(keys.history(arena, DAY.name))
    except RedisError as error:
        raise UserError(f"Redis at {settings.place} cannot be reached: {error}") from None
    finally:
        redis.close()
    if lost := [name for name, each in read.items() if each is None]:
        raise UserError(
            f"Redis lists the board {lost[0]!r} of arena {arena} but does not have it: is a worker running?"
        )
    if not read:
        raise UserError(f"no board of arena {arena} is published yet")
    return [each for each in read.values() if each is not None], packed if isinstance(packed, bytes) else None


def _chosen(known: list[str], wanted: tuple[str, ...], arena: str) -> list[str]:
    """Return the requested boards, all if none: matched by their names, else by the normal form of the names."""
    chosen = {each if each in known else normalised(each) for each in wanted}
    if unknown := sorted(chosen - {*known}):
        raise UserError(
            f"there is no board {unknown[0]!r} in arena {arena}; there are: {', '.join(known) or 'none yet'}"
        )
    return [name for name in known if not wanted or name in chosen]


def _past(found: list[Board], packed: bytes | None, since: str) -> list[OfficialRow]:
    from services.export.history import past_rows
    from services.export.official import day_of
    from streams.contracts.history_wire import InvalidHistory, decode_ratings

    try:
        tier = None if packed is None else decode_ratings(packed)
    except InvalidHistory as error:
        raise UserError(f"the history cannot be read: {error}") from None
    now = {each.board: each for each in found}
    if tier is None or not tier.t or tier.board not in now:
        click.echo("these boards have no history", err=True)
        return []
    first = day_of(tier.t[0] - 1)
    if first is not None and first > since:
        click.echo(f"the history begins with {first}", err=True)
    return past_rows(tier, now[tier.board], since)


def _write(rows: list[OfficialRow], form: str, output: Path | None, *, force: bool) -> None:
    from services.export.official import columns_of, csv_of

    if output is None:
        sys.stdout.write(csv_of(rows, end="\n"))
        return
    with whole(output, force=force) as made:
        if form == "csv":
            made.write_text(csv_of(rows), "utf-8", newline="")
        else:
            import polars as pl

            from services.export.columns import OFFICIAL

            pl.DataFrame(columns_of(rows), schema=OFFICIAL).write_parquet(made)


@command.command("votes")
@click.option("--arena", help="Only the votes of this arena; default: all.")
@_output(needed=True)
def votes(arena: str | None, output: Path, force: bool) -> None:
    """Write every vote that counts, from the ledger in Kafka, as Parquet: one row a vote, in the ledger's order.

    A vote that is in the ledger twice is written once. If a record cannot be read, nothing is written.
    """
    _export(arena, output, force=force, notices=False)


@command.command("ledger")
@click.option("--arena", help="Only the records of this arena; default: all.")
@_output(needed=True)
def ledger(arena: str | None, output: Path, force: bool) -> None:
    """Write the whole ledger as Parquet: votes and changes of the registry, in order.

    The column kind is vote, model (a declaration) or model_removed. If a record cannot be read, nothing is written.
    """
    _export(arena, output, force=force, notices=True)


def _export(arena: str | None, output: Path, *, force: bool, notices: bool) -> None:
    from services.cli.export_ledger import write_ledger
    from services.cli.footing import require_topics
    from streams.contracts.topics import LEDGER

    if output.suffix.lower() != ".parquet":
        raise UserError(f"{output}: votes are written as Parquet, so use a name that ends in .parquet")
    settings = read_settings()
    with whole(output, force=force) as made:
        require_topics(settings, [LEDGER.name])
        done = write_ledger(settings.kafka, arena, made, notices=notices)
    parts = [f"{done.votes:,} votes"]
    if notices:
        parts.append(f"{done.notices:,} changes of the registry")
    said = f"{' and '.join(parts)} of {len(done.arenas):,} arena{'' if len(done.arenas) == 1 else 's'} are in {output}"
    click.echo(said + (f"; {done.repeated:,} were in the ledger twice" if done.repeated else ""), err=True)
