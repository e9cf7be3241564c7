"""`isonomy replay`: send the votes of a file or a named data set to a running stack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Unpack

import click

from services.cli.admission import require_redis
from services.cli.common import progress, read_settings
from services.cli.errors import UserError
from services.cli.footing import require_topics
from services.cli.reading import EXIT_CODES, GivenOptions, exit_as, reading_of, require_readable, source_options
from services.cli.reading import report as tell
from services.sources import SourceError
from services.sources.summary import Summary
from streams.contracts.settings import Settings
from streams.contracts.topics import LEDGER, VOTES

if TYPE_CHECKING:
    from services.cli.account import IntakeAccount, Written
    from services.cli.progress import Screen
    from services.sources import VoteSource

QUIET_SECONDS = 15.0
"""Seconds without progress of intake after which the command stops waiting and asks for a worker."""
LOOK_SECONDS = 0.25

SLICE = 2_000
"""Votes sent between two checks of the clock."""


@click.command("replay", epilog=EXIT_CODES)
@source_options
@click.option("--arena", default="text", show_default=True, help="Arena of the votes.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Votes a second; default: as fast as possible."
)
@click.option("--follow", is_flag=True, help="Show the leaderboard as it forms, until every vote is counted.")
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until intake has read all, and say how many count."
)
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="Lines of the leaderboard shown."
)
def command(
    source: str, arena: str, rate: float | None, follow: bool, wait: bool, top: int, **said: Unpack[GivenOptions]
) -> None:
    """Send the votes of SOURCE to Kafka, each acknowledged. Sent twice they count once.

    A file is read to its end before anything is sent; in a pipe, rows that cannot be read are skipped and reported.
    The last line says how many of the votes sent are in the ledger, which is what boards count.
    """
    reading = reading_of(said)
    settings = read_settings()
    require_topics(settings, [VOTES.name, LEDGER.name] if follow else [VOTES.name])
    if follow:
        require_redis(settings.redis)
    try:
        votes = reading.open(source, arena=arena, now=time.time())
        if source != "-":
            require_readable(_looked_through(votes), reading, "Nothing was sent")
        summary = asyncio.run(replay(settings, votes, arena, rate=rate, follow=follow, wait=wait, top=top))
    except SourceError as error:
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        raise UserError("interrupted; the votes sent so far stay, and sending them again counts none twice") from None
    exit_as(summary)


def _looked_through(votes: VoteSource) -> Summary:
    """Read a source to its end and return its summary, before any vote is sent."""
    summary = Summary(votes)
    for batch in votes.rows():
        summary.take(batch)
    return summary


async def replay(
    settings: Settings,
    votes: VoteSource,
    arena: str,
    *,
    rate: float | None,
    follow: bool,
    top: int,
    wait: bool = True,
) -> Summary:
    """Send a source's votes; returns the summary of its rows."""
    from services.cli.progress import Screen, until_counted
    from services.cli.send import VoteSender

    summary = Summary(votes)
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(VoteSender(settings.kafka))
        screen = Screen(settings.redis, arena, votes.total, top) if follow else None
        advance: Callable[[int], None]
        if screen is not None:
            await stack.enter_async_context(screen.live())
            advance = screen.sent
        else:
            advance = stack.enter_context(progress(f"sending {votes.name}", votes.total))
        account = stack.enter_context(await asyncio.to_thread(_account, settings, arena)) if wait else None
        began, sent = time.monotonic(), 0
        for records in votes.records():
            summary.send(records)
            for start in range(0, len(records.keys), _slice(rate)):
                part = slice(start, start + _slice(rate))
                await sender.send(records.keys[part], records.values[part])
                sent += len(records.keys[part])
                advance(len(records.keys[part]))
                # Yield at least once per slice, or no other task, such as the acknowledgements, runs.
                await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()) if rate else 0)
                if rate:
                    await sender.flush()
        await sender.flush()
        took = time.monotonic() - began
        if screen is not None:
            await until_counted(settings, arena, screen, _NoProgress(screen))
        told = await _told(account, sender.written) if account is not None and sent else ""
    if screen is not None:
        screen.print_board()
    tell(summary)
    click.echo(f"sent {sent:,} votes in {took:.1f} s{told}", err=True)
    return summary


def _account(settings: Settings, arena: str) -> IntakeAccount:
    from kafka.errors import KafkaError

    from services.cli.account import IntakeAccount
    from streams.kafka.end_offsets import EndsUnknown

    try:
        return IntakeAccount(settings.kafka, arena)
    except (KafkaError, EndsUnknown, OSError) as error:
        raise UserError(f"Kafka at {settings.kafka.bootstrap} does not report the end of the ledger: {error}") from None


async def _told(account: IntakeAccount, written: Written) -> str:
    """Return what intake did with the sent votes, as text; waits as long as intake makes progress."""
    from kafka.errors import KafkaError

    from streams.kafka.end_offsets import EndsUnknown
    from streams.ledger.codec import DamagedRecord

    waiting, since = -1, time.monotonic()
    while True:
        try:
            found = await asyncio.to_thread(account.of, written)
        except (KafkaError, EndsUnknown, DamagedRecord, OSError) as error:
            return f"; it is unknown how many of them count: {error}"
        if not found.waiting:
            return f": {found}"
        if found.waiting != waiting:
            waiting, since = found.waiting, time.monotonic()
        elif time.monotonic() - since > QUIET_SECONDS:
            return f": {found}; intake reads none, is a worker running?"
        await asyncio.sleep(LOOK_SECONDS)


def _slice(rate: float | None) -> int:
    """Return the votes to send between two checks of the clock: 0.05 s worth of votes if a rate is given."""
    return SLICE if rate is None else max(1, min(SLICE, int(rate / 20)))


class _NoProgress:
    """Callable that is true once the board has not changed for `SECONDS`."""

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
