"""Show the leaderboard in the terminal while it forms, until Kafka's offsets show that every sent vote is counted."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import click
import msgspec
from kafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.account import CaughtUp
from services.cli.board_table import board_table, console_of
from services.cli.errors import UserError
from streams.contracts.connect import COMMAND, redis_client
from streams.contracts.keys import number_of
from streams.contracts.names import shown
from streams.contracts.setting_groups import RedisSettings
from streams.contracts.settings import Settings
from streams.contracts.view import OVERALL, Board
from streams.kafka.end_offsets import EndsUnknown

LOOK_SECONDS = 0.25
PLAIN_SECONDS = 5.0
"""Seconds between printed lines when the output is not a terminal."""

_read = msgspec.json.Decoder(Board).decode


def read_board(redis: Redis, settings: RedisSettings, arena: str, name: str = OVERALL) -> Board | None:
    """Read a published board, None if there is none. Raises `UserError` if Redis is away or the value is no board."""
    try:
        text = redis.get(settings.keys.board(arena, name))
    except RedisError as error:
        raise UserError(f"Redis at {settings.place} cannot be reached: {error}") from None
    try:
        return None if text is None else _read(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"the board {name} of arena {arena} in Redis cannot be read: {error}") from None


class Screen:
    """Two progress bars, sent and counted, above the first lines of the leaderboard.

    Parameters
    ----------
    settings, arena
        Where the board is read: the overall board of this arena.
    total
        Number of votes to be sent, None if unknown.
    top
        Number of leaderboard lines to show.
    """

    def __init__(self, settings: RedisSettings, arena: str, total: int | None, top: int) -> None:
        self._settings, self._arena, self._top = settings, arena, top
        self._redis = redis_client(settings, COMMAND)
        self.console: Console = console_of(sys.stdout)
        told = TextColumn("{task.description:8}", markup=False)
        self._bars = Progress(told, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=self.console)
        self._sent = self._bars.add_task("sent", total=total)
        self._counted = self._bars.add_task("counted", total=total)
        self._already: int | None = None
        self._next_line = 0.0
        self.board: Board | None = None
        self.trouble = ""
        """Why the last read of the board failed; empty if it succeeded."""

    def shown(self, partition: int) -> int | None:
        """Return the offset up to which the boards count a ledger partition; None if Redis has none or is away."""
        try:
            return number_of(self._redis.get(self._settings.keys.shown(partition)))
        except RedisError as error:
            self.trouble = f"Redis at {self._settings.place} cannot be reached: {error}"
            return None

    def sent(self, number: int) -> None:
        """Advance the first bar by `number` votes."""
        self._bars.advance(self._sent, number)

    def look(self) -> None:
        """Read the board and move the second bar; a failed read is retried at the next call."""
        try:
            self.board = read_board(self._redis, self._settings, self._arena)
        except UserError as error:
            self.trouble = str(error)
            return
        self.trouble = ""
        battles = self.board.battles if self.board else 0
        if self._already is None:
            self._already = battles  # battles counted before this command started
        self._bars.update(self._counted, completed=battles - self._already)

    def draw(self) -> Group:
        """Return the bars and the table as they are now."""
        table = board_table(self.board, self._top, width=self.console.width) if self.board else "no board yet"
        return Group(self._bars, table)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Draw during the block, or print lines if there is no terminal; at the end, raise the drawing task's error."""
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            self._redis.close()
        if not looking.cancelled() and (error := looking.exception()) is not None:
            raise error

    async def _keep_looking(self) -> None:
        if not self.console.is_terminal:
            while True:
                await asyncio.to_thread(self.look)
                self._print_line()
                await asyncio.sleep(LOOK_SECONDS)
        with Live(self.draw(), console=self.console, auto_refresh=False, transient=True) as live:
            while True:
                await asyncio.to_thread(self.look)
                live.update(self.draw(), refresh=True)
                await asyncio.sleep(LOOK_SECONDS)

    def _print_line(self) -> None:
        if self.board is None or time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + PLAIN_SECONDS
        leaders = ", ".join(f"{shown(line.model)} {line.rating:.0f}" for line in self.board.models[:3])
        self.console.print(f"{self.board.battles:>12,} counted   {leaders}")

    def print_board(self) -> None:
        """Print the last board read, permanently."""
        if self.board is not None:
            self.console.print(board_table(self.board, self._top, width=self.console.width))


async def until_counted(settings: Settings, arena: str, screen: Screen, deadline: Callable[[], bool]) -> None:
    """Wait until the board counts every vote readable now; raises `UserError` when the deadline passes.

    While Kafka does not answer, the request is retried until the deadline.
    """
    unknown = f"the votes are sent, but Kafka at {settings.kafka.bootstrap} does not say whether they are counted"
    end: int | None = None
    try:
        with await asyncio.to_thread(CaughtUp, settings.kafka) as asked:
            while True:
                try:
                    if end is None:
                        end = await asyncio.to_thread(_mark, asked)
                    if await asyncio.to_thread(asked.taken) >= end:
                        position = screen.board.position.ledger if screen.board else None
                        if await asyncio.to_thread(asked.folded, arena, position, screen.shown):
                            return
                except (KafkaError, EndsUnknown, OSError):
                    if deadline():
                        raise
                else:
                    if deadline():
                        why = screen.trouble or "is a worker running?"
                        raise UserError(f"the votes are sent, but not counted yet: {why}")
                await asyncio.sleep(LOOK_SECONDS)
    except (KafkaError, EndsUnknown, OSError) as error:
        raise UserError(f"{unknown}: {error}") from None


def _mark(asked: CaughtUp) -> int:
    end = asked.mark()
    if hidden := asked.hidden():
        what = f"up to {hidden:,} votes wait behind an open transaction"
        click.echo(f"{what}: they are counted when it ends; this command does not wait for them", err=True)
    return end
