"""The scenario: an arena, its models, and what happens in it, as a TOML file says it.

The keys are explained in scenarios/README.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.simulate.events import Event
from streams.contracts.model import License, Visibility

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]
NotNegative = Annotated[float, Meta(ge=0, le=1e12)]
Battle = Annotated[int, Meta(ge=0)]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(min_length=1, max_length=100)]

START = 1_735_689_600.0
"""2025-01-01, where a scenario begins that does not say when: a clock of its own would not repeat."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a scenario file: what it does not know it refuses."""


class StrengthSpread(Section, frozen=True, kw_only=True):
    """A normal distribution of strengths, in points (400 are odds of ten to one)."""

    mean: float = 1_000.0
    sd: NotNegative = 0.0


class ModelGroup(Section, frozen=True, kw_only=True):
    """One model, or `count` of a kind, which join at battle `at` (one each `every` battles)."""

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
    """Who votes: so many people, each as often; 0 sends no voter."""

    count: Annotated[int, Meta(ge=0, le=10_000_000)] = 0


class PromptsSection(Section, frozen=True, kw_only=True):
    """What is asked: a share `reuse` repeats one of the last `window` prompts. None is sent without this table."""

    reuse: Share = 0.0
    window: Annotated[int, Meta(ge=1)] = 100_000


class FaultsSection(Section, frozen=True, kw_only=True):
    """Records that an arena should not send: shares of the records, on top of the votes."""

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
