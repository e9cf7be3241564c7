"""Warnings about names in a subscription that no board shows: a misspelt name would silently never match. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from streams.contracts.names import shown
from streams.contracts.subscription import Match

MOST_TOLD = 5
"""Most names of one field that a warning lists; it counts the others."""


class ShownNames(NamedTuple):
    """Names that a board shows: all arenas, and the models and providers of the arenas in question.

    `whole` is false while some of them cannot be read.
    """

    arenas: Collection[str]
    models: Collection[str]
    providers: Collection[str]
    whole: bool = True


def warnings(match: Match, known: ShownNames | None) -> list[str]:
    """One sentence for each field with unknown names. `known` is `None` while no board can be read.

    >>> warnings(Match(models=("GPT 4",)), ShownNames({"text"}, {"gpt-4"}, set()))
    ["match.models: 'GPT 4' (is it 'gpt-4'?) is shown in no arena: nothing is told of it unless it appears"]
    >>> warnings(Match(models=("gpt-4",), arena="text"), ShownNames({"text"}, {"gpt-4"}, set()))
    []
    """
    if match.arena is None and not match.models and not match.providers:
        return []
    if known is None:
        return ["whether the names in match are shown in any arena cannot be said now: Redis is away or empty"]
    if match.arena is not None and match.arena not in known.arenas:
        return [f"match.arena: there is no arena {match.arena!r} yet: nothing is told unless it appears"]
    where = "shown in no arena" if match.arena is None else f"not shown in arena {match.arena}"
    more = "" if known.whole else "; not all that is shown can be read now"
    said = []
    for field, names, there in (
        ("models", match.models, known.models),
        ("providers", match.providers, known.providers),
    ):
        if absent := [name for name in names if name not in there]:
            end = "is {}: nothing is told of it unless it appears"
            if len(absent) > 1:
                end = "are {}: nothing is told of them unless they appear"
            said.append(f"match.{field}: {_listed(absent, there)} {end.format(where)}{more}")
    return said


def _listed(absent: list[str], there: Collection[str]) -> str:
    alike = {_plain(name): name for name in there}
    told = []
    for name in absent[:MOST_TOLD]:
        near = alike.get(_plain(name))
        told.append(repr(shown(name)) + (f" (is it {shown(near)!r}?)" if near and _plain(name) else ""))
    rest = len(absent) - MOST_TOLD
    return ", ".join(told) + (f" and {rest} more" if rest > 0 else "")


def _plain(name: str) -> str:
    """A name without case, blanks and punctuation."""
    return "".join(filter(str.isalnum, name.casefold()))
