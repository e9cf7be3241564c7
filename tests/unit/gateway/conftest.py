"""A gateway without Kafka: its log is a list."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from services.gateway.app import create_gateway
from services.http.api_keys import new_key
from services.kafka.partition_queue import Record
from services.kafka.writer import Unavailable
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import GatewaySettings
from streams.contracts.settings import Settings


@dataclass
class ListLog:
    """Keeps what is written; refuses with `unavailable` when that is set."""

    written: list[tuple[str, bytes, bytes | None]] = field(default_factory=list)
    unavailable: Exception | None = None

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        yield

    def fault(self) -> str | None:
        return self.unavailable.detail if isinstance(self.unavailable, Unavailable) else None

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if self.unavailable is not None:
            raise self.unavailable
        self.written += [(topic, key, value) for key, value in records]


@dataclass
class Gateway:
    """The application, its log, its metrics and a client with a key for all arenas."""

    client: httpx.AsyncClient
    log: ListLog
    metrics: Metrics
    text_only: dict[str, str]

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def make_gateway(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Gateway]]]:
    """A function that makes a gateway with some settings changed."""
    secret, line = new_key("all", "*")
    text_secret, text_line = new_key("text-only", "text,other")
    keys = tmp_path / "keys"
    keys.write_text(f"# who sends\n{line}\n{text_line}\n")

    async with contextlib.AsyncExitStack() as stack:

        async def make(**changes: object) -> Gateway:
            settings = Settings(gateway=replace(GatewaySettings(api_keys_file=keys), **changes))
            log, metrics = ListLog(), Metrics()
            transport = httpx.ASGITransport(create_gateway(settings, metrics, log=log))
            client = httpx.AsyncClient(
                transport=transport, base_url="http://gateway", headers={"Authorization": f"Bearer {secret}"}
            )
            await stack.enter_async_context(client)
            return Gateway(client, log, metrics, {"Authorization": f"Bearer {text_secret}"})

        yield make


@pytest.fixture
async def gateway(make_gateway: Callable[..., Awaitable[Gateway]]) -> Gateway:
    return await make_gateway()


@pytest.fixture
def vote() -> Callable[..., bytes]:
    """A function that makes the JSON of one good vote, with fields changed or, as `None`, left out."""

    def make(**changes: object) -> bytes:
        fields = {
            "id": "v1",
            "model_a": "x",
            "model_b": "y",
            "winner": "model_a",
            "tstamp": time.time(),
        } | changes
        return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})

    return make
