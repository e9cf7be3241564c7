"""A new consumer group of intake with commits at offset 0."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.contracts.connect import aiokafka_options
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import MODELS, VOTES
from streams.kafka.clients import mark_of


async def begin_at_the_start(settings: KafkaSettings, group: str) -> None:
    """Commit offset 0 for a new group: without a commit intake continues from the position that the ledger shows."""
    consumer = AIOKafkaConsumer(**aiokafka_options(settings), group_id=settings.group(group), enable_auto_commit=False)
    await consumer.start()
    try:
        known = await consumer._client.fetch_all_metadata()
        topics = [settings.topic(topic.name) for topic in (VOTES, MODELS)]
        partitions = [TopicPartition(topic, number) for topic in topics for number in known.partitions_for_topic(topic)]
        consumer.assign(partitions)
        await consumer.commit({at: (0, mark_of(at, 0)) for at in partitions})
    finally:
        await consumer.stop()
