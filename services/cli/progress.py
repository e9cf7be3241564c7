"""Show the leaderboard in the terminal while it forms, until Kafka's offsets show that every sent vote is counted."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import click
import msgspec
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from redis.exceptions import RedisError
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.board_table import board_table, console_of
from services.cli.errors import UserError
from streams.contracts.connect import COMMAND, kafka_python_options, redis_client
from streams.contracts.keys import number_of
from streams.contracts.names import shown
from streams.contracts.partitioner import partitions_of
from streams.contracts.settings import Settings
from streams.contracts.topics import INTAKE_GROUP, LEDGER, VOTES
from streams.contracts.view import OVERALL, Board
from streams.kafka.end_offsets import EndsUnknown, ask_commits, ask_ends, partitions_of_topic

LOOK_SECONDS = 0.25
PLAIN_SECONDS = 5.0
"""Seconds between printed lines when the output is not a terminal."""

_read = msgspec.json.Decoder(Board).decode


def read_board(redis: Any, settings: Settings, arena: str, name: str = OVERALL) -> Board | None:
    """Read a published board, None if there is none. Raises `UserError` if Redis is away or the value is no board."""
    try:
        text = redis.get(settings.keys.board(arena, name))
    except RedisError as error:
        raise UserError(f"Redis at {settings.redis_place} cannot be reached: {error}") from None
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

    def __init__(self, settings: Settings, arena: str, total: int | None, top: int) -> None:
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
            text: Any = self._redis.get(self._settings.keys.shown(partition))
            return number_of(text)
        except RedisError as error:
            self.trouble = f"Redis at {self._settings.redis_place} cannot be reached: {error}"
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

    def draw(self) -> Any:
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


PATIENCE = 30.0
"""Seconds within which the rest of a ledger partition must be read."""


class CaughtUp:
    """Asks Kafka whether the boards count everything in the votes topic; can be asked repeatedly."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group = settings.group(INTAKE_GROUP)
        kafka = kafka_python_options(settings)
        # Like intake, read committed records only: votes after an open transaction are not counted before it ends.
        self._consumer: Any = KafkaConsumer(
            **kafka, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
        )
        self._admin: Any = KafkaAdminClient(**kafka)
        self._target: dict[Any, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._admin.close()

    def mark(self) -> int:
        """Set the target to the current readable ends of the votes topic; returns the sum of these offsets."""
        self._target = self._ends(VOTES.name)
        return sum(self._target.values())

    def hidden(self) -> int:
        """Return the number of offsets after the target: readers get them only when an open transaction ends."""
        last = self._admin.list_partition_offsets(dict.fromkeys(self._target, OffsetSpec.LATEST))
        return sum(max(0, last[partition].offset - end) for partition, end in self._target.items() if partition in last)

    def taken(self) -> int:
        """Return how many offsets before the target intake has committed, so that the ledger has them."""
        committed = ask_commits(self._admin, self._group, list(self._target))
        return sum(min(end, committed[at].offset) for at, end in self._target.items() if at in committed)

    def folded(self, arena: str, position: int | None, shown: Callable[[int], int | None]) -> bool:
        """Return whether the boards count the arena's ledger partition to its end, or at least all of the arena in it.

        Not every record changes a board: its rows may be repeats, or it may be a notice of a model on no board.

        Parameters
        ----------
        position
            Offset up to which the arena's board counts the partition; None if there is no board.
        shown
            Returns the offset up to which all boards of a partition are complete, as published by the ratings stage, or
            None if it is unknown.
        """
        partitions = partitions_of_topic(self._consumer, self._settings.topic(LEDGER.name))
        partition = partitions[partitions_of([arena.encode()], len(partitions))[0]]
        end = ask_ends(self._consumer, [partition])[partition]
        if (shown(partition.partition) or -1) >= end:
            return True
        if position is None:
            return False
        # The rest of the partition may hold only records of other arenas: read it.
        self._consumer.assign([partition])
        self._consumer.seek(partition, position)
        give_up = time.monotonic() + PATIENCE
        while self._consumer.position(partition) < end:
            if time.monotonic() > give_up:
                raise EndsUnknown(f"{partition.topic}/{partition.partition} cannot be read to its end")
            for records in self._consumer.poll(timeout_ms=500).values():
                if any(record.key == arena.encode() for record in records):
                    return False
        return True

    def _ends(self, topic: str) -> dict[Any, int]:
        return ask_ends(self._consumer, partitions_of_topic(self._consumer, self._settings.topic(topic)))


async def until_counted(settings: Settings, arena: str, screen: Screen, deadline: Callable[[], bool]) -> None:
    """Wait until the board counts every vote readable now; raises `UserError` when the deadline passes.

    While Kafka does not answer, the request is retried until the deadline.
    """
    unknown = f"the votes are sent, but Kafka at {settings.kafka} does not say whether they are counted"
    end: int | None = None
    try:
        with await asyncio.to_thread(CaughtUp, settings) as asked:
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
