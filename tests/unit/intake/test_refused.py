"""Refused votes in the ledger: named once with reason and models, at their place among the rows of their arena."""

import json

import numpy as np

from streams.intake.accept import PartitionMemory, accept
from streams.intake.dedup import SeenIds
from streams.intake.records import Records
from streams.intake.reject_limit import Refusals
from streams.ledger.codec import Block


def vote(number: int, **fields: object) -> tuple[bytes, bytes]:
    said = {"id": f"v{number}", "arena": "text", "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": 1.0}
    return f"v{number}".encode(), json.dumps(said | fields).encode()


def fetch(votes: list[tuple[bytes, bytes]], first: int = 0) -> Records:
    n = len(votes)
    offset, partition = np.arange(first, first + n), np.zeros(n, np.int32)
    return Records(
        [key for key, _ in votes],
        [value for _, value in votes],
        partition,
        offset,
        offset + 10**12,
    )


def memory() -> dict[int, PartitionMemory]:
    return {0: PartitionMemory(SeenIds(1_000, 1e9), Refusals(10, 0.5, 100), 0)}


def told(block: Block) -> list[tuple[int, str, str, str, int]]:
    refused = block.refused
    if refused is None:
        return []
    return [
        (
            int(refused.offset[at]),
            refused.reasons[refused.reason[at]],
            refused.models[refused.model_a[at]],
            refused.models[refused.model_b[at]],
            int(refused.place[at]),
        )
        for at in range(len(refused))
    ]


def test_refused_votes_stand_among_the_rows_of_their_arena() -> None:
    votes = [
        vote(0), vote(1, model_b="x"), vote(2, winner="zap"), vote(3, arena="code"), vote(4, arena="code", winner="q"),
        vote(5), vote(6, model_a=3),
    ]  # fmt: skip
    code, text = accept(fetch(votes), memory()).blocks
    assert told(code) == [(4, "unknown_winner", "x", "y", 1)]
    assert told(text) == [
        (1, "same_model", "x", "x", 1), (2, "unknown_winner", "x", "y", 1), (6, "invalid_model", "", "y", 2)
    ]  # fmt: skip


def test_a_refused_vote_alone_makes_a_block_only_of_an_arena_that_has_votes() -> None:
    sources = memory()
    assert accept(fetch([vote(0, arena="typo", winner="q")]), sources).blocks == []
    accept(fetch([vote(1)], first=1), sources)
    (block,) = accept(fetch([vote(2, winner="q")], first=2), sources).blocks
    assert (block.arena, len(block.rows), block.through) == ("text", 0, {0: 2})
    assert told(block) == [(2, "unknown_winner", "x", "y", 0)]


def test_without_refused_votes_a_block_has_none() -> None:
    (block,) = accept(fetch([vote(0), vote(1)]), memory()).blocks
    assert block.refused is None
