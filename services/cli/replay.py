"""`isonomy replay`: the votes of a file or a named data set, into a running stack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from services.cli.admission import require_redis
from services.cli.common import read_columns, read_settings, source_options
from services.cli.errors import UserError
from services.cli.footing import require_topics
from services.sources import SourceError, open_source
from streams.contracts.names import shown
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER, VOTES

if TYPE_CHECKING:
    from services.cli.follow import Screen
    from services.sources import Source

SLICE = 2_000
"""Votes between two looks at the clock."""


@click.command("replay")
@source_options
@click.option("--arena", default="text", show_default=True, help="Arena that the votes go to.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Votes a second; as fast as it goes if not given."
)
@click.option("--follow", is_flag=True, help="Show the leaderboard as it forms, until every vote is counted.")
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="Lines of the leaderboard shown."
)
def command(source: str, columns: tuple[str, ...], arena: str, rate: float | None, follow: bool, top: int) -> None:
    """Send the votes of SOURCE to Kafka, each acknowledged. Sent twice they count once."""
    settings = read_settings()
    require_topics(settings, [VOTES.name, LEDGER.name] if follow else [VOTES.name])
    if follow:
        require_redis(settings)
    try:
        votes = open_source(source, columns=read_columns(columns), arena=arena, now=time.time())
        refused = asyncio.run(replay(settings, votes, arena, rate=rate, follow=follow, top=top))
    except SourceError as error:
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        raise UserError("interrupted; what was sent stays, and sending it again counts nothing twice") from None
    if refused:
        click.echo(f"{refused:,} items were refused and not sent", err=True)


async def replay(settings: Settings, votes: Source, arena: str, *, rate: float | None, follow: bool, top: int) -> int:
    """Send a source's votes; returns how many of its items were refused."""
    from services.cli.bar import progress
    from services.cli.follow import Screen, until_counted
    from services.cli.send import VoteSender

    if votes.note:
        click.echo(shown(f"note: {votes.note}"), err=True)
    refused = 0
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(VoteSender(settings))
        screen = Screen(settings, arena, votes.total, top) if follow else None
        advance: Callable[[int], None]
        if screen is not None:
            await stack.enter_async_context(screen.live())
            advance = screen.sent
        else:
            advance = stack.enter_context(progress(f"sending {votes.name}", votes.total))
        began, sent = time.monotonic(), 0
        for records in votes.records():
            for item in records.rejected:
                if refused < 10:
                    click.echo(shown(f"refused {item.where}: {item.reason}: {item.detail}"), err=True)
                refused += 1
            for start in range(0, len(records.keys), _slice(rate)):
                part = slice(start, start + _slice(rate))
                await sender.send(records.keys[part], records.values[part])
                sent += len(records.keys[part])
                advance(len(records.keys[part]))
                # At least once per slice, or nothing else, the acknowledgements included, gets its turn.
                await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()) if rate else 0)
                if rate:
                    await sender.flush()
        await sender.flush()
        took = time.monotonic() - began
        if screen is not None:
            await until_counted(settings, arena, screen, _NoProgress(screen))
    if screen is not None:
        screen.print_board()
    click.echo(f"sent {sent:,} votes in {took:.1f} s", err=True)
    return refused


def _slice(rate: float | None) -> int:
    """Votes to send between two looks at the clock: a twentieth of a second's worth when a rate is asked for."""
    return SLICE if rate is None else max(1, min(SLICE, int(rate / 20)))


class _NoProgress:
    """True once the board has stood still for a minute."""

    SECONDS = 60.0

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._battles = -1
        self._since = time.monotonic()

    def __call__(self) -> bool:
        battles = self._screen.board.battles if self._screen.board else 0
        if battles != self._battles:
            self._battles, self._since = battles, time.monotonic()
        return time.monotonic() - self._since > self.SECONDS
