"""Fixtures for every test; a broker or a Redis starts only when a test asks for it."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support.stack import TestBroker, TestRedis, make_broker, make_redis

# A property says nothing of time, and a busy machine may take a second over what takes a millisecond.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python 3.0 be imported: it loads its protocol with functions that Python 3.11 deprecated."""
    config.addinivalue_line("filterwarnings", "ignore:(open|read)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestBroker]:
    """The broker that ISONOMY_TEST_BROKER (embedded, kafka, kafka3) or KAFKA_BOOTSTRAP_SERVERS names."""
    chosen = make_broker(tmp_path_factory.mktemp("broker"))
    if chosen.server is None:
        yield chosen
        return
    with chosen.server:
        yield chosen


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRedis]:
    """The Redis that REDIS_URL names, else one of our own."""
    chosen = make_redis(tmp_path_factory.mktemp("redis"))
    if chosen.server is None:
        yield chosen
        return
    with chosen.server:
        yield chosen


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and groups that no other test uses."""
    return f"t{secrets.token_hex(3)}."


@pytest.fixture
def redis_prefix() -> str:
    """A prefix for Redis keys that no other test uses."""
    return f"t{secrets.token_hex(3)}:"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `integration` whatever starts a server, so that `-m 'not integration'` starts nothing."""
    for item in items:
        if {"broker", "redis_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


SERVERS = {"tests/browser/": "crashes", "tests/crash/": "crashes", "tests/integration/": "servers"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In two processes (`-n 2`): what starts servers runs in two rooms, each in order, and the other files beside them.

    Servers wait most of the time. Browsers and crash suites look at clocks: they are in one room, so as not to measure
    each other.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            room = next((room for place, room in SERVERS.items() if nodeid.startswith(place)), None)
            return room or nodeid.partition("::")[0]

    return Rooms(config, log)
