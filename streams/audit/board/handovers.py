"""Hand-overs in votes: one name ends as another begins, and both are one model.

Votes do not list the models of the board, so a renamed model would look like one that stopped and another that joined.
Two names are one model when they differ only in case and punctuation and never met in a battle; or when one ends as the
other begins, at about the same rate, and the new one adds a label or is a different spelling with the same numbers. A
name of which only the date changed is the next build under the same label: it replaces the old one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.names import alike, plain, redated, words

ALIKE, ALIKE_LABELLED = 0.6, 0.45
"""Least likeness of two names with the same numbers, and of two names of which one has more words."""

GAPS = 20.0
"""Most mean gaps between votes, of the sparser name, between the end of one name and the start of the other."""

EXPECTED = 12.0
"""Fewest votes, at its own rate, that a name missed after its end or before its start to have ended or started."""

FACTOR = 3.0
"""Largest ratio of the two rates."""


@dataclass(frozen=True, slots=True)
class Handover:
    """A name `old` that ended, and `new` that took over at `when` (epoch seconds); both are numbers of names."""

    old: int
    new: int
    when: float
    same: bool
    """Whether both are one model; else `new` is the next build, which replaces the old one."""


def handovers_of(
    names: list[str],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    times: NDArray[np.float64],
    declared: Collection[str] = (),
) -> list[Handover]:
    """Find hand-overs; each name takes over at most once, and hands over at most once.

    Parameters
    ----------
    names
        M names.
    first, second
        int64[n]: the two models of each battle.
    times
        float64[n], epoch seconds.
    declared
        Names in the registry: two of them are never one model.
    """
    begin, end = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for models in (first, second):
        np.minimum.at(begin, models, times)
        np.maximum.at(end, models, times)
    count = np.bincount(np.concatenate([first, second]), minlength=len(names))
    last = float(times.max())
    met = {*zip(first.tolist(), second.tolist(), strict=True)}
    found = []
    for old in range(len(names)):
        for new in range(len(names)):
            if old == new or not count[old] or not count[new] or (old, new) in met or (new, old) in met:
                continue
            if (begin[old], old) > (begin[new], new) or (names[old] in declared and names[new] in declared):
                continue
            one = plain(names[old]) == plain(names[new]) != ""
            if not one and not (_adjoin(begin, end, count, old, new, last) and _kin(names[old], names[new])):
                continue
            replaced = not one and redated(names[old], names[new]) and not _labelled(names[old], names[new])
            likeness = alike(names[old], names[new])
            found.append((not one, -likeness, old, new, Handover(old, new, float(begin[new]), not replaced)))
    gave: set[int] = set()
    took: set[int] = set()
    chosen = []
    for *_, old, new, handover in sorted(found, key=lambda each: each[:4]):
        if old not in gave and new not in took:
            gave.add(old)
            took.add(new)
            chosen.append(handover)
    return sorted(chosen, key=lambda each: (each.when, each.old))


def _labelled(old: str, new: str) -> bool:
    """Whether one name is the other with added words or an added date; any other number is another version.

    >>> _labelled("cedar-70b", "cedar-70b-0131"), _labelled("oak chat", "oak chat (2024-08-08)"), _labelled("m", "m-2")
    (True, True, False)
    >>> _labelled("m (2024-08-08)", "m (2024-09-03)")
    False
    """
    short, long = sorted((words(old), words(new)), key=len)
    rest = list(long)
    for word in short:
        if word not in rest:
            return False
        rest.remove(word)
    numbers = [word for word in rest if word[0].isdigit()]
    dated = any(len(word) in (4, 6, 8) and word.isdigit() for word in numbers)
    alone = all(dated and word.isdigit() and len(word) in (2, 4, 6, 8) for word in numbers)
    return bool(rest) and alone and alike(old, new) >= ALIKE_LABELLED


def _kin(old: str, new: str) -> bool:
    """Whether the names could belong to one model: an added label, another spelling, another date.

    >>> _kin("Claude 3.5 Sonnet", "claude-3-5-sonnet"), _kin("cedar-70b", "cedar-71b"), _kin("a", "b")
    (True, False, False)
    """
    numbers = ["".join(each for each in name if each.isdigit()) for name in (old, new)]
    return _labelled(old, new) or redated(old, new) or (numbers[0] == numbers[1] and alike(old, new) >= ALIKE)


def _adjoin(
    begin: NDArray[np.float64], end: NDArray[np.float64], count: NDArray[np.int64], old: int, new: int, last: float
) -> bool:
    """Whether one name ended about when the other began, at about the same rate."""
    if end[old] > end[new]:
        return False
    lives = end - begin
    if min(count[old], count[new]) < 2 or min(lives[old], lives[new]) <= 0:
        return False
    rates = (count[[old, new]] - 1) / lives[[old, new]]
    between = abs(begin[new] - end[old])
    missed = (last - end[old]) * rates[0]
    return bool(
        rates.max() <= FACTOR * rates.min()
        and between * rates.min() <= GAPS
        and missed >= EXPECTED
        and (begin[new] - begin[old]) * rates[1] >= EXPECTED
    )
