"""Strata: the languages and categories that hold enough of an arena's battles to be followed.

At each review the languages and categories with a twentieth of the review's battles join those followed, the largest
first, until there are `MOST`; then they stay. So whether a battle is in a stratum is known before the battle.

Names are free text. Of one review at most `NAMES` languages and as many categories are counted, in the order of first
appearance: a name with a twentieth of the battles is among them unless hundreds of others came before it, and then a
later review finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.ledger.rows import Codes, Rows

LEAST, MOST = 0.05, 12
"""Least part of a review's battles, and largest number of strata."""
NAMES = 512
LANGUAGE, CATEGORY = "language", "category"
Name = tuple[str, str]
"""`LANGUAGE` or `CATEGORY`, and its name."""


@dataclass(slots=True)
class Strata:
    """The strata followed, in the order in which they joined, and the counts of the current review by field and name.

    Each field has its own counts: which of a language and a category came first would depend on where blocks were cut.
    """

    names: list[Name] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {LANGUAGE: {}, CATEGORY: {}})

    def __len__(self) -> int:
        return len(self.names)

    def gather(self, rows: Rows) -> None:
        """Count the battles of the current review."""
        for field_name, codes, words in _columns(rows):
            if codes is None:
                continue
            known = self.counts[field_name]
            used, counts = _tally(codes, len(words))
            for code, count in zip(used.tolist(), counts[used].tolist(), strict=True):
                for word in words[code]:
                    if word in known or len(known) < NAMES:
                        known[word] = known.get(word, 0) + count

    def turn(self, battles: int) -> int:
        """Close a review of `battles` battles; return how many strata joined."""
        known, before = set(self.names), len(self.names)
        large = [
            (-count, (field_name, word))
            for field_name, counts in self.counts.items()
            for word, count in counts.items()
            if count >= LEAST * battles
        ]
        self.names += [name for _, name in sorted(large) if name not in known][: MOST - before]
        self.counts = {LANGUAGE: {}, CATEGORY: {}}
        return len(self.names) - before

    def membership(self, rows: Rows) -> Membership | None:
        """Look up the strata of the words in the rows' dictionaries; None where nothing is followed."""
        if not self.names:
            return None
        number = {name: place for place, name in enumerate(self.names)}
        found = []
        for field_name, codes, words in _columns(rows):
            inside = np.zeros((len(words), len(self.names)), np.bool_)
            if codes is not None:
                for code, several in enumerate(words):
                    for word in several:
                        place = number.get((field_name, word))
                        if place is not None:
                            inside[code, place] = True
            found.append((np.zeros(len(rows), np.int32) if codes is None else codes, inside))
        (language, in_language), (categories, in_categories) = found
        return Membership(language, in_language, categories, in_categories)


@dataclass(frozen=True, slots=True)
class Membership:
    """Codes of n rows, int32[n], and which of K strata each code is in, bool[codes, K]: of languages, of categories."""

    language: Codes
    in_language: NDArray[np.bool_]
    categories: Codes
    in_categories: NDArray[np.bool_]


def _columns(rows: Rows) -> list[tuple[str, Codes | None, list[tuple[str, ...]]]]:
    languages: list[tuple[str, ...]] = [(word,) if word else () for word in rows.languages]
    return [(LANGUAGE, rows.language, languages), (CATEGORY, rows.categories, rows.category_sets)]


@njit(cache=True)
def _tally(codes, words):  # type: ignore[no-untyped-def]
    """Return the codes in the order of first appearance, and how often each of `words` codes appears."""
    used, counts, found = np.empty(words, np.int64), np.zeros(words, np.int64), 0
    for code in codes:
        if not counts[code]:
            used[found] = code
            found += 1
        counts[code] += 1
    return used[:found], counts
