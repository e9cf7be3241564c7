"""The events of a scenario: what an arena does at a battle, fair or not. A closed set, distinguished by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.contracts.model import LARGEST_WEIGHT, LEAST_WEIGHT

_Battle = Annotated[int, Meta(ge=0)]
_Some = Annotated[int, Meta(ge=1)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Weight = Annotated[float, Meta(ge=0, le=LARGEST_WEIGHT)]
_Name = Annotated[str, Meta(min_length=1, max_length=128)]


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """An event at battle `at`: it happens after `at` battles have been drawn."""

    at: _Battle


class Chosen(Base, frozen=True, kw_only=True):
    """An event for models: all that match, or `count` of those that no earlier event in the file chose.

    With `every`, it applies to one model after the other, `every` battles apart.
    """

    models: _Name | Annotated[list[_Name], Meta(min_length=1)] = "*"
    provider: str | None = None
    license: str | None = None
    count: _Some | None = None
    every: _Battle = 0


class ChangeWeight(Chosen, frozen=True, kw_only=True, tag="weight"):
    """The weight changes, in the registry and in the sampler."""

    weight: _Weight


class Reweigh(Base, frozen=True, kw_only=True, tag="reweigh"):
    """`count` models in play get a declared weight from `weights`, again at intervals of `every` battles."""

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
    """The model's retirement is announced; the sampler still draws the model."""

    reason: str | None = None


class Retire(Chosen, frozen=True, kw_only=True, tag="retire"):
    """The model is retired, announced `notice_days` before; without `notice_days` it is not announced."""

    notice_days: Annotated[float, Meta(gt=0)] | None = None
    reason: str | None = None


class Unregister(Chosen, frozen=True, kw_only=True, tag="unregister"):
    """The model's record is deleted (a tombstone); with `keep` the sampler still draws the model."""

    keep: bool = False


class Publish(Chosen, frozen=True, kw_only=True, tag="publish"):
    """A private variant is made public, under its own name, or under a new one (`as`); then the variant is retired."""

    name: _Name | None = msgspec.field(default=None, name="as")


class Finish(Chosen, frozen=True, kw_only=True, tag="finish"):
    """People finish a battle with the model with probability `factor`, relative to 1 for other models."""

    factor: _Share


class Strength(Chosen, frozen=True, kw_only=True, tag="strength"):
    """The model's strength changes by `by` points, under the same name."""

    by: float


class Reuse(Base, frozen=True, kw_only=True, tag="prompts"):
    """The share of prompts that repeat an earlier one changes."""

    reuse: _Share


class Flood(Base, frozen=True, kw_only=True, tag="flood"):
    """In a `share` of the next `battles` battles, one voter with few prompts votes, for `favours` wherever it plays."""

    battles: _Some
    share: _Share = 0.5
    voter: Annotated[str, Meta(max_length=64)] = "flood"
    prompts: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    favours: _Name | None = None


class Outage(Base, frozen=True, kw_only=True, tag="outage"):
    """No battle for `hours` hours."""

    hours: Annotated[float, Meta(gt=0)]


class Zeros(Base, frozen=True, kw_only=True, tag="zeros"):
    """The next `battles` battles have the winner `none`: the feed continues without votes."""

    battles: _Some


class Ramp(Chosen, frozen=True, kw_only=True, tag="ramp"):
    """The sampler's factor goes in equal steps from 1 to `factor`, over `battles` battles."""

    factor: _Weight
    battles: _Some
    steps: Annotated[int, Meta(ge=1, le=1_000)] = 100


class Attack(Chosen, frozen=True, kw_only=True):
    """What is done to battles with the models, from `at` on, or in the next `battles` battles."""

    battles: _Some | None = None


class Pairing(Attack, frozen=True, kw_only=True, tag="pairing"):
    """The models keep their shares, and meet only the weaker (or the stronger) half of the others."""

    against: Literal["weaker", "stronger"] = "weaker"


class Side(Attack, frozen=True, kw_only=True, tag="side"):
    """A `part` of the models' battles on the other side are turned to this one: a is left, b is right."""

    side: Literal["a", "b"] = "a"
    part: _Share = 1.0


class Stratum(Attack, frozen=True, kw_only=True, tag="stratum"):
    """A `part` of the models' battles in one language or category are drawn in the others: their shares stay."""

    language: str | None = None
    category: str | None = None
    part: _Share = 1.0


Outcome = Literal["any", "win", "loss"]
"""Which of the models' battles: all that have a vote, those that they win, or those that they lose."""


class Lose(Attack, frozen=True, kw_only=True, tag="lose"):
    """A `part` of the models' votes with this outcome are lost.

    `to`: `away`, no record is sent; `none`, the record says that nobody voted; `again`, the battle is fought again, so
    that the models' shares stay; `refused`, the record has a winner that intake does not know.
    """

    outcome: Outcome = "any"
    part: Annotated[float, Meta(gt=0, le=1)]
    to: Literal["away", "none", "again", "refused"] = "away"


class Retell(Attack, frozen=True, kw_only=True, tag="retell"):
    """A `part` of the models' votes with this outcome are sent twice, under another id, about `seconds` s later."""

    outcome: Outcome = "win"
    part: Annotated[float, Meta(gt=0, le=1)]
    seconds: Annotated[float, Meta(ge=0)] = 600.0


class Misstate(Attack, frozen=True, kw_only=True, tag="misstate"):
    """The `p_pair` of the models' battles is `factor` times the true probability."""

    factor: Annotated[float, Meta(gt=0, le=1)]


class Bots(Attack, frozen=True, kw_only=True, tag="bots"):
    """In the next `battles` battles bots cast `votes` votes for the models, as `voters` voters who do nothing else.

    An `omniscient` bot knows how people would vote, and votes only where they would not make the model win.
    """

    battles: _Some
    votes: Annotated[int, Meta(ge=1, le=10_000_000)]
    voters: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    omniscient: bool = False


class Lean(Base, frozen=True, kw_only=True, tag="lean"):
    """Voters lean to the left: a `part` of the wins of the right answer become wins of the left one."""

    part: _Share


class Invent(Base, frozen=True, kw_only=True, tag="invent"):
    """In a `share` of the next `battles` battles both models have one of `names` invented names, given by one voter."""

    battles: _Some
    share: _Share
    names: Annotated[int, Meta(ge=2, le=1_000_000)]
    voter: Annotated[str, Meta(max_length=64)] = ""


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
    | Ramp
    | Pairing
    | Side
    | Stratum
    | Lose
    | Retell
    | Misstate
    | Bots
    | Lean
    | Invent
)

ATTACKS = (Attack, Lean, Invent)
"""Events that change battles and votes after the draw by weights; they go on for a while, or to the end."""
