"""Compile the functions of the fold that `tick_update.warm` leaves, before the first record: it takes seconds."""

from __future__ import annotations

import numpy as np

from streams.contracts.alert import Kind
from streams.contracts.model import Model
from streams.contracts.vote import Vote
from streams.fairness.arena.bunches import LOOK, Bunches
from streams.fairness.detectors import side_preference
from streams.fairness.detectors.catalog import DETECTORS
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.sparse_cusum import FIRST_SLOTS, SparseCusum, place_all
from streams.ledger.codec import Block, Notice, decode, encode_block
from streams.ledger.rows import rows_of


def warm_up() -> None:
    """Fold three reviews of a made-up arena, as the ledger's codec gives them: arrays of those types are compiled.

    A review of votes that name no draw, one of votes with voters and prompts, one with the ids of draws, too. Blocks
    of one tick are folded as well: ticks that do not come together are run one by one.
    """
    for size in (32, 2):
        _fold(FairnessSettings(tick_battles=2, review_battles=8, ratings_reviews=1), size)
    Bunches().weigh(np.ones(2 * LOOK, np.uint64), np.zeros(2 * LOOK, np.bool_))  # for the first estimates
    # For the day on which a table of voters, or a memory of votes, grows.
    n = FIRST_SLOTS
    SparseCusum.start(1).update(
        np.arange(1, n + 1, dtype=np.uint64), np.full(n, 0.5), np.ones(n, np.bool_), np.array([0.9]), np.zeros(n), 1e9
    )
    place_all(np.zeros(4, np.uint64), np.ones(1, np.uint64))


def _fold(settings: FairnessSettings, size: int) -> None:
    """Fold the made-up arena in blocks of so many rows."""
    state = ArenaFairness.start("warm", settings)
    for number, name in enumerate("abc"):
        model = Model(
            arena="warm", model=name, provider="p", license="open_weight", visibility="public", status="active",
            weight=1.0, tstamp=0.0,
        )  # fmt: skip
        fold(state, Notice("warm", name, model, 0, number, 0))
    # The usual share of left wins takes too many votes to learn here.
    learned = next(state.states.of(each) for each in DETECTORS if each.kind is Kind.SIDE_PREFERENCE)
    learned.left, learned.decisive = side_preference.LEARNING // 2, side_preference.LEARNING
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a"), ("c", "b"), ("a", "c")] * 4
    pairs.insert(21, pairs[20])  # a second vote on a draw: rows are then picked, not sliced
    votes = [
        Vote(
            id=f"{number}", arena="warm", model_a=a, model_b=b,
            winner="none" if number % 8 == 5 else "model_b" if number % 3 else "model_a",
            tstamp=float(number), language="x", categories=("y",), drawn_at=float(number), p_pair=1 / 3,
            voter=f"v{number}" if number >= 8 else None, prompt_hash=f"p{number}" if number >= 8 else None,
            battle=f"d{number - (number > 20)}" if number >= 16 else None,
        )
        for number, (a, b) in enumerate(pairs)
    ]  # fmt: skip
    n = len(votes)
    rows = rows_of(votes, np.zeros(n, np.int32), np.arange(n), np.arange(n))
    for at in range(0, n, size):
        for record in encode_block(Block("warm", rows.take(slice(at, at + size)), {0: min(at + size, n) - 1})):
            fold(state, decode(record))
