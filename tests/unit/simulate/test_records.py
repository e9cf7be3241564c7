"""Records say what the ledger records say; faults are as many as ordered, each refused for what is wrong with it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from services.simulate import World, read_scenario, simulate
from services.simulate.records import Recorder
from services.simulate.simulation import Simulation
from streams.contracts.reasons import Reason
from streams.contracts.vote import InvalidRecord, parse_vote
from streams.intake.decode import decode
from streams.intake.records import Records
from streams.ledger.codec import Block
from streams.ledger.rows import rows_of
from tests.unit.simulate.making import HEAD, TEN, event

FAR = 2e9
RICH = (
    '[voters]\ncount = 50\n[prompts]\nreuse = 0.3\n[languages]\nen = 0.5\n"d\\"e" = 0.3\n[categories]\ncode = 0.5\n'
    "[votes]\nfinish = 0.8\np_pair = true\n" + TEN + event("flood", 4_000, battles=3_000, voter='say "no"')
)


def simulation_of(text: str, seed: int = 0, battles: int = 10_000) -> Simulation:
    return simulate(read_scenario(HEAD + text), seed, battles)


def recorder_of(simulation: Simulation) -> Recorder:
    return Recorder(simulation.world, simulation.world.scenario.clock.start)


def words(codes, dictionary):
    return [dictionary[0]] * 1 if codes is None else [dictionary[code] for code in codes.tolist()]


def test_records_read_back_are_the_rows() -> None:
    simulation = simulation_of(RICH)
    recorder = recorder_of(simulation)
    for record in simulation:
        if not isinstance(record, Block):
            continue
        rows = record.rows
        votes = [parse_vote(value.encode(), FAR) for value in recorder.votes(record).values]
        back = rows_of(votes, rows.partition, rows.offset, rows.recorded)
        for codes, dictionary in (
            ("model_a", "models"), ("model_b", "models"), ("voter", "voters"), ("prompt", "prompts"),
            ("language", "languages"), ("categories", "category_sets"),
        ):  # fmt: skip
            assert words(getattr(back, codes), getattr(back, dictionary)) == words(
                getattr(rows, codes), getattr(rows, dictionary)
            )
        for column in ("winner", "tstamp", "p_pair"):
            np.testing.assert_array_equal(getattr(back, column), getattr(rows, column))


def test_intake_refuses_the_votes_of_a_gate_as_the_ledger_says() -> None:
    simulation = simulation_of(TEN + event("lose", 2_000, part=0.3, to="refused"))
    recorder, told = recorder_of(simulation), 0
    for block in (record for record in simulation if isinstance(record, Block)):
        records = recorder.votes(block)
        made = Records(
            keys=[key.encode() for key in records.keys],
            values=[value.encode() for value in records.values],
            partition=np.zeros(len(records.keys), np.int32),
            offset=np.sort(np.append(block.rows.offset, [] if block.refused is None else block.refused.offset)),
            recorded=np.full(len(records.keys), int(FAR * 1_000)),
        )
        found = decode(made)
        assert len(found.rows) == len(block.rows)
        if block.refused is None:
            assert not found.rejects
            continue
        told += len(found.rejects)
        assert {reject.reason for reject in found.rejects} == {Reason.UNKNOWN_WINNER}
        assert [(made.offset[reject.index], *reject.models) for reject in found.rejects] == [
            (offset, block.refused.models[a], block.refused.models[b])
            for offset, a, b in zip(
                block.refused.offset.tolist(),
                block.refused.model_a.tolist(),
                block.refused.model_b.tolist(),
                strict=True,
            )
        ]
    assert 2_200 < told < 2_600


def test_draws_are_in_the_records() -> None:
    block = next(record for record in simulation_of(TEN) if isinstance(record, Block))
    n = len(block.rows)
    drawn_at = np.where(np.arange(n) % 3 == 0, np.nan, block.rows.tstamp - 1.25)
    battle = np.arange(n, dtype=np.int32) % 3
    rows = replace(block.rows, battles=["", "d1", 'd"2'], battle=battle, drawn_at=drawn_at)
    recorder = recorder_of(simulation_of(TEN))
    votes = [parse_vote(value.encode(), FAR) for value in recorder.votes(replace(block, rows=rows)).values]
    back = rows_of(votes, rows.partition, rows.offset, rows.recorded)
    assert [vote.battle for vote in votes] == [rows.battles[code] or None for code in battle.tolist()]
    np.testing.assert_array_equal(back.drawn_at, drawn_at)


def test_ids_repeat_with_the_simulation_and_with_no_other() -> None:
    def prefix(text: str, seed: int = 0, start: float = 0.0, arena: str | None = None) -> str:
        return Recorder(World(read_scenario(HEAD + text), seed, arena=arena), start)._prefix

    same = prefix(TEN)
    assert prefix(TEN) == same
    others = {prefix(TEN, 1), prefix(TEN, 0, 1.0), prefix(TEN, arena="other"), prefix(TEN + "weight = 2\n")}
    assert len(others - {same}) == 4


def test_faults_are_as_many_as_ordered_and_of_every_kind() -> None:
    simulation = simulation_of("[faults]\nduplicates = 0.1\ngarbage = 0.05\n" + TEN, battles=50_000)
    recorder = recorder_of(simulation)
    seen, refused, known = 0, Counter(), set()
    for record in simulation:
        if isinstance(record, Block):
            votes = recorder.votes(record)
            for key, value in zip(votes.keys, votes.values, strict=True):
                try:
                    vote = parse_vote(value.encode(), FAR)
                except InvalidRecord as invalid:
                    refused[invalid.reason] += 1
                    continue
                if vote.id != key:
                    refused[Reason.KEY_MISMATCH] += 1
                    continue
                seen += key in known
                known.add(key)
    assert len(known) == 50_000
    assert seen == pytest.approx(5_000, abs=300)
    assert refused.total() == pytest.approx(2_500, abs=250)
    assert len(refused) >= 5


def test_faults_change_no_vote() -> None:
    plain = simulation_of(TEN)
    dirty = simulation_of("[faults]\nduplicates = 0.1\n" + TEN)
    first, second = (next(record.rows for record in each if isinstance(record, Block)) for each in (plain, dirty))
    np.testing.assert_array_equal(first.model_a, second.model_a)
