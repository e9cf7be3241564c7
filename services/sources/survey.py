"""Survey of the whole file before the first vote is read: what only all rows together show.

The survey finds whether the winner's cell holds a name or a side, what its numbers mean, whether dates put the month
or the day first, whether ids identify votes, whether weights are whole numbers, and which values unused columns hold.

Ids of a file of the contract's shape: the same id with the same content is one vote sent twice. The same id with
another pair of models cannot be one vote. If more than 1 in 100 ids are like that, or 1 in 10 ids have several
outcomes, the ids identify something else (questions, sessions, items with several voters), and every row is a vote,
except rows that repeat another row in every field. If fewer are, they are slips and changed votes: the first row of an
id counts, as in the stream, and a note reports it. The same id with the same pair and outcome at another time was sent
again.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.sources import cells as cell
from services.sources import clocks, spelling, times
from services.sources.base import Cells, in_rows
from services.sources.distinct import all_different
from services.sources.fields import Fitted
from services.sources.outcomes import Said
from services.sources.refusals import must_be_few
from streams.contracts.names import normalised

SLIPS = 0.01
"""Share of ids that may occur with several pairs of models while the ids still identify votes."""

CHANGED, LEAST_CHANGED = 0.1, 5
"""From this share and number of ids with several outcomes on, ids do not identify votes; fewer are changed votes."""

EACH_ITEM = "each"

TELLS = ("voter", "prompt_hash", "language", "battle")
"""Optional fields that distinguish two votes with the same time."""

FEW_WORDS = 6
"""A column with up to this many words may say which rows count."""


@dataclass(slots=True)
class SurveyResult:
    """Result of the survey; a pipe, which is not surveyed, has the defaults.

    Attributes
    ----------
    said
        Number of rows by first model, outcome as written, and second model.
    ids
        Ids of votes are the file's `own`, are hashed from the row's `content`, or are `numbered`.
    unique
        Whether no id occurs twice.
    order
        Whether the month or the day comes first in numeric dates; None when unknown.
    writing
        How numbers in the time column encode times.
    whole_weights
        Whether there are weights, all whole numbers and not all 1.
    notes
        Notes for the user.
    """

    said: Counter[Said] = field(default_factory=Counter)
    ids: Literal["own", "content", "numbered"] = "numbered"
    unique: bool = False
    order: times.Order | None = None
    writing: clocks.Writing = "seconds"
    whole_weights: bool = False
    notes: list[str] = field(default_factory=list)


class Survey:
    """Surveys rows, block by block."""

    def __init__(self, fitted: Fitted, arena: str | None, *, times: bool) -> None:
        self._fitted = fitted
        self._times = times
        self._arena = arena
        self._said: Counter[Said] = Counter()
        self._ids, self._pairs, self._outcomes, self._contents = (array("q") for _ in range(4))
        self._dates: set[tuple[int, int]] = set()
        self._votes = 0
        self._clock = clocks.TimeNumbers()
        self._rows, self._whens = array("q"), array("q")
        self._weights = {"whole": 0, "other": 0, "one": 0}
        self._watched: dict[str, Counter[str]] = {column: Counter() for column in fitted.watched}

    def look(self, cells: Cells, count: int) -> None:
        """Add `count` rows; `cells` maps every key of the fitted layout to its cells."""
        fitted = self._fitted
        at, _ = chosen_rows(fitted, cells, count)
        if at is not None:
            cells, count = {key: [column[each] for each in at] for key, column in cells.items()}, len(at)
        places = fitted.places
        said: list[Said] = []
        if not fitted.layout.each:
            a, b = names_of(fitted, cells)
            said = list(zip(a, said_of(fitted, cells, count), b, strict=True))
            try:
                self._said.update(said)
            except TypeError:
                said = hashable(said)
                self._said.update(said)
        if "tstamp" in places:
            whens = cell.values(places["tstamp"], cells)
            self._dates |= times.numeric_dates(whens)
            self._clock.look(whens)
            if self._times and said and not fitted.contract:
                self._look_at_repeats(cells, said, whens)
        if "id" in places:
            self._look_at_ids(cells, said)
        if "count" in places:
            self._votes += sum(cell.whole(value) or 0 for value in cell.values(places["count"], cells))
        if "weight" in places and "count" not in places:
            for value in cell.values(places["weight"], cells):
                whole = cell.whole(value)
                self._votes += whole or 0
                self._weights["other" if whole is None else "one" if whole == 1 else "whole"] += 1
        for column, place in fitted.watched.items():
            self._watched[column].update(_shown(value) for value in cell.values(place, cells))

    def _look_at_repeats(self, cells: Cells, said: Sequence[Said], whens: Sequence[object]) -> None:
        """Hash every field that is read of each row, for files whose ids do not identify votes."""
        told = [cell.values(self._fitted.places[name], cells) for name in TELLS if name in self._fitted.places]
        moments = list(map(hash, map(str, whens)))
        self._whens.extend(moments)
        self._rows.extend(map(hash, zip(said, moments, *(map(str, column) for column in told), strict=True)))

    def _look_at_ids(self, cells: Cells, said: Sequence[Said]) -> None:
        places = self._fitted.places
        ids = cell.values(places["id"], cells)
        if not self._fitted.contract:
            self._ids.extend([hash(each) for each in ids if isinstance(each, str | int | float) and each != ""])
            return
        keys: Sequence[object] = ids
        if "arena" in places and self._arena is None:
            keys = list(zip(ids, map(str, cell.values(places["arena"], cells)), strict=True))
        whens = cell.values(places["tstamp"], cells)
        try:
            hashes = list(map(hash, keys))
            contents = list(map(hash, zip(keys, said, whens, strict=True)))
        except TypeError:  # a list or an object where an id or a time should be
            hashes, contents = list(map(hash, map(repr, keys))), list(map(hash, map(repr, whens)))
        pairs = [hash(each[0]) ^ hash(each[2]) for each in said]
        outcomes = [hash((pair, str(each[1]))) for pair, each in zip(pairs, said, strict=True)]
        if "" in ids or None in ids:
            there = [at for at, own in enumerate(ids) if own not in ("", None)]
            columns = (hashes, pairs, outcomes, contents)
            hashes, pairs, outcomes, contents = ([column[at] for at in there] for column in columns)
        self._ids.extend(hashes)
        self._pairs.extend(pairs)
        self._outcomes.extend(outcomes)
        self._contents.extend(contents)

    def found(self) -> SurveyResult:
        """Result of the survey after the last block."""
        found = SurveyResult(said=self._said, order=times.order_of(self._dates))
        fitted = self._fitted
        if "tstamp" in fitted.places and self._times:
            found.writing = self._clock.writing(fitted.column("tstamp"), found.notes)
        if "id" in fitted.places:
            found.unique = all_different(self._ids)
            if found.unique:
                found.ids = "own"
            elif fitted.contract:
                self._judge_ids(found)
        if "weight" in fitted.places and "count" not in fitted.places:
            self._judge_weights(found)
        if "count" in fitted.places:
            must_be_few(self._votes, fitted.column("count"))
            found.notes.append(f"column {fitted.column('count')!r} says how many votes a row stands for")
        if found.ids == "numbered" and "count" not in fitted.places and not found.whole_weights:
            self._judge_repeats(found)
        for column, counts in self._watched.items():
            if len(counts) > 1 and (usable := _usable(counts)) is not None:
                held = ", ".join(f"{value or 'empty'} {in_rows(rows)}" for value, rows in counts.most_common(3))
                found.notes.append(
                    f"column {column!r} is not used ({held}): --only {column}={usable} counts those rows alone"
                )
        return found

    def _judge_ids(self, found: SurveyResult) -> None:
        import numpy as np

        ids = np.frombuffer(self._ids, dtype=np.int64)
        distinct = len(np.unique(ids))
        if not distinct:
            return
        contents = len({*self._contents})
        conflicting = _several(self._ids, self._pairs, distinct)
        changed = _several(self._ids, self._outcomes, distinct)
        column = self._fitted.column("id")
        if conflicting > SLIPS * distinct or changed >= max(LEAST_CHANGED, CHANGED * distinct):
            found.ids = "content"
            found.notes.append(
                f"column {column!r} does not name single votes: {max(conflicting, changed):,} of {distinct:,} ids come"
                " with several pairs of models or outcomes; every row counts, but for those that repeat another in"
                " everything"
            )
            return
        found.ids = "own"
        if contents > distinct:
            what = f", {changed:,} ids with other models or outcomes" if changed else ""
            found.notes.append(
                f"{contents - distinct:,} rows come again under a known id with another content{what}: the first row of"
                " an id counts"
            )

    def _judge_repeats(self, found: SurveyResult) -> None:
        """Add a note if more rows repeat another one in every field than votes of one moment do by chance."""
        import numpy as np

        rows, votes = len(self._rows), self._said.total()
        if not rows or rows != votes:
            return
        repeats = rows - len(np.unique(np.frombuffer(self._rows, dtype=np.int64)))
        moments = len(np.unique(np.frombuffer(self._whens, dtype=np.int64)))
        alike = sum((number / votes) ** 2 for number in self._said.values())
        by_chance = rows * (rows - 1) / 2 * alike / moments
        if repeats > 2 + 3 * by_chance:
            found.notes.append(
                f"{repeats:,} rows repeat another in models, outcome and time, and no id tells whether they are the"
                " same votes, as where two exports overlap: all count"
            )

    def _judge_weights(self, found: SurveyResult) -> None:
        column = self._fitted.column("weight")
        if self._weights["other"]:
            rows = self._weights["other"]
            found.notes.append(
                f"column {column!r} is not used: {in_rows(rows)} it is no whole number, so every row counts once"
            )
        elif self._weights["whole"]:
            must_be_few(self._votes, column)
            found.whole_weights = True
            found.notes.append(
                f"column {column!r} is used: a row counts as often as it says, in ratings and in intervals"
            )


def _several(ids: array[int], values: array[int], distinct: int) -> int:
    """Number of ids that occur with several values."""
    different = {*zip(ids, values, strict=True)}
    if len(different) == distinct:
        return 0
    return sum(number > 1 for number in Counter(own for own, _ in different).values())


def chosen_rows(fitted: Fitted, cells: Cells, count: int) -> tuple[list[int] | None, Counter[str]]:
    """Positions of the rows that may be votes (None for all), and the number of rows that each rule leaves out."""
    left_out: Counter[str] = Counter()
    keep = [True] * count
    for place, wanted in fitted.only.items():
        allowed = {each.casefold() for each in wanted}
        name = ".".join((fitted.taken[place[0][0]], *place[0][1]))
        for position, value in enumerate(cell.values(place, cells)):
            if keep[position] and _shown(value).casefold() not in allowed:
                keep[position] = False
                left_out[f"{name} is not {' or '.join(wanted)}"] += 1
    shown: Sequence[object] | None = None
    if fitted.anonymous is not None:
        place, hidden = fitted.anonymous
        shown = ["" if each is None else str(each) for each in cell.values(place, cells)]
        known = [each in hidden for each in shown]
    elif "anony" in fitted.places:
        known = [cell.flag(each) is not False for each in cell.values(fitted.places["anony"], cells)]
    else:
        known = []
    for position, anonymous in enumerate(known):
        if keep[position] and not anonymous:
            keep[position] = False
            left_out["not anonymous"] += 1
    return (None if all(keep) else [at for at in range(count) if keep[at]]), left_out


class _Normalised(dict[object, object]):
    """Cell to normalised name; a cell that is no text stays as it is, so that the contract refuses it."""

    def __missing__(self, value: object) -> object:
        if len(self) > 100_000:
            self.clear()
        text = spelling.text(value)
        made = self[value] = "" if text is None else normalised(text) if isinstance(text, str) else text
        return made


_names = _Normalised()


def names_of(fitted: Fitted, cells: Cells) -> tuple[list[object], list[object]]:
    """The normalised names of both models, empty where there is none."""
    sides = []
    for side in ("model_a", "model_b"):
        given = cells[EACH_ITEM] if fitted.layout.each == side else cell.values(fitted.places[side], cells)
        try:
            sides.append(list(map(_names.__getitem__, given)))
        except TypeError:  # an object where a name should be
            sides.append([_names[each] if isinstance(each, str | int | float | None) else each for each in given])
    return sides[0], sides[1]


def said_of(fitted: Fitted, cells: Cells, count: int) -> Sequence[object]:
    """Each row's outcome: a cell, a tuple of cells that must agree, `("is", meaning)`, or a tuple as in `CONTRARY`."""
    if "winner" in fitted.places:
        said: Sequence[object] = cell.values(fitted.places["winner"], cells)
    elif fitted.agree:
        said = list(zip(*(cell.values(place, cells) for place in fitted.agree), strict=True))
    else:
        said = [("is", fitted.layout.outcome) if fitted.layout.outcome else None] * count
    if not fitted.flags:
        return said
    meanings = list(fitted.flags.values())
    columns = [fitted.taken[place[0][0]] for place in fitted.flags]
    flags = [cell.values(place, cells) for place in fitted.flags]
    beside = "winner" in fitted.places or bool(fitted.agree)
    told: list[object] = []
    for one, *row in zip(said, *flags, strict=True):
        read = list(map(cell.flag, row))
        held = {meaning for meaning, flag in zip(meanings, read, strict=True) if flag is True}
        denied = {meaning for meaning, flag in zip(meanings, read, strict=True) if flag is False}
        strange = [flag for flag in row if cell.flag(flag) is None and _shown(flag)]
        if strange:
            told.append(_shown(strange[0]))  # no known word: the row is refused
            continue
        if not held:
            told.append(one)
            continue
        shown = " and ".join(f"{column} {flag}" for column, flag in zip(columns, row, strict=True))
        if len(held) > 1 or held & denied:
            told.append(("contrary", shown))
        elif beside:
            winner = " and ".join(map(_shown, one)) if isinstance(one, tuple) else _shown(one)
            told.append(("flag", *held, one, f"{shown} beside the winner {winner!r}"))
        else:
            told.append(("is", *held))
    return told


def hashable(said: Sequence[Said]) -> list[Said]:
    """`said` with lists and objects as their repr; they are neither names nor words, so each such row is refused."""
    made: list[Said] = []
    for each in said:
        try:
            hash(each)
            made.append(each)
        except TypeError:
            a, cell, b = (one if isinstance(one, str | int | float | None) else repr(one) for one in each)
            made.append((a, cell, b))
    return made


def _shown(value: object) -> str:
    found = cell.unfolded(value)
    text = spelling.text(found)
    return "" if text is None else str(text)


def _usable(counts: Mapping[str, int]) -> str | None:
    """The value that may mark the rows that count; None when the column does not look like such a mark.

    It is the yes of a column of yes and no, the most frequent of at most `FEW_WORDS` words, or, of more words, the
    empty cell if there is one (as in a column of removal times). A column with other numbers gives None.
    """
    yes = [value for value in counts if cell.flag(value) is True]
    no = [value for value in counts if cell.flag(value) is False]
    if len(yes) == 1 and len(no) <= 1 and len(counts) <= 3:
        return yes[0]
    if any(isinstance(spelling.number(value), int | float) for value in counts):
        return None
    if len(counts) <= FEW_WORDS:
        return max(counts, key=lambda value: counts[value])
    return "" if "" in counts else None
