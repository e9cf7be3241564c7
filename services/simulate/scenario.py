"""The scenario file: a TOML description of an arena, its models and its events.

scenarios/README.md explains the keys.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.simulate.events import Event
from streams.contracts.model import License, Visibility

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]
NotNegative = Annotated[float, Meta(ge=0, le=1e12)]
Battle = Annotated[int, Meta(ge=0)]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(min_length=1, max_length=100)]

START = 1_735_689_600.0
"""2025-01-01: the default start. The current time would make runs irreproducible."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a scenario file; unknown keys are refused."""


class StrengthSpread(Section, frozen=True, kw_only=True):
    """A normal distribution of strengths, in points (400 points are odds of ten to one)."""

    mean: float = 1_000.0
    sd: NotNegative = 0.0


class ModelGroup(Section, frozen=True, kw_only=True):
    """One model, or `count` models of a kind, which join at battle `at` (one per `every` battles)."""

    name: Text
    provider: Text | Annotated[list[Text], Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1, le=10_000)] = 1
    providers: Annotated[int, Meta(ge=1, le=1_000)] = 1
    license: License | Annotated[list[License], Meta(min_length=1)] = "proprietary"
    visibility: Visibility = "public"
    strength: float | StrengthSpread = 1_000.0
    weight: NotNegative | Annotated[list[NotNegative], Meta(min_length=1)] = 1.0
    family: Text | None = None
    finish: Share = 1.0
    share: NotNegative = 1.0
    undeclared: bool = False
    at: Battle = 0
    every: Battle = 0


class ClockSection(Section, frozen=True, kw_only=True):
    """When battles happen."""

    start: NotNegative = START
    per_day: Positive = 100_000.0
    arrivals: Literal["regular", "poisson"] = "regular"


class VotesSection(Section, frozen=True, kw_only=True):
    """How battles end."""

    tie_rate: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    tie_model: Literal["bradley-terry", "davidson"] = "bradley-terry"
    both_bad: Share = 0.25
    finish: Share = 1.0
    send_none: bool = True
    p_pair: bool = False


class VotersSection(Section, frozen=True, kw_only=True):
    """Voters: `count` people who vote equally often; with 0, records have no voter."""

    count: Annotated[int, Meta(ge=0, le=10_000_000)] = 0


class PromptsSection(Section, frozen=True, kw_only=True):
    """Prompts: a share `reuse` repeats one of the last `window`. Without this table, records have no prompt hash."""

    reuse: Share = 0.0
    window: Annotated[int, Meta(ge=1)] = 100_000


class DrawsSection(Section, frozen=True, kw_only=True):
    """From the draw of two models to the votes on it.

    Attributes
    ----------
    votes
        Mean number of votes on one draw, by one voter: 1 and a geometric number of further ones.
    battle, drawn_at
        Whether records have the id of their draw, and its time.
    lag, spread
        Median seconds from the draw to the first vote, and from one vote to the next, and σ of their logarithm.
    session
        Mean number of battles that a voter votes on one after the other, while others do the same.
    """

    votes: Annotated[float, Meta(ge=1, le=100)] = 1.0
    battle: bool = True
    drawn_at: bool = True
    lag: Annotated[float, Meta(ge=0, le=604_800)] = 0.0
    spread: Annotated[float, Meta(ge=0, le=3)] = 1.0
    session: Annotated[float, Meta(ge=1, le=10_000)] = 1.0


class FaultsSection(Section, frozen=True, kw_only=True):
    """Faults, as shares of the number of votes; the duplicate and garbage records are added to the votes."""

    duplicates: Share = 0.0
    garbage: Share = 0.0


class Scenario(Section, frozen=True, kw_only=True):
    """A whole scenario."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
    about: Annotated[str, Meta(min_length=1, max_length=300)]
    expect: str = ""
    arena: str = "text"
    battles: Annotated[int, Meta(ge=1)] = 100_000
    notice_days: NotNegative = 14.0
    models: Annotated[list[ModelGroup], Meta(min_length=1)]
    events: list[Event] = []
    clock: ClockSection = ClockSection()
    votes: VotesSection = VotesSection()
    voters: VotersSection = VotersSection()
    prompts: PromptsSection | None = None
    languages: dict[Label, Share] = {}
    categories: Annotated[dict[Label, Share], Meta(max_length=8)] = {}
    faults: FaultsSection = FaultsSection()
    draws: DrawsSection | UnsetType = UNSET
    """Unset, it is not encoded: the ids of records are made of the encoded scenario, and stay what they were."""
