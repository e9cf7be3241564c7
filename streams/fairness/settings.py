"""Fairness settings of an arena: rate of false pages, bounds, windows, days of notice."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.contracts.alert import RUNBOOKS
from streams.contracts.arena_settings import check_settings, read_tables

_COUNTS = {"once": 1, "one": 1, "twice": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}
_DAYS = {
    "second": 1 / 86_400,
    "minute": 1 / 1_440,
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 365 / 12,
    "quarter": 365 / 4,
    "year": 365.0,
    "decade": 3_650.0,
}
_NUMBER = r"\d[\d,_]*(?:\.\d+)?"
_PAGES = r"(?: false)?(?: pages?)?"
_RATE = re.compile(
    rf"(?P<count>[a-z]+|{_NUMBER}){_PAGES} (?:a|an|per|every|each) (?P<span>[a-z]+?)"
    rf" at (?P<rate>{_NUMBER}) battles (?:a|an|per|every|each) (?P<unit>[a-z]+?)"
)
_SHARE = re.compile(rf"(?P<count>[a-z]+|{_NUMBER}){_PAGES} in (?P<battles>{_NUMBER}) battles")


@cache
def _ticks_between_pages(false_pages: str, tick_battles: int) -> float:
    """Cached: every tick needs it, and parsing the words is slow."""
    return max(1.0, battles_between_pages(false_pages) / tick_battles)


class FairnessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one arena. Alerts are a function of the ledger and the settings.

    Raises
    ------
    ValueError
        When a value has the wrong type or is out of range; names the setting and its valid values.

    >>> FairnessSettings(delta=7)
    Traceback (most recent call last):
        ...
    msgspec.ValidationError: Expected `float` < 1.0 - at `$.delta`
    """

    false_pages: Annotated[str, Meta(description="How often a statistical page may be false, in words.")] = (
        "one a year at 100,000 battles a day"
    )
    tick_battles: Annotated[int, Meta(description="Battles between two looks of the detectors.", ge=1, le=10_000)] = 100
    delta: Annotated[
        float, Meta(description="Shares within ± this part of the declared share are not a drift.", ge=0, lt=1)
    ] = 0.2
    group_delta: Annotated[
        float, Meta(description="The same for providers and licence classes of many models.", ge=0, lt=1)
    ] = 0.05
    draws: Annotated[
        Literal["auto", "all", "voted"],
        Meta(
            description="Which draws the votes tell of: `all`, also those that nobody finished, so that no tolerance is"
            " needed; only `voted` ones; or `auto`, learned from whether unfinished battles come."
        ),
    ] = "auto"
    warning_level: Annotated[
        float, Meta(description="Ticks between two false warnings of drifts on average, at least.", ge=100)
    ] = 1e5
    recovery_level: Annotated[
        float, Meta(description="e-value of recovery that resolves a drift or removal.", gt=1)
    ] = 1e3
    evidence_level: Annotated[float, Meta(description="e-value from which churn, reuse and bias are told.", gt=1)] = 1e3

    settle_seconds: Annotated[
        float,
        Meta(description="Battles without `drawn_at` are not judged for so long after a change of policy.", ge=0),
    ] = 900.0
    notice_days: Annotated[float, Meta(description="Days between a `deprecated` notice and the end.", ge=0)] = 14.0
    private_cap: Annotated[
        int, Meta(description="Private variants that a provider may have in play at once.", ge=0)
    ] = 3
    retraction_votes: Annotated[
        int, Meta(description="Votes from which a private score may not just vanish.", ge=1)
    ] = 300
    keep_days: Annotated[float, Meta(description="Days for which an alert of a past event stays open.", gt=0)] = 90.0

    max_provider_share: Annotated[float, Meta(description="Largest share of slots of one provider.", gt=0, le=1)] = 0.25
    max_license_share: Annotated[
        float, Meta(description="Largest share of slots of one licence class.", gt=0, le=1)
    ] = 0.8
    max_provider_gini: Annotated[
        float, Meta(description="Largest Gini coefficient of the providers' slots.", gt=0, le=1)
    ] = 0.85
    max_provider_hhi: Annotated[
        float, Meta(description="Largest Herfindahl index of the providers' slots.", gt=0, le=1)
    ] = 0.18

    review_battles: Annotated[
        int, Meta(description="Battles between two reviews; a multiple of tick_battles.", ge=1)
    ] = 10_000
    window_reviews: Annotated[
        int, Meta(description="Reviews in the window of shares and inactivity.", ge=1, le=100)
    ] = 10
    ratings_reviews: Annotated[int, Meta(description="Reviews between two looks at the ratings.", ge=1)] = 20
    repeat_reviews: Annotated[
        int, Meta(description="Reviews between two repeats of an alert that still fires.", ge=1)
    ] = 10
    stale_days: Annotated[float, Meta(description="Votes older than this are old.", gt=0)] = 30.0
    undeclared_battles: Annotated[
        int, Meta(description="Battles between two reviews that need a declared weight.", ge=1)
    ] = 30
    max_undeclared: Annotated[int, Meta(description="Names outside the registry that are followed.", ge=0)] = 1_000

    stall_seconds: Annotated[float, Meta(description="Silence shorter than this is never a stall.", gt=0)] = 900.0
    stall_factor: Annotated[
        float, Meta(description="Silence this many times the arena's longest usual one is a stall.", ge=1)
    ] = 3.0
    zero_battles: Annotated[
        int, Meta(description="Battles in a row without any vote that are no news but a fault.", ge=1)
    ] = 2_000

    kappa: Annotated[float, Meta(description="Concentration of the whole-policy test's Dirichlet mixture.", gt=0)] = 1e4
    runbooks: Annotated[str, Meta(description="Where the runbooks are served.")] = RUNBOOKS

    def __post_init__(self) -> None:
        check_settings(self)
        battles_between_pages(self.false_pages)
        if self.review_battles % self.tick_battles:
            raise ValueError("review_battles must be a multiple of tick_battles")

    @property
    def ticks_between_pages(self) -> float:
        """A: average number of ticks between two false pages, over all detectors that page."""
        return _ticks_between_pages(self.false_pages, self.tick_battles)

    @property
    def window_battles(self) -> int:
        """Battles in the window of shares and inactivity."""
        return self.review_battles * self.window_reviews

    @property
    def digest(self) -> str:
        """Hash of the settings: a state folded under other settings must be folded again."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SettingsBook:
    """The settings of every arena: its own where given, else the defaults."""

    default: FairnessSettings = field(default_factory=FairnessSettings)
    arenas: Mapping[str, FairnessSettings] = field(default_factory=dict)

    def of(self, arena: str) -> FairnessSettings:
        """Settings of an arena."""
        return self.arenas.get(arena, self.default)


def read_settings(given: Mapping[str, object]) -> SettingsBook:
    """Read a mapping (of a TOML or JSON file) with a table `default` and, under `arenas`, one table per arena.

    Raises
    ------
    InvalidTables
        With the table, the setting and its valid values.

    >>> book = read_settings({"default": {"delta": 0.3}, "arenas": {"text": {"private_cap": 5}}})
    >>> book.of("text").delta, book.of("text").private_cap, book.of("vision").private_cap
    (0.3, 5, 3)
    >>> read_settings({"default": {"delta": 2}})
    Traceback (most recent call last):
        ...
    streams.contracts.arena_settings.InvalidTables: default: Expected `float` < 1.0 - at `$.delta`
    """
    return SettingsBook(*read_tables(given, FairnessSettings))


def battles_between_pages(words: str) -> float:
    """Parse the average number of battles between two false pages.

    Raises
    ------
    ValueError
        When the words cannot be parsed; the message shows valid forms.

    >>> battles_between_pages("one a year at 100,000 battles a day")
    36500000.0
    >>> battles_between_pages("two false pages per week at 30 battles per second")
    9072000.0
    >>> battles_between_pages("one in 36,500,000 battles")
    36500000.0
    """
    text = " ".join(words.lower().split())
    if said := _SHARE.fullmatch(text):
        battles = _number(said["battles"])
    elif (said := _RATE.fullmatch(text)) and said["span"] in _DAYS and said["unit"] in _DAYS:
        battles = _DAYS[said["span"]] * _number(said["rate"]) / _DAYS[said["unit"]]
    else:
        raise ValueError(f"{words!r}: say it like 'one a year at 100,000 battles a day' or 'one in 36,500,000 battles'")
    count = float(_COUNTS[said["count"]]) if said["count"] in _COUNTS else _number(said["count"])
    if not count > 0 or not battles > 0:
        raise ValueError(f"{words!r}: the numbers must be above zero")
    return battles / count


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is not a number that is understood here") from None
