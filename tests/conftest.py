"""Fixtures for every test; a broker or a Redis starts only when a test asks for it."""

import os
import secrets
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.stack import TestBroker, TestRedis, make_broker, make_redis

# A property says nothing of time, and a busy machine may take a second over what takes a millisecond. In CI the same
# examples come each time, or a change would be refused for what another one left.
settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="ISONOMY_SAME_EXAMPLES" in os.environ,
)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python 3.0 be imported: it loads its protocol with functions that Python 3.11 deprecated."""
    config.addinivalue_line("filterwarnings", "ignore:(open|read)_text is deprecated:DeprecationWarning")


class ClosesItself(socket.socket):
    """A socket of kafka-python: the library (3.0.12) leaves one to the collector if it is refused, or if its client is
    closed while it connects. Only those are excused: a warning of any other socket fails the test, as it should.
    """

    def __del__(self) -> None:
        self.close()


@pytest.fixture(scope="session", autouse=True)
def kafka_sockets_close_themselves() -> Iterator[None]:
    """A leaked socket of kafka-python fails no test, least of all the next one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kafka.net.inet.KafkaNetSocket.socket", lambda _, *kind: ClosesItself(*kind))
        yield


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
    """Mark as `integration` whatever starts a server, so that `-m 'not integration'` starts nothing.

    With ISONOMY_TEST_RERUNS those may fail so many times, each of which is listed: a shared machine stands still.
    """
    reruns = int(os.environ.get("ISONOMY_TEST_RERUNS", "0"))
    for item in items:
        if {"broker", "redis_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)
        if reruns and (item.get_closest_marker("integration") or item.get_closest_marker("crash")):
            item.add_marker(pytest.mark.flaky(reruns=reruns))


ROOMS = {
    "clocks": (
        "tests/browser/",
        "tests/crash/test_crash_herald.py",
        "tests/integration/test_board.py",
        "tests/integration/test_gateway_faults.py",
        "tests/integration/test_transactions.py",
    ),
    "falls": ("tests/crash/",),
}
"""What looks at clocks, and what keeps the processors busy while it kills and begins anew."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In three processes (`-n 3`) on two cores: what starts servers waits most of the time.

    Tests of one room run one after the other, so as not to measure each other. The other files go beside them, each as
    a whole.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            for room, places in ROOMS.items():
                if nodeid.startswith(places):
                    return room
            return nodeid.partition("::")[0]

    return Rooms(config, log)
