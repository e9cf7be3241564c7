"""The world: a scenario with a seed and a number of battles, rehearsed once to find its errors and its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from services.simulate.arena import Arena
from services.simulate.errors import ScenarioError
from services.simulate.events import Outage
from services.simulate.ground_truth import ModelTruth, Truth, TruthEvent
from services.simulate.scenario import Scenario
from services.simulate.timeline import Step, write_script
from streams.contracts.vote import is_arena

BLOCK = 16_384
"""Battles drawn at once. Changing this changes the output of every seed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The steps that happen before one battle is drawn."""

    battle: int
    steps: tuple[Step, ...]


class World:
    """A scenario that has been checked to play to its end.

    Parameters
    ----------
    scenario
        The scenario to play.
    seed
        Not negative.
    battles
        Battles to draw; the scenario's own number unless given. With the same seed, a longer run starts with the same
        records as a shorter one.
    arena
        Name of the arena; the scenario's own unless given.

    Raises
    ------
    ScenarioError
        When a step cannot apply, or fewer than two models are left to draw.
    """

    def __init__(self, scenario: Scenario, seed: int, battles: int | None = None, arena: str | None = None) -> None:
        if seed < 0:
            raise ScenarioError(f"seed: {seed} is negative")
        self.scenario, self.seed = scenario, seed
        self.battles = scenario.battles if battles is None else battles
        self.arena = scenario.arena if arena is None else arena
        if not is_arena(self.arena):
            raise ScenarioError(f"arena: {self.arena!r} is not 1 to 32 of a-z, 0-9, - and _")
        rehearsed = self.enter()
        # Script one block beyond the last battle: the end of the last block must not depend on the number of battles.
        steps = write_script(scenario, rehearsed.cast, seed, self.battles + BLOCK)
        turns = [Turn(battle, tuple(each)) for battle, each in groupby(steps, key=lambda step: step.battle)]
        self.turns = [turn for turn in turns if turn.battle < self.battles]
        self.after = next((turn.battle for turn in turns if turn.battle >= self.battles), None)
        """Battle of the first turn after the played ones; None if no turn follows within a block."""
        self.truth = self._rehearse(rehearsed)

    def enter(self) -> Arena:
        """Return the arena before its first battle."""
        return Arena.start(self.scenario, self.arena, self.seed)

    @property
    def seconds(self) -> float:
        """Estimated duration in seconds of simulated time, rather too long than too short."""
        clock, hours = self.scenario.clock, 0.0
        for turn in self.turns:
            hours += sum(step.what.hours for step in turn.steps if isinstance(step.what, Outage))
        scatter = 4 * self.battles**0.5 if clock.arrivals == "poisson" else 0.0
        return (self.battles + scatter) * 86_400 / clock.per_day + hours * 3_600 + 1

    def _rehearse(self, arena: Arena) -> Truth:
        done = list(_play(arena, self.turns))
        fates = {member.name: _fate(member.name, arena, done) for member in arena.cast if _met(member.name, done)}
        return Truth(
            scenario=self.scenario.name,
            arena=self.arena,
            seed=self.seed,
            battles=self.battles,
            events=done,
            models=fates,
        )


def _play(arena: Arena, turns: list[Turn]) -> Iterator[TruthEvent]:
    if not turns or turns[0].battle > 0:
        raise ScenarioError("models: none joins at battle 0")
    for turn in turns:
        for step in turn.steps:
            yield from arena.apply(step, lambda: 0.0)[1]
        if (arena.drawn > 0).sum() < 2:
            where = turn.steps[-1].where
            raise ScenarioError(f"{where}: fewer than two models are left to draw at battle {turn.battle}")


def _met(name: str, done: list[TruthEvent]) -> bool:
    return any(name in each.models or name == each.detail.get("published_as") for each in done)


def _fate(name: str, arena: Arena, done: list[TruthEvent]) -> ModelTruth:
    member = arena.member(name)
    return ModelTruth(
        provider=member.provider,
        license=member.license,
        family=member.family,
        deeds=[(each.battle, each.deed) for each in done if name in each.models],
    )
