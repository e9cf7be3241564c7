"""The cast: every model of a scenario, with its declaration and its true properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.simulate import events
from services.simulate.errors import ScenarioError
from services.simulate.scenario import ModelGroup, Scenario, StrengthSpread
from streams.contracts.model import License, Status, Visibility

NEVER = -1
"""`joins_at` of a model that joins only by an event."""


@dataclass(slots=True)
class Member:
    """One model.

    The registry holds `weight`, `status` and `visibility` while `registered`. The sampler deviates from the registry by
    `share` (a factor) and by `removed`; `joined` is true while the model is in the arena.
    """

    name: str
    provider: str
    license: License
    visibility: Visibility
    family: str | None
    strength: float
    finish: float
    weight: float
    share: float
    undeclared: bool
    joins_at: int
    where: str
    status: Status = "active"
    joined: bool = False
    registered: bool = False
    removed: bool = False
    deprecated_at: int | None = None
    announced_at: float | None = None
    reason: str | None = None

    @property
    def drawn(self) -> float:
        """The weight that the sampler really uses."""
        in_play = self.joined and not self.removed and self.status != "retired"
        return self.weight * self.share if in_play else 0.0


def make_cast(scenario: Scenario, random: np.random.Generator) -> list[Member]:
    """Make the models of all groups, in the order of the file.

    Raises
    ------
    ScenarioError
        When two models have the same name.
    """
    cast = [member for at, group in enumerate(scenario.models) for member in _members(group, f"models[{at}]", random)]
    seen: set[str] = set()
    for member in cast:
        if member.name in seen:
            raise ScenarioError(f"{member.where}.name: there is another model {member.name!r}")
        seen.add(member.name)
    return cast


def published(scenario: Scenario, cast: Sequence[Member]) -> list[Member]:
    """Return members for the names under which private variants will be published; publishing sets their properties."""
    known = {member.name for member in cast}
    added = []
    for number, event in enumerate(scenario.events):
        if isinstance(event, events.Publish) and event.name:
            if event.name in known:
                raise ScenarioError(f"events[{number}].as: there is another model {event.name!r}")
            known.add(event.name)
            added.append(
                replace(cast[0], name=event.name, where=f"events[{number}].as", undeclared=False, joins_at=NEVER)
            )
    return added


def _members(group: ModelGroup, where: str, random: np.random.Generator) -> list[Member]:
    strengths = _strengths(group, random)
    labs = _providers(group)
    weights = group.weight if isinstance(group.weight, list) else [group.weight]
    licenses = group.license if isinstance(group.license, list) else [group.license]
    width = len(str(group.count))
    return [
        Member(
            name=group.name if group.count == 1 else f"{group.name}-{number + 1:0{width}}",
            provider=labs[number % len(labs)],
            license=licenses[number % len(licenses)],
            visibility=group.visibility,
            family=group.family,
            strength=float(strengths[number]),
            finish=group.finish,
            weight=weights[number % len(weights)],
            share=group.share,
            undeclared=group.undeclared,
            joins_at=group.at + number * group.every,
            where=where,
        )
        for number in range(group.count)
    ]


def _strengths(group: ModelGroup, random: np.random.Generator) -> np.ndarray:
    if isinstance(group.strength, StrengthSpread):
        return random.normal(group.strength.mean, group.strength.sd, group.count).round(2)
    return np.full(group.count, group.strength)


def _providers(group: ModelGroup) -> list[str]:
    names = group.provider if isinstance(group.provider, list) else [group.provider]
    if group.providers == 1:
        return names
    width = len(str(group.providers))
    return [f"{name}-{number + 1:0{width}}" for number in range(group.providers) for name in names]
