"""Deeds: what each kind of event does to one model, in the registry, in the sampler, and for the record."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from services.simulate import events
from services.simulate.errors import ScenarioError
from services.simulate.ground_truth import Deed, Happening
from services.simulate.models import Member
from services.simulate.timeline import Join, Step

if TYPE_CHECKING:
    from services.simulate.arena import Arena

Done = tuple[list[Member], Happening]
"""Members whose record changes, and what was done."""


def of(step: Step, deed: Deed, *names: str, **detail: float | str) -> Happening:
    """What was done, at the step's battle."""
    return Happening(battle=step.battle, deed=deed, models=list(names), detail=detail)


def do(arena: Arena, step: Step, member: Member, actor: Member) -> Done:
    """Let a step happen to a member; `actor` is the member as the step has it (what it is to become, if reweighed).

    Raises
    ------
    ScenarioError
        When it cannot.
    """
    name = member.name
    if member.status == "retired" and not isinstance(step.what, events.Unregister):
        raise ScenarioError(f"{step.where}: {name!r} is retired already")
    match step.what:
        case Join():
            member.joined, member.registered = True, not member.undeclared
            if member.undeclared:
                return [], of(step, Deed.UNDECLARED, name, weight=member.weight)
            if member.share != 1:
                return [member], of(step, Deed.SHARE, name, factor=member.share)
            return [member], of(step, Deed.JOINED, name)
        case events.Weight(weight=weight):
            if weight:
                member.weight = weight
                return [member], of(step, Deed.WEIGHT, name, weight=weight)
            deed = _end(arena, step, member)
            member.weight = 0.0
            return [member], of(step, deed, name, how="weight_0")
        case events.Reweigh():
            member.weight = actor.weight
            return [member], of(step, Deed.WEIGHT, name, weight=member.weight)
        case events.Share(factor=factor):
            member.share = factor
            return [], of(step, Deed.SHARE, name, factor=factor)
        case events.Remove():
            if not member.registered or member.status != "active":
                raise ScenarioError(f"{step.where}: {name!r} is not active, so its removal is not silent")
            member.removed = True
            return [], of(step, Deed.SILENT_REMOVAL, name)
        case events.Restore():
            member.removed = False
            return [], of(step, Deed.RESTORED, name)
        case events.Deprecate(reason=reason):
            member.deprecated_at = step.battle if member.deprecated_at is None else member.deprecated_at
            member.status, member.reason = "deprecated", reason
            return [member], of(step, Deed.ANNOUNCED, name)
        case events.Retire(reason=reason):
            deed = _end(arena, step, member)
            member.status, member.reason = "retired", reason or member.reason
            return [member], of(step, deed, name, how="retired")
        case events.Unregister(keep=keep):
            deed = Deed.UNREGISTERED if member.status == "retired" else _end(arena, step, member)
            member.registered, member.joined = False, keep
            return [member], of(step, Deed.UNDECLARED if keep else deed, name, how="unregistered")
        case events.Publish(name=other):
            return _publish(arena, step, member, other)
        case events.Finish(factor=factor):
            member.finish = factor
            return [], of(step, Deed.FINISH, name, factor=factor)
        case events.Strength(by=points):
            member.strength += points
            return [], of(step, Deed.STRENGTH, name, by=points)
    raise AssertionError(step.what)


def merge(done: Sequence[Happening]) -> list[Happening]:
    """Tell as one what was done to several models alike."""
    merged: list[Happening] = []
    for each in done:
        if merged and merged[-1].deed == each.deed and merged[-1].detail == each.detail:
            merged[-1].models += each.models
        else:
            merged.append(each)
    return merged


def _end(arena: Arena, step: Step, member: Member) -> Deed:
    """How the end of a model is to be judged: was it public, and was the notice that was owed given?"""
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
        return [member], of(step, Deed.PUBLISHED, member.name)
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
    return [public, member], of(step, Deed.PUBLISHED, member.name, published_as=other)
