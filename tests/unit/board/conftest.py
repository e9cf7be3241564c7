"""A board without Redis and Kafka: published views are in dictionaries."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from services.board.app import create_board
from services.board.cache import Views
from services.board.ended_alerts import PastAlerts
from services.board.redis_source import SourceAway
from services.board.sse_hub import Hub
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import BoardSettings, KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.shown import Shown
from streams.contracts.stopped import Stopped
from tests.support.eventually import eventually_async
from tests.support.views import alerts_view, board, fairness_view


class Dictionaries:
    """What Redis would hold, by arena, and the messages of its channel."""

    def __init__(self) -> None:
        self.boards: dict[str, dict[str, bytes]] = {}
        self.judged: dict[str, tuple[bytes | None, bytes | None]] = {}
        self.parts: dict[str, bytes | None] = {}
        self.counted: dict[int, int] = {}
        self.stops: dict[str, dict[str, Stopped]] = {}
        self.away = False
        self.reads: list[tuple[str, tuple[str, ...], bool]] = []
        self.subscribed = 0
        self._messages: asyncio.Queue[list[bytes]] = asyncio.Queue()

    def say(self, *messages: dict[str, Any]) -> None:
        """Publish messages that arrive together."""
        self._messages.put_nowait([msgspec.json.encode(message) for message in messages])

    def cut(self) -> None:
        """Be away from now on."""
        self.away = True
        self._messages.put_nowait([])

    @contextlib.asynccontextmanager
    async def changes(self) -> AsyncIterator["Dictionaries"]:
        self._check()
        self._messages = asyncio.Queue()
        self.subscribed += 1
        yield self

    async def next(self) -> list[bytes]:
        messages = await self._messages.get()
        self._check()
        return messages

    async def names(self) -> dict[str, set[str]]:
        self._check()
        return {arena: set(self.boards.get(arena, {})) for arena in {*self.boards, *self.judged}}

    async def read(self, arena: str, boards: Sequence[str], judged: bool) -> list[bytes | None]:
        self._check()
        self.reads.append((arena, tuple(boards), judged))
        found: list[bytes | None] = [self.boards.get(arena, {}).get(name) for name in boards]
        return found + list(self.judged.get(arena, (None, None)) if judged else ())

    async def stopped(self, arenas: Iterable[str]) -> dict[str, dict[str, Stopped]]:
        self._check()
        return {arena: self.stops.get(arena, {}) for arena in arenas}

    async def shown(self, partitions: Iterable[int]) -> dict[int, Shown]:
        self._check()
        return {partition: Shown(self.counted[partition]) for partition in partitions if partition in self.counted}

    async def history(self, arena: str) -> dict[str, bytes | None]:
        self._check()
        return self.parts

    def _check(self) -> None:
        if self.away:
            raise SourceAway("it was switched off")


@dataclass
class Still:
    """Kafka that says what a test says."""

    away: str | None = None
    asked: bool = True
    unreadable: str | None = None
    lag: float | None = 0.0
    lags: dict[str, float] = field(default_factory=dict)
    """Of arenas that are further behind."""

    def lag_of(self, arena: str, now: float) -> float | None:
        return self.lags.get(arena, self.lag)

    async def run(self) -> None:
        await asyncio.Event().wait()


@dataclass
class TestBoard:
    """The application while it runs, and what it reads."""

    __test__ = False

    app: Starlette
    client: httpx.AsyncClient
    source: Dictionaries
    kafka: Still
    metrics: Metrics
    past: PastAlerts = field(default_factory=PastAlerts)

    @property
    def views(self) -> Views:
        views: Views = self.app.state.views
        return views

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def lose_redis(self) -> None:
        self.source.cut()
        await eventually_async(lambda: self.views.gone_since is not None)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def published() -> Dictionaries:
    """One arena with two boards, fairness and no alert."""
    source = Dictionaries()
    source.boards["text"] = {"overall": board(), "language:German": board("birch", name="language:German")}
    source.judged["text"] = (fairness_view(), alerts_view())
    return source


@pytest.fixture
async def make_board(published: Dictionaries) -> AsyncIterator[Callable[..., Any]]:
    """A function that runs a board, by default until it has read everything."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(*, wait: bool = True, more: Sequence[Any] = ()) -> TestBoard:
            kafka, metrics, kept = Still(), Metrics(), []

            def new_kafka(settings: KafkaSettings, past: PastAlerts, hub: Hub, *_: object) -> Still:
                kept.append(past)
                return kafka

            settings = Settings(board=BoardSettings(public_url="https://board.example"))
            app = create_board(settings, metrics, source=published, new_kafka=new_kafka, more=more)
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board")
            await stack.enter_async_context(client)
            made = TestBoard(app, client, published, kafka, metrics, kept[0])
            if wait:
                await eventually_async(lambda: made.views.known)
            return made

        yield make


@pytest.fixture
async def running(make_board: Callable[..., Any]) -> TestBoard:
    made: TestBoard = await make_board()
    return made
