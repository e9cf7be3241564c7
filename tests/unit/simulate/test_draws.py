"""Several votes on one draw, late votes and voters in sessions: their means, their order, and what records say."""

import numpy as np
import pytest

from services.simulate import World, read_scenario, simulate
from services.simulate.records import Recorder
from streams.contracts.vote import NONE, parse_vote
from streams.ledger.codec import Block
from streams.ledger.rows import Rows, find_fault, rows_of
from tests.unit.simulate.making import HEAD, TEN, event, play

VOTERS = "[voters]\ncount = 500\n"
PROMPTS = "[prompts]\nreuse = 0.1\n"


def words(rows: Rows) -> list[str]:
    """The ids of the draws of rows that have them."""
    assert rows.battle is not None
    return [rows.battles[code] for code in rows.battle.tolist()]


def test_votes_of_one_draw_share_everything_but_winner_and_prompt() -> None:
    played = play("[draws]\nvotes = 3\n" + VOTERS + PROMPTS + TEN, battles=20_000)
    assert played.drawn == 20_000
    assert len(played.column("winner")) == pytest.approx(60_000, rel=0.02)
    same = np.diff(played.column("battle")) == 0
    assert same.mean() == pytest.approx(2 / 3, abs=0.02)
    for column in ("model_a", "model_b", "voter", "drawn_at"):
        assert (np.diff(played.column(column))[same] == 0).all()
    assert (np.diff(played.column("prompt"))[same] != 0).mean() > 0.8
    assert (np.diff(played.column("winner").astype(int))[same] != 0).mean() > 0.3


def test_draws_are_those_of_the_arena_with_one_vote_each() -> None:
    one, many = play(TEN, 3, 10_000), play("[draws]\nvotes = 1.5\n" + TEN, 3, 10_000)
    first = np.diff(many.column("battle"), prepend=-1) != 0
    np.testing.assert_array_equal(one.column("model_a"), many.column("model_a")[first])


def test_ids_and_times_of_draws_are_sent_as_asked() -> None:
    played = play("[draws]\nvotes = 2\nbattle = false\ndrawn_at = false\n" + TEN, battles=1_000)
    assert [(rows.battle, rows.drawn_at) for rows in played.blocks] == [(None, None)]
    assert len(played.column("winner")) > 1_500


def test_only_the_first_vote_of_a_draw_can_be_missing() -> None:
    played = play("[draws]\nvotes = 3\n[votes]\nfinish = 0.7\n" + TEN, battles=5_000)
    winner, later = played.column("winner"), np.diff(played.column("battle"), prepend=-1) == 0
    assert (winner[later] != NONE).all()
    assert (winner[~later] == NONE).mean() == pytest.approx(0.3, abs=0.03)


def test_late_votes_come_in_the_order_of_their_times_past_the_notices() -> None:
    text = "[draws]\nvotes = 1.5\nlag = 300\n" + TEN + event("weight", 20_000, models="m-03", weight=0)
    played = play(text, battles=40_000, partitions=3)
    times, drawn = played.column("tstamp"), played.column("drawn_at")
    assert (np.diff(times) >= 0).all()
    assert (drawn <= times).all()
    ids = np.concatenate([words(rows) for rows in played.blocks])
    _, first = np.unique(ids, return_index=True)
    assert np.median((times - drawn)[first]) == pytest.approx(300, rel=0.05)
    assert np.std(np.log((times - drawn)[first])) == pytest.approx(1, abs=0.05)
    assert all(
        find_fault(record.rows, record.through) is None for record in played.records if isinstance(record, Block)
    )
    ((_, before), (rows, after)) = played.notices_of("m-03")
    assert before.model.tstamp < after.model.tstamp
    assert times[rows - 1] <= after.model.tstamp + 0.01
    late = played.shown("m-03", rows)
    assert 0 < late < 0.2  # votes on draws before the notice
    code = played.blocks[0].models.index("m-03")
    shown = (played.column("model_a") == code) | (played.column("model_b") == code)
    assert drawn[shown].max() <= after.model.tstamp


@pytest.mark.parametrize("battles", [1, 6_999, 20_000, 39_999])
def test_a_longer_run_begins_with_the_shorter_one(battles: int) -> None:
    text = "[draws]\nvotes = 1.5\nlag = 300\nsession = 5\n" + VOTERS + PROMPTS + TEN
    text += event("retell", 5_000, models="m-02", part=0.5) + event(
        "bots", 7_000, battles=20_000, votes=500, models="m-04"
    )
    short, long = play(text, 3, battles), play(text, 3, 60_000)
    n = len(short.column("winner")) if short.blocks else 0
    assert n <= len(long.column("winner"))
    for column in ("model_a", "winner", "tstamp", "drawn_at", "voter", "offset") if n else ():
        np.testing.assert_array_equal(short.column(column), long.column(column)[:n])


def test_voters_stay_for_a_session() -> None:
    many = "[voters]\ncount = 1_000_000\n" + TEN
    staying, alone = (
        np.unique(play(text + many, battles=50_000).column("voter"), return_counts=True)[1].mean()
        for text in ("[draws]\nsession = 6\n", "")
    )
    assert staying == pytest.approx(6, rel=0.05)
    assert alone < 1.1


def test_records_carry_the_draw() -> None:
    simulation = simulate(read_scenario(HEAD + "[draws]\nvotes = 2\nlag = 60\n" + VOTERS + TEN), 1, 3_000)
    recorder = Recorder(simulation.world, 0.0)
    for record in simulation:
        if isinstance(record, Block):
            rows = record.rows
            back = rows_of(
                [parse_vote(value.encode(), 2e9) for value in recorder.votes(record).values],
                rows.partition, rows.offset, rows.recorded,
            )  # fmt: skip
            assert words(back) == words(rows)
            assert back.drawn_at is not None
            assert rows.drawn_at is not None
            np.testing.assert_array_equal(back.drawn_at, rows.drawn_at)


def test_a_scenario_without_draws_keeps_the_ids_of_its_records() -> None:
    """The ids are made of the encoded scenario: what it does not say must not be in it."""
    assert Recorder(World(read_scenario(HEAD + TEN), 0), 0.0)._prefix == "sim-acd7cf04841f-"
