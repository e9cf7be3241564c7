"""The operator's settings of an arena's boards: the evidence that a rank needs, and the anchors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.arena_settings import check_settings, read_tables
from streams.contracts.names import normalised


class RatingsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one arena. Boards are a function of the counts and these.

    Raises
    ------
    ValueError
        When a value has the wrong type or is out of range; names the setting and its valid values.

    >>> RatingsSettings(anchors="ash")
    Traceback (most recent call last):
        ...
    msgspec.ValidationError: Expected `array`, got `str` - at `$.anchors`
    """

    least_votes: Annotated[
        int,
        Meta(
            description="Votes against ranked models from which a model is ranked; 0: a quarter of the median number of"
            " them, at least 5 and at most 30.",
            ge=0,
        ),
    ] = 0
    widest: Annotated[
        float,
        Meta(description="Points from end to end of a 95 % interval beyond which a model is not ranked; 0: any.", ge=0),
    ] = 0.0
    anchors: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(description="Models whose mean rating stands still; none: the mean of all ranked models does."),
    ] = ()
    anchor_rating: Annotated[
        float, Meta(description="That mean, points. Without anchors the mean is 1000.", ge=-1e6, le=1e6)
    ] = 1000.0

    def __post_init__(self) -> None:
        check_settings(self)
        # Votes are counted under normalised names: an anchor in another form would be on no board.
        msgspec.structs.force_setattr(self, "anchors", tuple(map(normalised, self.anchors)))
        if len(set(self.anchors)) < len(self.anchors):
            raise ValueError("anchors are different models")


@dataclass(frozen=True, slots=True)
class RatingsBook:
    """The settings of every arena: its own, or else the defaults."""

    default: RatingsSettings = field(default_factory=RatingsSettings)
    arenas: Mapping[str, RatingsSettings] = field(default_factory=dict)

    def of(self, arena: str) -> RatingsSettings:
        """Settings of an arena."""
        return self.arenas.get(arena, self.default)


def read_ratings_settings(given: Mapping[str, object]) -> RatingsBook:
    """Read a mapping (of a TOML file); raises `InvalidTables`.

    >>> book = read_ratings_settings({"default": {"least_votes": 30}, "arenas": {"text": {"anchors": ["ash-2"]}}})
    >>> book.of("text").least_votes, book.of("text").anchors, book.of("vision").anchors
    (30, ('ash-2',), ())
    >>> read_ratings_settings({"default": {"least_votes": -1}})
    Traceback (most recent call last):
        ...
    streams.contracts.arena_settings.InvalidTables: default: Expected `int` >= 0 - at `$.least_votes`
    """
    return RatingsBook(*read_tables(given, RatingsSettings))
