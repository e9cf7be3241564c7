"""What our clients need of aiokafka's inside, and would miss silently."""

import inspect
from collections.abc import Iterator
from types import CodeType
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import OffsetAndMetadata


def names_in(function: Any) -> set[str]:
    """Attributes and globals that a function names, and the functions inside it."""

    def codes(code: CodeType) -> Iterator[CodeType]:
        yield code
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                yield from codes(inner)

    return {name for code in codes(function.__code__) for name in code.co_names}


def test_the_wait_of_fetches_for_unread_partitions_still_has_the_name_that_is_set() -> None:
    # `Log.run` sets it to 0; under another name the setting would do nothing, and fetches would wait for 100 ms.
    assert "_prefetch_backoff" in Fetcher.__init__.__code__.co_names


def test_the_wait_of_a_fetch_is_read_anew_for_each_request() -> None:
    # `Log` sets it: longer while a broker brings nothing although there is something.
    assert "_fetch_max_wait_ms" in names_in(Fetcher._get_actions_per_node)


def test_a_consumer_keeps_its_fetcher_its_coordinator_and_its_client_where_we_look_for_them() -> None:
    assert {"_fetcher", "_coordinator", "_client"} <= names_in(AIOKafkaConsumer.start)


def test_a_consumer_says_where_we_look_whether_partitions_are_being_moved() -> None:
    assert "_subscription" in names_in(AIOKafkaConsumer.__init__)
    assert isinstance(SubscriptionState.reassignment_in_progress, property)


def test_committed_offsets_come_with_their_metadata() -> None:
    # It says whose commit it is; aiokafka's public `committed` leaves it away.
    assert list(inspect.signature(GroupCoordinator.fetch_committed_offsets).parameters) == ["self", "partitions"]
    assert inspect.iscoroutinefunction(GroupCoordinator.fetch_committed_offsets)
    assert "OffsetAndMetadata" in names_in(GroupCoordinator._do_fetch_commit_offsets)
    assert OffsetAndMetadata._fields == ("offset", "metadata")


def test_a_consumer_s_client_sends_any_request_to_a_node() -> None:
    assert list(inspect.signature(AIOKafkaClient.send).parameters)[:3] == ["self", "node_id", "request"]
    assert inspect.iscoroutinefunction(AIOKafkaClient.send)
    assert inspect.iscoroutinefunction(AIOKafkaClient.fetch_all_metadata)
    wanted = ["max_wait_time", "min_bytes", "max_bytes", "isolation_level", "topics"]
    assert list(inspect.signature(FetchRequest).parameters)[:5] == wanted


@pytest.mark.parametrize("partition", [0, 7])
def test_who_leads_a_partition_that_nobody_knows_is_none(partition: int) -> None:
    assert ClusterMetadata().leader_for_partition(TopicPartition("votes", partition)) is None
