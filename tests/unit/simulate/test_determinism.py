"""A seed means the same records, in whatever number, and another seed means others."""

import numpy as np
import pytest

from services.simulate import load_scenario, simulate
from streams.ledger.codec import Block, Notice, encode_block, encode_notice
from streams.ledger.faults import find_fault
from tests.unit.simulate.making import TEN, event, play

EVERYTHING = (
    "[voters]\ncount = 50\n[prompts]\nreuse = 0.3\nwindow = 100\n[languages]\nen = 0.5\nde = 0.3\n"
    '[categories]\ncode = 0.5\n[votes]\nfinish = 0.8\np_pair = true\n[clock]\narrivals = "poisson"\n'
    + TEN
    + event("flood", 7_000, battles=3_000)
    + event("reweigh", 20_000, every=9_000, weights=[1, 2])
)
COLUMNS = ("model_a", "model_b", "winner", "tstamp", "voter", "language", "categories", "p_pair", "offset")


def in_bytes(record: Block | Notice) -> bytes:
    return b"".join(encode_block(record)) if isinstance(record, Block) else encode_notice(record)


def test_a_seed_repeats_byte_for_byte() -> None:
    first, again = (play(EVERYTHING, seed=5, battles=40_000).records for _ in range(2))
    assert list(map(in_bytes, first)) == list(map(in_bytes, again))


def test_another_seed_is_another_arena() -> None:
    first, other = play(EVERYTHING, 1, 5_000), play(EVERYTHING, 2, 5_000)
    assert (first.column("model_a") != other.column("model_a")).mean() > 0.5


@pytest.mark.parametrize("battles", [1, 6_999, 7_001, 18_000, 20_000, 28_999])
def test_a_longer_run_begins_with_the_shorter(battles: int) -> None:
    """Where blocks are cut depends on the script alone."""
    short, long = play(EVERYTHING, 3, battles), play(EVERYTHING, 3, 40_000)
    for column in COLUMNS:
        np.testing.assert_array_equal(short.column(column), long.column(column)[:battles])
    assert [rows for rows, _ in short.notices] == [rows for rows, _ in long.notices][: len(short.notices)]


def test_what_is_drawn_besides_changes_no_battle() -> None:
    plain, rich = play(TEN, 4, 20_000), play("[voters]\ncount = 9\n[languages]\nen = 0.5\n" + TEN, 4, 20_000)
    for column in ("model_a", "model_b", "winner"):
        np.testing.assert_array_equal(plain.column(column), rich.column(column))


@pytest.mark.parametrize("partitions", [1, 4])
def test_blocks_are_what_a_ledger_takes(partitions: int) -> None:
    played = play(EVERYTHING, 1, 40_000, partitions=partitions)
    for record in played.records:
        if isinstance(record, Block):
            assert find_fault(record.rows, record.through) is None
    places = set(zip(played.column("partition").tolist(), played.column("offset").tolist(), strict=True))
    assert len(places) == 40_000
    assert {partition for partition, _ in places} == set(range(partitions))


def test_times_ascend_and_notices_lie_between_the_votes() -> None:
    clock = -1.0
    for record in play(EVERYTHING, 1, 40_000).records:
        if isinstance(record, Block):
            assert record.rows.tstamp[0] >= clock
            assert (np.diff(record.rows.tstamp) >= 0).all()
            clock = float(record.rows.tstamp[-1])
        else:
            assert record.model.tstamp > clock
            clock = record.model.tstamp


def test_the_clock_is_the_scenario_s_or_as_asked() -> None:
    scenario = load_scenario("healthy")
    rows = next(record.rows for record in simulate(scenario, 0, 100, start=1e9) if isinstance(record, Block))
    assert rows.tstamp[0] == pytest.approx(1e9 + 0.864 + 0.12, abs=0.01)
    np.testing.assert_allclose(np.diff(rows.tstamp), 0.864, atol=0.0011)
