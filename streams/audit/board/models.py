"""Models under several names: join spellings, renames and returns into one row per model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.history import History, Mask, Matrix
from streams.audit.board.licences import UNKNOWN, licence_class
from streams.audit.board.names import plain, unify


@dataclass(frozen=True, slots=True)
class Models:
    """M models over T snapshots, each under its newest name.

    Attributes
    ----------
    dates
        float64[T], epoch seconds.
    names
        M names, the newest of each model.
    providers, licenses, classes
        M each; provider in one spelling, `unknown` where the board has none; license as written, or None.
    listed
        bool[M, T].
    votes, rank, score, lower, upper, place
        float64[M, T], NaN where absent; see `History`.
    called
        int64[M, T]: index in `spellings` of the name that the model is listed under, -1 where it is not listed.
    spellings
        Every name of the file.
    """

    dates: Matrix
    names: list[str]
    providers: list[str]
    licenses: list[str | None]
    classes: list[str]
    listed: Mask
    votes: Matrix
    rank: Matrix
    score: Matrix
    lower: Matrix
    upper: Matrix
    place: Matrix
    called: NDArray[np.int64]
    spellings: list[str]

    @property
    def first(self) -> NDArray[np.int64]:
        """First snapshot of each model."""
        return np.asarray(np.argmax(self.listed, axis=1))

    @property
    def last(self) -> NDArray[np.int64]:
        """Last snapshot of each model."""
        return np.asarray(self.listed.shape[1] - 1 - np.argmax(self.listed[:, ::-1], axis=1))


def _without_provider(name: str, provider: str | None) -> str:
    """Remove the provider before a slash from a name, if it is the provider of the row.

    >>> _without_provider("OpenAI/gpt-5", "openai"), _without_provider("Qwen/QwQ", "Alibaba")
    ('gpt-5', 'Qwen/QwQ')
    """
    first, slash, rest = name.partition("/")
    return rest if slash and rest and provider and plain(first) == plain(provider) else name


def by_spelling(history: History, providers: Mapping[str, str] | None = None) -> Models:
    """Join names that differ only in case and punctuation, unless one snapshot lists both.

    `providers` maps aliases of providers to the names used in the report.
    """
    groups: dict[str, list[int]] = {}
    for at in np.flatnonzero(history.listed.any(axis=1)):
        name = _without_provider(history.names[at], history.providers[at])
        groups.setdefault(plain(name) or name, []).append(int(at))
    members: list[list[int]] = []
    for group in groups.values():
        together = history.listed[group].sum(axis=0).max() > 1
        members.extend([[each] for each in group] if together else [group])
    spelled = unify(history.providers, providers)
    empty: NDArray[np.int64] = np.full(history.listed.shape, -1, dtype=np.int64)
    called = np.where(history.listed, np.arange(len(history.names))[:, None], empty)
    whole = Models(
        dates=history.dates,
        names=history.names,
        providers=[spelled[each] for each in history.providers],
        licenses=history.licenses,
        classes=[licence_class(each) for each in history.licenses],
        listed=history.listed,
        votes=history.votes,
        rank=history.rank,
        score=history.score,
        lower=history.lower,
        upper=history.upper,
        place=history.place,
        called=called,
        spellings=history.names,
    )
    return joined(whole, members)


def joined(models: Models, members: list[list[int]]) -> Models:
    """Make one model of each group of row numbers; rows of a group are never listed in the same snapshot."""
    newest = []
    for group in members:
        last = [int(np.flatnonzero(models.listed[each]).max(initial=-1)) for each in group]
        newest.append(group[int(np.argmax(last))])
    order = sorted(range(len(members)), key=lambda at: models.names[newest[at]])
    members, newest = [members[at] for at in order], [newest[at] for at in order]

    def merge(matrix: Matrix) -> Matrix:
        merged = np.full((len(members), matrix.shape[1]), np.nan)
        for at, group in enumerate(members):
            for each in group:
                merged[at] = np.where(np.isnan(merged[at]), matrix[each], merged[at])
        return merged

    def known(texts: list[str] | list[str | None], at: int) -> str | None:
        """Return the text of the newest name if known, else that of another name."""
        group = members[at]
        said = [texts[each] for each in (newest[at], *group) if texts[each] not in (None, "unknown", UNKNOWN)]
        return said[0] if said else texts[newest[at]]

    everyone = range(len(members))
    shape = (0, models.listed.shape[1])
    return Models(
        dates=models.dates,
        names=[models.names[each] for each in newest],
        providers=[known(models.providers, at) or "unknown" for at in everyone],
        licenses=[known(models.licenses, at) for at in everyone],
        classes=[known(models.classes, at) or UNKNOWN for at in everyone],
        listed=np.array([models.listed[group].any(axis=0) for group in members], dtype=bool).reshape(-1, shape[1]),
        votes=merge(models.votes),
        rank=merge(models.rank),
        score=merge(models.score),
        lower=merge(models.lower),
        upper=merge(models.upper),
        place=merge(models.place),
        called=np.array([models.called[group].max(axis=0) for group in members], dtype=np.int64).reshape(-1, shape[1]),
        spellings=models.spellings,
    )
