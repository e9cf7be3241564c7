"""The heart: whatever the owners do, every accepted vote counts exactly once."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.view import OVERALL, category_board, language_board
from streams.contracts.vote import WINNERS, Vote
from streams.ledger import codec
from streams.ledger.codec import Block, decode
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaState, fold
from streams.ratings.snapshot import Snapshots, decode_state
from tests.unit.folds.making import LIMITS, counts, everything
from tests.unit.folds.owners import World, accepted_votes, make_logs, run
from tests.unit.intake.making import seeded

seeds = st.integers(0, 2**32 - 1)


def expected(accepted: list[Vote], arena: str) -> Counter[Any]:
    """Counts of one arena, one vote after the other, in a dictionary."""
    tally = Counter[Any]()
    for vote in accepted:
        if vote.arena != arena:
            continue
        boards = {OVERALL} | {category_board(name) for name in vote.categories or () if name}
        if vote.language:
            boards.add(language_board(vote.language))
        for board in boards:
            tally[(board, vote.model_a, vote.model_b, WINNERS[vote.winner])] += 1
    return tally


def refold(arena: str, records: list[bytes]) -> ArenaState:
    state = ArenaState(arena)
    for record in records:
        fold(state, decode(record), LIMITS, interpreted)
        state.position += 1
    return state


def fold_with_restarts(arena: str, records: list[bytes], random: Random) -> ArenaState:
    """Fold, losing now and then what happened since the last save."""
    state, snapshots = ArenaState(arena), Snapshots()
    saved: dict[str, bytes] = {}
    unsaved: set[str] = set()
    for _ in range(10_000):
        if state.position == len(records):
            return state
        unsaved |= fold(state, decode(records[state.position]), LIMITS, interpreted).changed
        state.position += 1
        if random.random() < 0.2:
            saved |= snapshots.encode(state, unsaved)
            snapshots.saved()
            unsaved = set()
        if random.random() < 0.1:
            state, snapshots, unsaved = (decode_state(saved) if saved else ArenaState(arena)), Snapshots(), set()
    raise AssertionError("the fold never came to the end")


@pytest.mark.parametrize("block_bytes", [600, 1_000_000])
@settings(seeded, max_examples=50)
@given(seeds)
def test_every_accepted_vote_counts_exactly_once(block_bytes: int, seed: int) -> None:
    random = Random(seed)
    world = World(make_logs(random))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "MAX_BLOCK_BYTES", block_bytes)
        run(world, random)
    accepted, refused = accepted_votes(world.logs)
    assert world.refused == refused
    assert set(world.ledger) == {vote.arena for vote in accepted}
    for arena, records in world.ledger.items():
        state = refold(arena, records)
        assert counts(state) == expected(accepted, arena)
        assert everything(fold_with_restarts(arena, records, random)) == everything(state)


@settings(seeded, max_examples=40)
@given(seeds)
def test_one_owner_that_never_stops_gives_the_same(seed: int) -> None:
    random = Random(seed)
    world = World(make_logs(random), generation=8)
    run(world, random)
    accepted, _ = accepted_votes(world.logs)
    dropped = 0
    for arena, records in world.ledger.items():
        state = ArenaState(arena)
        dropped += sum(fold(state, decode(record), LIMITS, interpreted).dropped for record in records)
        assert counts(state) == expected(accepted, arena)
    assert dropped == 0


def test_the_owners_do_write_some_rows_twice() -> None:
    """Else the property above would hold for nothing."""
    rows = votes = 0
    for seed in range(10):
        random = Random(seed)
        world = World(make_logs(random))
        run(world, random)
        blocks = [decode(record) for records in world.ledger.values() for record in records]
        rows += sum(len(each.rows) for each in blocks if isinstance(each, Block))
        votes += len(accepted_votes(world.logs)[0])
    assert rows > 1.2 * votes
