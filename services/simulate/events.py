"""The events of a scenario: what an arena does at a battle, honestly or not. A closed set, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.model import LARGEST_WEIGHT, LEAST_WEIGHT

_Battle = Annotated[int, Meta(ge=0)]
_Some = Annotated[int, Meta(ge=1)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Weight = Annotated[float, Meta(ge=0, le=LARGEST_WEIGHT)]
_Name = Annotated[str, Meta(min_length=1, max_length=128)]


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Something that happens at battle `at`: after so many battles were drawn."""

    at: _Battle


class Chosen(Base, frozen=True, kw_only=True):
    """Something that happens to models: all that match, or `count` of those that nothing before it in the file names.

    With `every`, to one after the other, so many battles apart.
    """

    models: _Name | Annotated[list[_Name], Meta(min_length=1)] = "*"
    provider: str | None = None
    license: str | None = None
    count: _Some | None = None
    every: _Battle = 0


class ChangeWeight(Chosen, frozen=True, kw_only=True, tag="weight"):
    """The weight is changed, in the registry and in the sampler."""

    weight: _Weight


class Reweigh(Base, frozen=True, kw_only=True, tag="reweigh"):
    """`count` models in play get a weight out of `weights`, declared as it should be; again each `every` battles."""

    weights: Annotated[list[Annotated[float, Meta(ge=LEAST_WEIGHT, le=LARGEST_WEIGHT)]], Meta(min_length=1)]
    count: _Some = 1
    every: _Battle = 0
    until: _Battle | None = None


class Share(Chosen, frozen=True, kw_only=True, tag="share"):
    """The sampler draws by `factor` times the declared weight."""

    factor: _Weight


class Remove(Chosen, frozen=True, kw_only=True, tag="remove"):
    """Silent removal: the sampler drops the model, the registry still says active."""


class Restore(Chosen, frozen=True, kw_only=True, tag="restore"):
    """The sampler draws a silently removed model again."""


class Deprecate(Chosen, frozen=True, kw_only=True, tag="deprecate"):
    """The end is announced; the model is still drawn."""

    reason: str | None = None


class Retire(Chosen, frozen=True, kw_only=True, tag="retire"):
    """The model is retired; `notice_days` announces it so long before, without it nothing is said beforehand."""

    notice_days: Annotated[float, Meta(gt=0)] | None = None
    reason: str | None = None


class Unregister(Chosen, frozen=True, kw_only=True, tag="unregister"):
    """The model's record is deleted (a tombstone); with `keep` the sampler draws it all the same."""

    keep: bool = False


class Publish(Chosen, frozen=True, kw_only=True, tag="publish"):
    """A private variant is made public, under its own name or as another (`as`), for which it is then retired."""

    name: _Name | None = msgspec.field(default=None, name="as")


class Finish(Chosen, frozen=True, kw_only=True, tag="finish"):
    """People finish a battle with the model with this chance, where the others have 1."""

    factor: _Share


class Strength(Chosen, frozen=True, kw_only=True, tag="strength"):
    """The model answers better or worse by so many points, under the same name."""

    by: float


class Reuse(Base, frozen=True, kw_only=True, tag="prompts"):
    """The share of prompts that repeat an earlier one changes."""

    reuse: _Share


class Flood(Base, frozen=True, kw_only=True, tag="flood"):
    """A `share` of so many battles comes from one voter, with few prompts, for one model where it takes part."""

    battles: _Some
    share: _Share = 0.5
    voter: Annotated[str, Meta(max_length=64)] = "flood"
    prompts: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    favours: _Name | None = None


class Outage(Base, frozen=True, kw_only=True, tag="outage"):
    """No battle at all for so many hours."""

    hours: Annotated[float, Meta(gt=0)]


class Zeros(Base, frozen=True, kw_only=True, tag="zeros"):
    """For so many battles every record says `none`: the feed goes on and carries nothing."""

    battles: _Some


Event = (
    ChangeWeight
    | Reweigh
    | Share
    | Remove
    | Restore
    | Deprecate
    | Retire
    | Unregister
    | Publish
    | Finish
    | Strength
    | Reuse
    | Flood
    | Outage
    | Zeros
)
