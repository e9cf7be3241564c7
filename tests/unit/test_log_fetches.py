"""What our clients need of the inside of aiokafka and of Faust, and would miss silently."""

import inspect
from collections.abc import Iterator
from types import CodeType
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import OffsetAndMetadata
from faust.transport.base import Transport
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.kafka.dead_letters import _positions


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


def test_a_client_keeps_its_connections_and_what_each_broker_supports_where_we_look_for_them():
    # `is_embedded` reads both: the embedded broker is known by a request that it lacks.
    assert "_conns" in names_in(AIOKafkaClient.__init__)
    assert "_versions" in names_in(AIOKafkaConnection.__init__)
    assert "_versions" in names_in(AIOKafkaConnection._do_version_lookup)


def test_a_client_asks_for_the_metadata_of_all_topics_when_told_to():
    assert list(inspect.signature(AIOKafkaClient.force_metadata_update).parameters) == ["self"]


async def test_the_position_of_a_partition_is_read_without_waiting_for_one():
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    at, other = TopicPartition("votes", 0), TopicPartition("votes", 1)
    try:
        assert _positions(consumer, {at}) == {}, "nothing is assigned"
        consumer.assign([at, other])
        assert _positions(consumer, {at, other}) == {}, "no position is known"
        consumer._subscription.seek(at, 7)  # as `seek` of a consumer that is connected
        assert _positions(consumer, {at, other}) == {at: 7}
    finally:
        await consumer.stop()


def test_faust_calls_what_we_override_to_pass_over_batches_that_cannot_be_read():
    # Under another name ours would never be called, and such a batch would end the worker at each start.
    assert "_new_transport" in names_in(faust.App.transport.fget)
    assert "Consumer" in names_in(Transport.create_consumer)
    assert "_new_consumer_thread" in names_in(ThreadDelegateConsumer.__init__)
    assert "_fetch_records" in names_in(AIOKafkaConsumerThread.getmany)
    wanted = ["self", "consumer", "active_partitions", "timeout", "max_records"]
    assert list(inspect.signature(AIOKafkaConsumerThread._fetch_records).parameters) == wanted
