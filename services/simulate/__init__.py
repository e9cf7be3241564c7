"""Made-up arenas: a scenario says who takes part and what is done to whom; out come a ledger and the truth."""

from services.simulate.errors import ScenarioError
from services.simulate.load import load_scenario, read_scenario, shipped
from services.simulate.play import Simulation, simulate
from services.simulate.scenario import Scenario
from services.simulate.truth import Deed, Fate, Happening, Truth
from services.simulate.world import World

__all__ = [
    "Deed",
    "Fate",
    "Happening",
    "Scenario",
    "ScenarioError",
    "Simulation",
    "Truth",
    "World",
    "load_scenario",
    "read_scenario",
    "shipped",
    "simulate",
]
