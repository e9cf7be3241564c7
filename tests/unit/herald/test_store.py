"""The state behind the subscription routes stays connected: it starts anew as often as Kafka goes away."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from services.herald.api import store
from services.herald.api.store import SubscriptionStore
from services.kafka.reader import make_reader
from services.local.ports import HOST, free_port
from streams.contracts.setting_groups import KafkaSettings


async def test_the_topics_are_tried_again_until_kafka_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried, thrice = [], asyncio.Event()

    def counted(settings: KafkaSettings) -> AIOKafkaConsumer:
        tried.append(settings)
        if len(tried) == 3:
            thrice.set()
        return make_reader(settings)

    monkeypatch.setattr(store, "make_reader", counted)
    monkeypatch.setattr(store, "AGAIN_SECONDS", 0.0)
    made = SubscriptionStore(KafkaSettings(bootstrap=f"{HOST}:{free_port()}"))
    async with asyncio.timeout(60):
        staying = asyncio.create_task(made._stay())
        waiting = asyncio.create_task(thrice.wait())
        await asyncio.wait({staying, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not staying.done(), "it goes on for as long as the process"
    staying.cancel()
    waiting.cancel()
    await asyncio.wait({staying, waiting})
    assert "cannot read the subscriptions, retrying" in caplog.text
