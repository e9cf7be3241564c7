"""What a simulation did, and which scenarios there are, for a person and for a program."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.table import Table

from services.simulate.load import load_scenario, shipped
from services.simulate.simulation import Simulation


def summary(simulation: Simulation, took: float) -> dict[str, Any]:
    """Counts of a simulation that has ended: `deeds` are the models (or times, for the arena's) of each deed."""
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


def in_words(said: dict[str, Any]) -> str:
    """One sentence of a summary."""
    deeds = ", ".join(f"{count} {deed.replace('_', ' ')}" for deed, count in said["deeds"].items())
    return (
        f"{said['scenario']}, seed {said['seed']}: {said['battles']:,} battles, {said['rows']:,} votes,"
        f" {said['notices']:,} records of the registry in {said['seconds']:.1f} s; {said['models']} models,"
        f" {said['healthy']} healthy; {deeds}"
    )


def listing() -> list[dict[str, Any]]:
    """The scenarios that are shipped."""
    found = [load_scenario(name) for name in shipped()]
    return [{"name": each.name, "about": each.about, "expect": each.expect, "battles": each.battles} for each in found]


def listing_table() -> Table:
    """The scenarios that are shipped, as a table."""
    table = Table(header_style="bold")
    for heading in ("scenario", "what it is", "what should be seen", "battles"):
        table.add_column(heading, justify="right" if heading == "battles" else "left", no_wrap=heading == "scenario")
    for each in listing():
        table.add_row(each["name"], each["about"], each["expect"], f"{each['battles']:,}")
    return table
