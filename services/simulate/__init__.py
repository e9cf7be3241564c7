"""Simulated arenas: from a scenario (the models and what is done to them), produce a ledger and the truth."""

from services.simulate.errors import ScenarioError
from services.simulate.ground_truth import Deed, ModelTruth, Truth, TruthEvent
from services.simulate.load import load_scenario, read_scenario, shipped
from services.simulate.rehearsal import World
from services.simulate.scenario import Scenario
from services.simulate.simulation import Simulation, simulate

__all__ = [
    "Deed",
    "ModelTruth",
    "Scenario",
    "ScenarioError",
    "Simulation",
    "Truth",
    "TruthEvent",
    "World",
    "load_scenario",
    "read_scenario",
    "shipped",
    "simulate",
]
