"""Summary of a simulation and list of the scenarios, as text and as data."""

from __future__ import annotations

from collections import Counter
from typing import TypedDict

from rich.table import Table

from services.simulate.load import load_scenario, shipped
from services.simulate.simulation import Simulation


class RunCounts(TypedDict):
    """Counts of a finished simulation, as printed in JSON."""

    scenario: str
    arena: str
    seed: int
    battles: int
    rows: int
    notices: int
    seconds: float
    models: int
    healthy: int
    deeds: dict[str, int]


class ScenarioLine(TypedDict):
    """One shipped scenario, as listed in JSON."""

    name: str
    about: str
    expect: str
    battles: int


def summary(simulation: Simulation, took: float) -> RunCounts:
    """Return counts of a finished simulation: `deeds` counts models for each deed, or events for arena-wide deeds."""
    truth = simulation.truth
    deeds: Counter[str] = Counter()
    for fate in truth.models.values():
        deeds.update({deed.value for _, deed in fate.deeds})
    deeds.update(each.deed.value for each in truth.events if not each.models)
    return {
        "scenario": truth.scenario,
        "arena": truth.arena,
        "seed": truth.seed,
        "battles": simulation.drawn,
        "rows": simulation.rows,
        "notices": simulation.notices,
        "seconds": round(took, 2),
        "models": len(truth.models),
        "healthy": len(truth.healthy),
        "deeds": dict(sorted(deeds.items())),
    }


def in_words(said: RunCounts) -> str:
    """Format a summary as one sentence."""
    deeds = ", ".join(f"{count} {deed.replace('_', ' ')}" for deed, count in said["deeds"].items())
    return (
        f"{said['scenario']}, seed {said['seed']}: {said['battles']:,} battles, {said['rows']:,} votes,"
        f" {said['notices']:,} records of the registry in {said['seconds']:.1f} s; {said['models']} models,"
        f" {said['healthy']} healthy; {deeds}"
    )


def listing() -> list[ScenarioLine]:
    """Return the shipped scenarios as data."""
    found = [load_scenario(name) for name in shipped()]
    return [{"name": each.name, "about": each.about, "expect": each.expect, "battles": each.battles} for each in found]


def listing_table() -> Table:
    """Return the shipped scenarios as a table."""
    table = Table(header_style="bold")
    for heading in ("scenario", "what it is", "what should be seen", "battles"):
        table.add_column(heading, justify="right" if heading == "battles" else "left", no_wrap=heading == "scenario")
    for each in listing():
        table.add_row(each["name"], each["about"], each["expect"], f"{each['battles']:,}")
    return table
