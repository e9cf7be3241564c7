"""The outcome of sent votes, as intake reports it, while others send to the same arena."""

import asyncio
import json

import pytest

from services.cli.account import IntakeAccount, IntakeOutcome, Written
from services.cli.send import VoteSender
from streams.contracts.settings import Settings
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, Pipeline, Vote, make_votes

pytestmark = pytest.mark.integration


async def send(settings: Settings, votes: list[Vote]) -> tuple[Written, dict[int, int]]:
    """Send them in at least two batches per partition; return their places."""
    async with VoteSender(settings.kafka) as sender:
        for part in (votes[: len(votes) // 2], votes[len(votes) // 2 :]):
            await sender.send([vote["id"].encode() for vote in part], [json.dumps(vote).encode() for vote in part])
            await sender.flush()
        return sender.written, sender.last


def test_counted_duplicates_and_refused_are_those_of_what_was_sent(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    settings = pipeline.settings
    votes = [vote | {"id": f"v{number}"} for number, vote in enumerate(make_votes(1_000, seed=5))]
    asyncio.run(send(settings, votes[:100]))  # sent before: duplicates when they come again
    mine = [*votes, votes[500]]
    mine += [vote_of(votes[501], id="named", anony=False), vote_of(votes[502], id="same", model_a="x", model_b="x ")]
    same_ids = [vote_of(vote, arena="code") for vote in votes[:50]]
    with IntakeAccount(settings.kafka, "text") as text, IntakeAccount(settings.kafka, "code") as code:
        of_text, last = asyncio.run(send(settings, mine))
        assert {at: max(each.stop for each in ranges) - 1 for at, ranges in of_text.items()} == last
        assert text.of(of_text) == IntakeOutcome(len(mine), 0, 0, {}, len(mine)), "no worker has taken anything yet"
        asyncio.run(send(settings, [vote_of(vote, id=f"other{vote['id']}") for vote in votes]))
        of_code, _ = asyncio.run(send(settings, same_ids))
        pipeline.worker().start().wait_ready()
        eventually(lambda: text.of(of_text).waiting + code.of(of_code).waiting == 0, COUNTED)
        assert text.of(of_text) == IntakeOutcome(1_003, 900, 101, {"not_anonymous": 1, "same_model": 1}, 0)
        assert code.of(of_code) == IntakeOutcome(50, 50, 0, {}, 0), "ids are those of an arena"


def vote_of(vote: Vote, **changes: object) -> Vote:
    """The same vote with some fields changed."""
    return vote | changes
