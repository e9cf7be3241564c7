"""Lost votes: who is told when votes are refused or battles end without one, and that each is counted once."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Kind, Status, Subject
from streams.fairness.alerts.summaries import as_number
from streams.fairness.detectors.catalog import BY_KIND
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger import codec
from streams.ledger.codec import Block, Notice, decode, encode_block
from streams.ledger.refused import Refused
from streams.ledger.rows import code
from streams.ledger.watermark import Watermark, count_rows, unknown_refused, unknown_rows
from tests.unit.fairness.arena import SECONDS, START, Ledger, draw_pairs, equal_arena, make_rows

BRISK = FairnessSettings(review_battles=2_000, ratings_reviews=50, window_reviews=2)
MODELS = 10


class Gate:
    """An arena of ten models whose votes a gate loses: battles end without a vote, or their votes are refused."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.ledger: Ledger = equal_arena(MODELS, settings=BRISK)
        self.rows, self.clock, self.blocks = 0, START, list[Block]()

    def battles(self, n: int, none: float = 0.1, refuse: float = 0.0, only: int | None = None) -> list[Alert]:
        """Play n battles; `none` and `refuse` are chances, with `only` for battles with that model."""
        told = len(self.ledger.alerts)
        pairs = draw_pairs(self.random, np.ones(MODELS), n)
        hit = np.ones(n, bool) if only is None else (pairs == only).any(axis=1)
        winner = np.where(self.random.random(n) < np.where(hit, none, 0.1), 4, self.random.integers(0, 2, n))
        lost = hit & (self.random.random(n) < refuse)
        times = (self.clock + SECONDS * np.arange(1, n + 1)).astype(np.float64)
        self.clock = float(times[-1])
        kept = ~lost
        rows = make_rows(self.ledger.names, pairs[kept], winner[kept], times[kept])
        offset = self.rows + np.arange(n)
        rows.offset[:] = offset[kept]
        self.rows += n
        where = np.flatnonzero(lost)
        block = Block("text", rows, {0: self.rows - 1}, _refused(pairs[where], offset[where], np.cumsum(kept)[where]))
        self.blocks.append(block)
        self.ledger.send(block)
        return [alert for alert in self.ledger.alerts[told:] if alert.kind is Kind.VOTE_LOSS]


def _refused(pairs: NDArray[np.float64], offset: NDArray[np.int64], place: NDArray[np.int64]) -> Refused | None:
    n = len(offset)
    models, both = code([f"model-{int(each):03}" for each in pairs.T.ravel().tolist()], first=[""])
    zeros = np.zeros(n, np.int32)
    return Refused(["invalid_field"], zeros, models, both[:n], both[n:], zeros, offset, place) if n else None


def test_further_rows_without_a_vote_never_make_more_unfinished_battles_than_battles() -> None:
    random, ledger = np.random.default_rng(1), equal_arena(MODELS, settings=BRISK)
    for review in range(22):
        of = np.repeat(np.arange(2_000), 3)
        pairs = draw_pairs(random, np.ones(MODELS), 2_000)[of]
        winner = np.where(random.random(2_000) < 0.6, 4, 0)[of]
        rows = make_rows(ledger.names, pairs, winner, START + SECONDS * (2_000 * review + of), 6_000 * review)
        words = ["", *(f"battle-{review}-{number}" for number in range(2_000))]
        rows = replace(rows, battles=words, battle=(of + 1).astype(np.int32))
        ledger.send(Block("text", rows, {0: 6_000 * (review + 1) - 1}))
    [losses] = [ledger.state.states.of(each) for each in BY_KIND if each.kind is Kind.VOTE_LOSS]
    assert losses.by_arena.learned.all()
    assert (losses.by_arena.hits <= losses.by_arena.trials).all()
    assert np.isfinite(losses.by_arena.bound(BRISK.delta)).all()


def test_a_gate_before_one_model_is_told_of_the_model_and_ends() -> None:
    gate = Gate(1)
    assert gate.battles(60_000) == []
    (alert,) = gate.battles(8_000, none=0.3, only=4)
    assert (alert.subject, alert.evidence["lost"]) == (Subject(model="model-004"), "unfinished")
    assert as_number(alert.evidence["share"]) > 0.2 > as_number(alert.evidence["bound"]) > 0.1
    (over,) = gate.battles(20_000)
    assert (over.id, over.status) == (alert.id, Status.RESOLVED)


def test_a_gate_before_everybody_is_one_alert_of_the_arena() -> None:
    gate = Gate(2)
    gate.battles(60_000)
    assert [alert.subject for alert in gate.battles(8_000, none=0.3)] == [Subject()]


def test_votes_that_are_refused_more_than_usual_are_told_with_their_reason() -> None:
    gate = Gate(3)
    assert gate.battles(60_000, refuse=0.002) == []
    (alert,) = gate.battles(8_000, refuse=0.05)
    assert alert.subject == Subject()
    assert (alert.evidence["lost"], alert.evidence["reason"]) == ("refused", "invalid_field")
    assert "of the votes in arena text are refused as invalid_field" in alert.summary


def test_refused_votes_of_one_model_are_told_of_the_model() -> None:
    gate = Gate(4)
    gate.battles(60_000, refuse=0.002)
    assert [alert.subject for alert in gate.battles(8_000, refuse=0.1, only=7)] == [Subject(model="model-007")]


def test_refused_votes_count_the_same_however_blocks_are_cut() -> None:
    gate = Gate(5)
    gate.battles(60_000, refuse=0.002)
    gate.battles(9_000, refuse=0.05)
    again = ArenaFairness.start("text", BRISK)
    alerts = list[Alert]()
    random = np.random.default_rng(1)
    for record in gate.ledger.records:
        pieces = [record] if isinstance(record, Notice) else _cut_at_random(record, random)
        for piece in pieces:
            alerts += fold(again, piece)
            alerts += fold(again, piece)  # as after a crash of intake
    assert alerts == gate.ledger.alerts


def _cut_at_random(block: Block, random: np.random.Generator) -> list[Block]:
    """Pieces of a block with all refused votes at their places among the rows."""
    refused, rows, pieces, at = block.refused, block.rows, list[Block](), 0
    while at < len(rows):
        to = min(len(rows), at + int(random.integers(1, 3_000)))
        mine = (refused.place > at) & (refused.place <= to) if at else refused.place <= to
        part = refused.take(mine, refused.place[mine] - at)
        last = max(int(rows.offset[to - 1]), int(part.offset.max(initial=-1)))
        pieces.append(Block(block.arena, rows.take(slice(at, to)), {0: last}, part))
        at = to
    return pieces


@settings(deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=4), st.integers(300, 5_000)
)
def test_each_refused_vote_counts_once_after_any_cut_and_repetition(
    chosen: list[bool], again: list[int], limit: int
) -> None:
    lost = np.array(chosen, bool)
    offset, where = np.arange(len(lost)), np.flatnonzero(lost)
    pairs = np.stack([offset % 5, offset % 5 + 1], axis=1).reshape(-1, 2)
    kept = ~lost
    rows = make_rows([f"model-{each:03}" for each in range(6)], pairs[kept], np.zeros(kept.sum()), np.ones(kept.sum()))
    rows.offset[:] = offset[kept]
    place = np.cumsum(kept)[where] if len(where) else np.zeros(0, np.int64)
    whole = Block("text", rows, {0: len(lost) - 1}, _refused(pairs[where].astype(np.float64), offset[where], place))
    records = _encode_small(whole, limit)
    for number in again:  # intake starts over somewhere and writes the rest again
        records += records[number % len(records) :]
    watermark: Watermark = {}
    rows_seen, refused_seen = list[int](), list[int]()
    for record in records:
        block = decode(record)
        assert isinstance(block, Block)
        new, found = unknown_rows(block, watermark), unknown_refused(block, watermark)
        rows_seen += new.offset.tolist()
        refused_seen += [] if found is None else found.offset.tolist()
        count_rows(block, watermark)
    assert rows_seen == offset[kept].tolist()
    assert refused_seen == where.tolist()


def _encode_small(block: Block, limit: int) -> list[bytes]:
    before, codec.MAX_BLOCK_BYTES = codec.MAX_BLOCK_BYTES, limit
    try:
        return encode_block(block)
    finally:
        codec.MAX_BLOCK_BYTES = before
