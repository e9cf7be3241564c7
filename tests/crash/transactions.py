"""Transactions of a correct client: committed, aborted, and open while other clients write."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaProducer

from streams.contracts.topics import VOTES
from tests.crash.scene import Scene
from tests.crash.workload import ARENAS
from tests.support.pipeline import Vote, encode, make_votes

SIZE = 20
ROUNDS = 5
OPEN_SECONDS = 8.0


def transact(scene: Scene) -> None:
    """Write transactions one after the other; every other one is aborted, and the last stays open for a while."""
    books = scene.books
    identity = f"{scene.pipeline.topic_prefix}writer-{scene.rng.randrange(10**9)}"
    votes = make_votes((ROUNDS + 1) * SIZE, scene.rng.randrange(10**9), arenas=ARENAS)
    with closing(KafkaProducer(bootstrap_servers=scene.pipeline.bootstrap.split(","), transactional_id=identity)) as to:
        to.init_transactions()
        for number in range(ROUNDS):
            batch = votes[number * SIZE : (number + 1) * SIZE]
            _write(scene, to, batch)
            if number % 2:
                to.abort_transaction()
                books.aborted.update(vote["id"] for vote in batch)
            else:
                to.commit_transaction()
                books.acknowledged.update(vote["id"] for vote in batch)
        last = votes[ROUNDS * SIZE :]
        _write(scene, to, last)
        scene.log.say(f"a transaction is open for {OPEN_SECONDS:.0f} s")
        scene.watch(OPEN_SECONDS)
        to.commit_transaction()
        books.acknowledged.update(vote["id"] for vote in last)


def _write(scene: Scene, producer: KafkaProducer, batch: list[Vote]) -> None:
    producer.begin_transaction()
    scene.books.sent.update(vote["id"] for vote in batch)
    scene.own_votes.extend(batch)
    topic = scene.pipeline.settings.kafka.topic(VOTES.name)
    for future in [producer.send(topic, encode(vote), vote["id"].encode()) for vote in batch]:
        future.get(20)
