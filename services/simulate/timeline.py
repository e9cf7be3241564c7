"""The script: a scenario's events as steps in order of battles, each with the models that it applies to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from math import ceil

from services.simulate import events
from services.simulate.errors import ScenarioError
from services.simulate.models import NEVER, Member
from services.simulate.scenario import Scenario
from services.simulate.seeds import SeedStream, random_of

NOTICE_MARGIN = 1.01
"""A notice is given 1 % earlier than required, because the times of battles are not exact to the second."""


@dataclass(frozen=True, slots=True)
class Join:
    """Models join the arena, and the registry unless they are undeclared."""


@dataclass(frozen=True, slots=True)
class End:
    """A flood, a run of zeros or an attack ends."""

    of: events.Event


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens before battle `battle` is drawn; `where` is its key in the scenario."""

    battle: int
    what: events.Event | Join | End
    members: tuple[Member, ...]
    where: str


def write_script(scenario: Scenario, cast: Sequence[Member], seed: int, battles: int) -> list[Step]:
    """Expand a scenario's events up to a number of battles.

    Raises
    ------
    ScenarioError
        When an event names unknown models, or a notice would have to come before its models join.
    """
    joining = [member for member in cast if member.joins_at != NEVER]
    steps = [
        Step(battle, Join(), tuple(members), where)
        for (battle, where), members in groupby(joining, key=lambda member: (member.joins_at, member.where))
    ]
    named: set[str] = set()
    for number, event in enumerate(scenario.events):
        where = f"events[{number}]"
        if isinstance(event, events.Chosen):
            chosen = _choose(event, where, cast, named, seed, number)
            named.update(member.name for member in chosen)
            steps += _in_turn(event, where, chosen, scenario)
        else:
            if isinstance(event, events.Flood) and event.favours not in (None, *(member.name for member in cast)):
                raise ScenarioError(f"{where}.favours: there is no model {event.favours!r}")
            steps += _of_the_arena(event, where, battles)
    # The sort is stable: events at the same battle keep their order in the file.
    return sorted((step for step in steps if step.battle < battles), key=lambda step: step.battle)


def _choose(
    event: events.Chosen, where: str, cast: Sequence[Member], named: set[str], seed: int, number: int
) -> list[Member]:
    patterns = [event.models] if isinstance(event.models, str) else event.models
    for pattern in patterns:
        if not any(fnmatchcase(member.name, pattern) for member in cast):
            raise ScenarioError(f"{where}.models: no model matches {pattern!r}")
    found = [
        member
        for member in cast
        if any(fnmatchcase(member.name, pattern) for pattern in patterns)
        and event.provider in (None, member.provider)
        and event.license in (None, member.license)
        and (member.name in patterns if member.joins_at == NEVER else member.joins_at <= event.at)
    ]
    if not found:
        raise ScenarioError(f"{where}: none of these models is in the arena by battle {event.at}")
    if event.count is None:
        return found
    fresh = [member for member in found if member.name not in named and member.joins_at != NEVER]
    if event.count > len(fresh):
        raise ScenarioError(f"{where}.count: {event.count} models are asked for, {len(fresh)} are left to choose from")
    order = random_of(seed, SeedStream.SCRIPT, number).permutation(len(fresh))[: event.count]
    return [fresh[at] for at in order]


def _in_turn(event: events.Event, where: str, chosen: list[Member], scenario: Scenario) -> Iterator[Step]:
    assert isinstance(event, events.Chosen)  # noqa: S101 -- for the type checker
    if isinstance(event, events.Publish) and event.name and len(chosen) > 1:
        raise ScenarioError(f"{where}.as: {len(chosen)} models cannot be published under one name")
    together = [(event.at, tuple(chosen))] if not event.every else []
    apart = [(event.at + turn * event.every, (member,)) for turn, member in enumerate(chosen)] if event.every else []
    for battle, members in together + apart:
        if isinstance(event, events.Retire) and event.notice_days is not None:
            notice = battle - ceil(event.notice_days * scenario.clock.per_day * NOTICE_MARGIN)
            since = max(member.joins_at for member in members)
            if notice < since:
                raise ScenarioError(
                    f"{where}.at: a notice of {event.notice_days:g} days needs battle {battle - notice + since} or more"
                )
            yield Step(notice, events.Deprecate(at=notice, reason=event.reason), members, where)
        if isinstance(event, events.Ramp):
            yield from _climb(event, battle, members, where)
            continue
        yield Step(battle, event, members, where)
        if isinstance(event, events.Attack) and event.battles is not None:
            yield Step(battle + event.battles, End(event), members, where)


def _climb(ramp: events.Ramp, since: int, members: tuple[Member, ...], where: str) -> Iterator[Step]:
    """Cut a ramp into steps; the first is taken at its beginning."""
    for number in range(ramp.steps):
        battle = since + ramp.battles * number // ramp.steps
        factor = 1 + (ramp.factor - 1) * (number + 1) / ramp.steps
        yield Step(battle, events.Share(at=battle, factor=factor), members, where)


def _of_the_arena(event: events.Event, where: str, battles: int) -> Iterator[Step]:
    yield Step(event.at, event, (), where)
    if isinstance(event, events.Flood | events.Zeros | events.Invent):
        yield Step(event.at + event.battles, End(event), (), where)
    elif isinstance(event, events.Reweigh) and event.every:
        until = battles if event.until is None else min(event.until, battles)
        for battle in range(event.at + event.every, until, event.every):
            yield Step(battle, event, (), where)
