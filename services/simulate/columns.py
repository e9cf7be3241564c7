"""Columns: drawn battles as numbers, one row for each vote, before they become ledger rows with dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.simulate.sampler import Codes, Vector
from streams.ledger.rows import Rows

Numbers = NDArray[np.int64]

REFUSED = 5
"""Winner of a vote that is sent with a word that the contract does not have: intake refuses it."""


@dataclass(slots=True)
class Columns:
    """n votes of one stretch of draws, as arrays of length n; None for a column that is not sent.

    Attributes
    ----------
    draw
        Number of the draw in the simulation, from 0: votes on one draw share it.
    a, b
        Models; numbers from the size of the cast on are invented names.
    winner
        As in `Rows`, or `REFUSED`.
    drawn_at, tstamp
        Epoch seconds.
    language, categories, voter
        Codes into `Words`.
    prompt
        Number of the prompt; 0 is none, negative ones are a flood's.
    p_pair
        As in `Rows`.
    """

    draw: Numbers
    a: Codes
    b: Codes
    winner: NDArray[np.uint8]
    drawn_at: Vector
    tstamp: Vector
    language: Codes | None
    categories: Codes | None
    voter: Codes | None
    prompt: Numbers | None
    p_pair: Vector | None

    def __len__(self) -> int:
        return len(self.draw)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Columns:
        """Return the chosen rows."""
        columns = [getattr(self, each.name) for each in fields(self)]
        return Columns(*(None if column is None else column[chosen] for column in columns))  # type: ignore[arg-type]

    def involves(self, who: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the model on side a, and that on side b, is one of these; bool[n] each."""
        return who[self.a], who[self.b]


def joined(parts: Sequence[Columns]) -> Columns:
    """Return all rows of several parts; a column that only some parts have is 0 in the others."""

    def column(name: str) -> np.ndarray | None:
        found = [getattr(part, name) for part in parts]
        if all(each is None for each in found):
            return None
        kind = next(each.dtype for each in found if each is not None)
        return np.concatenate(
            [np.zeros(len(part), kind) if each is None else each for part, each in zip(parts, found, strict=True)]
        )

    return Columns(*(column(each.name) for each in fields(Columns)))  # type: ignore[arg-type]  # required ones are there


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a scenario: what the numbers of `Columns` mean.

    Attributes
    ----------
    models
        Names of the cast.
    languages, sets
        Dictionaries of languages and sets of categories.
    people
        "" and the names of usual voters.
    others
        Names of the voters of floods, bots and invented names, whose codes follow the people's.
    draws
        Beginning of the ids of draws; None if they are not sent.
    drawn_at
        Whether the time of the draw is sent.
    """

    models: list[str]
    languages: list[str]
    sets: list[tuple[str, ...]]
    people: list[str]
    others: list[str]
    draws: str | None
    drawn_at: bool

    def rows(self, columns: Columns, others: int = 0) -> Rows:
        """Return ledger rows, also of votes that will be refused; `partition` and `offset` are 0.

        Parameters
        ----------
        others
            How many of `others` are in the dictionary even if none of them votes.
        """
        n = len(columns)
        models, a, b = self._models(columns.a, columns.b)
        prompts, prompt = _prompts(columns.prompt)
        highest = 0 if columns.voter is None else int(columns.voter.max(initial=0)) - len(self.people) + 1
        battles, battle = [""], None
        if self.draws is not None and n:
            used, places = np.unique(columns.draw, return_inverse=True)
            battles += [f"{self.draws}{number:x}" for number in used.tolist()]
            battle = (places + 1).astype(np.int32)
        return Rows(
            models=models,
            model_a=a,
            model_b=b,
            winner=columns.winner,
            tstamp=columns.tstamp,
            partition=np.zeros(n, np.int32),
            offset=np.zeros(n, np.int64),
            recorded=np.rint(columns.tstamp * 1_000).astype(np.int64),
            languages=self.languages,
            language=columns.language,
            category_sets=self.sets,
            categories=columns.categories,
            voters=[*self.people, *self.others[: max(highest, others)]],
            voter=columns.voter,
            prompts=prompts,
            prompt=prompt,
            battles=battles,
            battle=battle,
            p_pair=columns.p_pair,
            drawn_at=columns.drawn_at if self.drawn_at and n else None,
            style=None,
        )

    def _models(self, a: Codes, b: Codes) -> tuple[list[str], Codes, Codes]:
        """Give invented names their place in the dictionary."""
        known = len(self.models)
        if not a.size or max(a.max(), b.max()) < known:
            return self.models, a, b
        both = np.concatenate([a, b])
        used, places = np.unique(both[both >= known], return_inverse=True)
        both[both >= known] = known + places
        names = [f"invented-{number - known:x}" for number in used.tolist()]
        return [*self.models, *names], both[: a.size], both[a.size :]


def draw_prefix(scenario: str, seed: int) -> str:
    """Beginning of the ids of draws: other scenarios and seeds have others.

    >>> draw_prefix("healthy", 1)
    'd7fabbde-1-'
    """
    return f"d{crc32(scenario.encode()) >> 4:07x}-{seed:x}-"


def _prompts(numbers: Numbers | None) -> tuple[list[str], Codes | None]:
    """Code prompt numbers as words; 0 means no prompt, negative numbers are a flood's prompts."""
    if numbers is None:
        return [""], None
    used, codes = np.unique(numbers, return_inverse=True)
    if 0 in used:
        words = ["" if number == 0 else _word(number) for number in used.tolist()]
        where = int(np.flatnonzero(used == 0)[0])
        # The empty word must come first.
        order = np.arange(used.size)
        order[: where + 1] = np.roll(order[: where + 1], -1)
        words.insert(0, words.pop(where))
        return words, order[codes].astype(np.int32)
    return ["", *map(_word, used.tolist())], (codes + 1).astype(np.int32)


def _word(number: int) -> str:
    return f"{number:016x}" if number > 0 else f"flood-{-number}"
