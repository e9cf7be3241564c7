"""The short form: small runs in which the fastest detectors fire, made again by a test."""

from __future__ import annotations

from collections.abc import Callable

from streams.contracts.alert import Kind
from tests.planted.expected import EVERY
from tests.planted.page import table
from tests.planted.play import Run, play

AT = 30_000
BATTLES: dict[str, tuple[int, int]] = {
    "healthy-several-votes": (0, 30_000),
    "healthy-votes-late": (0, 50_000),
    "class-cut": (250_000 - AT, 40_000),
    "share-raised-175": (250_000 - AT, 40_000),
    "provider-raised": (250_000 - AT, 50_000),
    "always-left": (250_000 - AT, 40_000),
    "gone-in-a-language": (250_000 - AT, 40_000),
    "gone-in-a-category": (250_000 - AT, 40_000),
    "wins-told-twice": (250_000 - AT, 40_000),
    "omniscient-voter": (250_000 - AT, 60_000),
    "invented-names": (250_000 - AT, 100_000),
    "probability-misdeclared": (250_000 - AT, 40_000),
    "several-votes-unmarked": (0, 20_000),
    "silent-removal": (100_000 - AT, 40_000),
}
"""Battles by which the events of a scenario come earlier, and battles of its run."""


def possible() -> list[str]:
    """Scenarios of the short form whose expected kinds are all there."""
    kinds = {kind.value for kind in Kind}
    return [name for name in BATTLES if all(kinds & set(each) for each in EVERY[name].must)]


def lines(tell: Callable[[str], None]) -> list[str]:
    """Make the short form; `tell` is called with the name of each scenario before it is played."""
    runs: dict[str, list[Run]] = {}
    for name in possible():
        tell(name)
        earlier, battles = BATTLES[name]
        runs[name] = [play(name, 1, battles, earlier)]
    return table(list(runs), runs)
