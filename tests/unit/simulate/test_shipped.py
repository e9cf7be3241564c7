"""The scenarios that are shipped: they play, are what they say, and every record of theirs is valid."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from services.simulate import load_scenario, shipped, simulate
from services.simulate.ground_truth import Deed
from services.simulate.records import Recorder
from services.simulate.scenario import FaultsSection
from streams.contracts.model import parse_model
from streams.contracts.vote import parse_vote
from streams.ledger.codec import Block

FAR = 2e9


def test_at_least_ten_are_shipped_and_say_what_they_are() -> None:
    scenarios = [load_scenario(name) for name in shipped()]
    assert len(scenarios) >= 10
    assert [each.name for each in scenarios] == shipped()
    assert all("\n" not in each.about and each.expect for each in scenarios)


@pytest.mark.parametrize("name", shipped())
def test_every_record_is_valid(name: str) -> None:
    """Every model record, and the votes of the first blocks, of some later ones and of the last."""
    scenario = msgspec.structs.replace(load_scenario(name), faults=FaultsSection())  # which are tested elsewhere
    battles = min(scenario.battles, 255_000)  # the attacks begin at 250,000
    simulation = simulate(scenario, 1, battles)
    recorder = Recorder(simulation.world, 0.0)
    keys: set[str] = set()
    last = 0
    for number, record in enumerate(simulation):
        if not isinstance(record, Block):
            key, value = recorder.model(record)
            assert value is None or parse_model(value.encode(), key.encode(), FAR).model == record.name
        elif simulation.drawn <= 20_000 or number % 40 == 0 or simulation.drawn == battles:
            votes = recorder.votes(replace(record, refused=None))  # those refused are tested elsewhere
            parsed = [parse_vote(value.encode(), FAR) for value in votes.values]
            assert [vote.id for vote in parsed] == votes.keys
            assert not keys & set(votes.keys)
            keys.update(votes.keys)
            last = simulation.rows
    assert last
    assert simulation.drawn == battles


def test_the_illusion_has_the_paper_s_proportions() -> None:
    simulation = simulate(load_scenario("the-illusion"), 7)
    truth = simulation.truth
    public = {name for name in truth.models if not name.startswith("variant")}
    announced = truth.of(Deed.RETIRED_ANNOUNCED)
    assert len(public) == 243
    assert len({truth.models[name].provider for name in public}) == 42
    assert Counter(truth.models[name].license for name in public)["open_weight"] == 83
    assert (len(truth.gone & public), len(announced), len(truth.silently_removed)) == (205, 47, 158)
    assert not truth.unannounced
    assert not set(announced) & set(truth.silently_removed)
    variants = set(truth.models) - public
    assert (len(variants), {truth.models[name].provider for name in variants}) == (27, {"open-01"})
    assert (len(truth.published), len(truth.withdrawn)) == (1, 26)
    assert len(truth.healthy & public) == 38
    shares: Counter[str] = Counter()
    for record in simulation:
        if isinstance(record, Block):
            rows = record.rows
            for codes in (rows.model_a, rows.model_b):
                for code, count in Counter(codes.tolist()).items():
                    shares[truth.models[rows.models[code]].provider] += count
            if simulation.drawn >= 100_000:
                break
    assert shares["first"] / shares.total() == pytest.approx(0.204, abs=0.02)
    assert shares["second"] / shares.total() == pytest.approx(0.192, abs=0.02)


def test_other_seeds_end_other_models() -> None:
    first, other = (simulate(load_scenario("the-illusion"), seed).truth for seed in (1, 2))
    assert set(first.silently_removed) != set(other.silently_removed)
