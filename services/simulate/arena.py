"""The state of the arena: its models, their declarations, and the sampler's real weights; steps change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from services.simulate import events
from services.simulate.conditions import Conditions
from services.simulate.errors import ScenarioError
from services.simulate.ground_truth import Deed, TruthEvent
from services.simulate.models import Member, make_cast, published
from services.simulate.scenario import Scenario
from services.simulate.seeds import SeedStream, random_of
from services.simulate.timeline import End, Join, Step
from streams.contracts.model import Model

Declaration = tuple[str, Model | None]
"""A record of the models topic: a model name and its declaration; None is a tombstone."""


Done = tuple[list[Member], TruthEvent]
"""Members whose record changes, and the event for the truth."""


@dataclass(slots=True)
class Arena:
    """An arena while its scenario is played.

    Parameters
    ----------
    scenario, name
        The scenario, and the arena's name in the records.
    seed
        Seed of the random numbers.
    cast
        The models; steps change them.
    """

    scenario: Scenario
    name: str
    seed: int
    cast: list[Member]
    conditions: Conditions
    _reweigh: dict[str, np.random.Generator] = field(default_factory=dict)

    @classmethod
    def start(cls, scenario: Scenario, name: str, seed: int) -> Arena:
        """Return the arena before its first step: no model has joined yet."""
        cast = make_cast(scenario, random_of(seed, SeedStream.CAST))
        cast += published(scenario, cast)
        return cls(scenario, name, seed, cast, Conditions(scenario.prompts.reuse if scenario.prompts else 0.0))

    @property
    def names(self) -> list[str]:
        """The name of every model in the scenario, in the order of the arrays."""
        return [member.name for member in self.cast]

    def member(self, name: str) -> Member:
        """Return the model with this name."""
        return next(member for member in self.cast if member.name == name)

    @property
    def drawn(self) -> np.ndarray:
        """float64[M], the weights that the sampler uses."""
        return np.array([member.drawn for member in self.cast])

    @property
    def strength(self) -> np.ndarray:
        """float64[M], points."""
        return np.array([member.strength for member in self.cast])

    @property
    def finish(self) -> np.ndarray:
        """float64[M], each model's factor of the probability that its battle is finished."""
        return np.array([member.finish for member in self.cast])

    def apply(self, step: Step, clock: Callable[[], float]) -> tuple[list[Declaration], list[TruthEvent]]:
        """Apply a step.

        Parameters
        ----------
        clock
            Returns the time of each declaration.

        Returns
        -------
        The declarations, in order, and the events for the truth.

        Raises
        ------
        ScenarioError
            When the step cannot apply to one of its models.
        """
        if isinstance(step.what.of if isinstance(step.what, End) else step.what, events.ATTACKS):
            return [], self._attack(step)
        if not isinstance(step.what, events.Reweigh) and not step.members:
            return [], self.conditions.apply(step)
        if isinstance(step.what, events.Reweigh):
            step = replace(step, members=tuple(self._pick(step.where, step.what)))
        return self._to_members(step, clock)

    def _attack(self, step: Step) -> list[TruthEvent]:
        for member in step.members:
            if not self.member(member.name).joined:
                raise ScenarioError(f"{step.where}: {member.name!r} is not in the arena at battle {step.battle}")
        chosen = {member.name for member in step.members} or set(self.names)
        who = np.array([name in chosen for name in self.names])
        # Models attacked one after the other have random numbers of their own.
        part = int(step.where[7:-1]) + 10_000 * int(who.argmax())
        return self.conditions.attack(step, who, random_of(self.seed, SeedStream.ATTACKS, part))

    def _to_members(self, step: Step, clock: Callable[[], float]) -> tuple[list[Declaration], list[TruthEvent]]:
        declared: list[Declaration] = []
        done: list[TruthEvent] = []
        for actor in step.members:
            member = self.member(actor.name)
            if isinstance(step.what, events.Restore) and not member.removed:
                continue
            if not member.joined and not isinstance(step.what, Join):
                raise ScenarioError(f"{step.where}: {member.name!r} is not in the arena at battle {step.battle}")
            changed, what = _carry_out(self, step, member, actor)
            done.append(what)
            told = [each for each in changed if each.registered or isinstance(step.what, events.Unregister)]
            declared += [(each.name, self._record(each, clock())) for each in told]
        return declared, _merged(done)

    def _record(self, member: Member, now: float) -> Model | None:
        if not member.registered:
            return None
        if member.status == "deprecated" and member.announced_at is None:
            member.announced_at = now
        return Model(
            arena=self.name,
            model=member.name,
            provider=member.provider,
            license=member.license,
            visibility=member.visibility,
            status=member.status,
            weight=0.0 if member.status == "retired" else member.weight,
            tstamp=now,
            family=member.family,
            announced_at=member.announced_at,
            reason=member.reason,
        )

    def _pick(self, where: str, reweigh: events.Reweigh) -> list[Member]:
        """Choose models in play, each returned with its new weight."""
        random = self._reweigh.setdefault(where, random_of(self.seed, SeedStream.REWEIGH, int(where[7:-1])))
        able = [each for each in self.cast if each.drawn > 0 and each.registered and each.status == "active"]
        chosen = random.permutation(len(able))[: reweigh.count].tolist()
        picked = []
        for member in (able[at] for at in sorted(chosen)):
            others = [weight for weight in reweigh.weights if weight != member.weight] or reweigh.weights
            picked.append(replace(member, weight=others[int(random.integers(len(others)))]))
        return picked


def _happening(step: Step, deed: Deed, *names: str, **detail: float | str) -> TruthEvent:
    """Make the event for the truth, at the step's battle."""
    return TruthEvent(battle=step.battle, deed=deed, models=list(names), detail=detail)


def _carry_out(arena: Arena, step: Step, member: Member, actor: Member) -> Done:
    """Apply a step to a member; `actor` is the member as given by the step (with its new weight, if reweighed).

    Raises
    ------
    ScenarioError
        When the step cannot apply to this member.
    """
    name = member.name
    if member.status == "retired" and not isinstance(step.what, events.Unregister):
        raise ScenarioError(f"{step.where}: {name!r} is retired already")
    match step.what:
        case Join():
            member.joined, member.registered = True, not member.undeclared
            if member.undeclared:
                return [], _happening(step, Deed.UNDECLARED, name, weight=member.weight)
            if member.share != 1:
                return [member], _happening(step, Deed.SHARE, name, factor=member.share)
            return [member], _happening(step, Deed.JOINED, name)
        case events.ChangeWeight(weight=weight):
            if weight:
                member.weight = weight
                return [member], _happening(step, Deed.WEIGHT, name, weight=weight)
            deed = _end(arena, step, member)
            member.weight = 0.0
            return [member], _happening(step, deed, name, how="weight_0")
        case events.Reweigh():
            member.weight = actor.weight
            return [member], _happening(step, Deed.WEIGHT, name, weight=member.weight)
        case events.Share(factor=factor):
            member.share = factor
            return [], _happening(step, Deed.SHARE, name, factor=factor)
        case events.Remove():
            if not member.registered or member.status != "active":
                raise ScenarioError(f"{step.where}: {name!r} is not active, so its removal is not silent")
            member.removed = True
            return [], _happening(step, Deed.SILENT_REMOVAL, name)
        case events.Restore():
            member.removed = False
            return [], _happening(step, Deed.RESTORED, name)
        case events.Deprecate(reason=reason):
            member.deprecated_at = step.battle if member.deprecated_at is None else member.deprecated_at
            member.status, member.reason = "deprecated", reason
            return [member], _happening(step, Deed.ANNOUNCED, name)
        case events.Retire(reason=reason):
            deed = _end(arena, step, member)
            member.status, member.reason = "retired", reason or member.reason
            return [member], _happening(step, deed, name, how="retired")
        case events.Unregister(keep=keep):
            deed = Deed.UNREGISTERED if member.status == "retired" else _end(arena, step, member)
            member.registered, member.joined = False, keep
            return [member], _happening(step, Deed.UNDECLARED if keep else deed, name, how="unregistered")
        case events.Publish(name=other):
            return _publish(arena, step, member, other)
        case events.Finish(factor=factor):
            member.finish = factor
            return [], _happening(step, Deed.FINISH, name, factor=factor)
        case events.Strength(by=points):
            member.strength += points
            return [], _happening(step, Deed.STRENGTH, name, by=points)
    raise AssertionError(step.what)


def _merged(done: Sequence[TruthEvent]) -> list[TruthEvent]:
    """Merge consecutive events with the same deed and detail into one event about all their models."""
    merged: list[TruthEvent] = []
    for each in done:
        if merged and merged[-1].deed == each.deed and merged[-1].detail == each.detail:
            merged[-1].models += each.models
        else:
            merged.append(each)
    return merged


def _end(arena: Arena, step: Step, member: Member) -> Deed:
    """Classify the end of a model: withdrawn if private, else announced or not, by whether the notice came in time."""
    if member.visibility == "private":
        return Deed.WITHDRAWN
    scenario = arena.scenario
    owed = ceil(scenario.notice_days * scenario.clock.per_day)
    announced = member.deprecated_at is not None and step.battle - member.deprecated_at >= owed
    return Deed.RETIRED_ANNOUNCED if announced else Deed.RETIRED_UNANNOUNCED


def _publish(arena: Arena, step: Step, member: Member, other: str | None) -> Done:
    if member.visibility == "public":
        raise ScenarioError(f"{step.where}: {member.name!r} is public already")
    if other is None:
        member.visibility = "public"
        return [member], _happening(step, Deed.PUBLISHED, member.name)
    public = arena.member(other)
    public.provider, public.license, public.family = member.provider, member.license, member.family
    public.strength, public.finish, public.weight, public.share = (
        member.strength,
        member.finish,
        member.weight,
        member.share,
    )
    public.visibility, public.joined, public.registered = "public", True, True
    member.status = "retired"
    return [public, member], _happening(step, Deed.PUBLISHED, member.name, published_as=other)
