"""The outcome of a row: the winner's cell is compared with the names of the row first, then with the known words.

If a cell may be a name or a side and the readings differ (models called A and B, `left` and `right`), the other rows
decide; if both readings remain possible, reading stops with an error. Numbers are read only where the layout, the user
or the file's own class names give their meaning, or where ½ among 0 and 1 shows that they are scores of the first
model. A data set's card beside the file may name the classes (Hugging Face's `ClassLabel`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from services.sources import spelling
from services.sources.base import SourceError
from services.sources.layout import Layout, number, word
from streams.contracts.names import normalised

By = Literal["name", "side"]
Said = tuple[object, object, object]
"""The first model's name, the outcome as written in the row, the second model's name; a cell that is no text stays."""

SCORE = {1.0: "model_a", 0.5: "tie", 0.0: "model_b"}
CONTRARY = ("flag", "contrary")
"""Tags of outcomes that may contradict themselves: `("flag", meaning, the winner's cell, text)` for a flag beside a
winner, and `("contrary", text)` for flags that differ."""
SIDES = ("model_a", "model_b")


class Outcomes(dict[Said, "str | None"]):
    """Meaning of each outcome as written; None when unknown, `skip` when the row is no vote.

    Parameters
    ----------
    layout
        The layout, with its words and numbers.
    words
        The user's own words; they override all others.
    by
        What the winner's cell holds, if the user states it.
    labels
        Names of the classes 0, 1, …, if the file declares them.
    """

    def __init__(
        self, layout: Layout, words: Mapping[str, str] | None, by: By | None, labels: Sequence[str] | None
    ) -> None:
        super().__init__()
        own = {word(each): meaning for each, meaning in (words or {}).items()}
        self._words = {**layout.words, **own}
        self._declared = {*layout.own_words, *own}
        self._score = layout.numbers == "score"
        self._labels = labels
        self._by: By | None = by
        self._taken: list[str] = []

    def decide(self, said: Counter[Said]) -> None:
        """Choose the reading that all rows allow; `said` counts the rows.

        Raises
        ------
        SourceError
            When two readings are possible.
        """
        self._decide_numbers(said)
        if self._by is None and self._layout_reads_names(said):
            self._decide_by(said)
        self.clear()

    @property
    def numbers_are(self) -> str:
        """Description of how numbers were read; empty when there were none."""
        return ", ".join(dict.fromkeys(self._taken))

    def __missing__(self, said: Said) -> str | None:
        found = self[said] = self._read(said)
        return found

    def _read(self, said: Said) -> str | None:
        a, cell, b = said
        if isinstance(cell, tuple):
            if cell[:1] == ("is",):
                return str(cell[1])
            if cell[:1] == ("contrary",):
                return None
            if cell[:1] == ("flag",):
                return self._flagged(a, cell[1], cell[2], b)
            each = {self[(a, one, b)] for one in cell}
            if None in each or "skip" in each:
                return None if None in each else "skip"
            return each.pop() if len(each) == 1 else "tie"
        by_word, by_name = self._by_word(cell), _by_name(said)
        if by_name is None or by_name == by_word:
            return by_word
        if by_word is None or self._by == "name":
            return by_name
        return by_word if self._by == "side" else None

    def _flagged(self, a: object, meaning: str, winner: object, b: object) -> str | None:
        """Meaning of a flag beside a winner: both must agree, or the winner must be empty."""
        if not _text(winner).strip():
            return meaning
        ties = ("tie", "both_bad")
        said = self[(a, winner, b)]
        return meaning if said == meaning or (said in ties and meaning in ties) else None

    def _by_word(self, cell: object) -> str | None:
        text = _text(cell)
        if text == "None" and word(text) not in self._declared:
            return None  # Python's None: may be a tie or no vote, so it is not read
        if self._labels is not None and (at := number(text)) is not None and 0 <= at < len(self._labels):
            text = self._labels[int(at)]
        meaning = self._words.get(word(text)) if text or "" in self._declared else None
        if meaning is None and self._score and (value := number(text)) is not None:
            return SCORE.get(value)
        return meaning

    def meanings(self, said: Said) -> set[str | None]:
        """All meanings that a cell may have, by the words and by the names of its row; {None} when it has none."""
        return {self._by_word(said[1]), _by_name(said)} - {None} or {None}

    def _decide_numbers(self, said: Counter[Said]) -> None:
        counts = set()
        for each in said:
            cell = each[1]
            if isinstance(cell, tuple) or self._by_word(cell) is not None or _by_name(each) is not None:
                continue
            if (value := number(_text(cell))) is not None:
                counts.add(value)
        if 0.5 in counts and counts <= {*SCORE}:
            self._score = True
        numbers = {value for each in said if (value := self._unnamed_number(each)) is not None}
        if self._labels is not None and any(0 <= value < len(self._labels) for value in numbers):
            classes = ", ".join(f"{at}={name}" for at, name in enumerate(self._labels))
            self._taken.append(f"the classes that the file or its README.md names ({classes})")
        elif self._score and numbers & {*SCORE}:
            self._taken.append("what the first model scored: 1 won, 0.5 drew, 0 lost")

    def _unnamed_number(self, each: Said) -> float | None:
        """The number in the winner's cell; None when it is no number, a known word or a name."""
        text = "" if isinstance(each[1], tuple) else _text(each[1])
        return None if word(text) in self._words or _by_name(each) is not None else number(text)

    def _layout_reads_names(self, said: Counter[Said]) -> bool:
        return any(not isinstance(each[1], tuple) and self._differs(each) for each in said)

    def _differs(self, each: Said) -> bool:
        by_word, by_name = self._by_word(each[1]), _by_name(each)
        return by_word is not None and by_name is not None and by_word != by_name

    def _decide_by(self, said: Counter[Said]) -> None:
        """Choose names if some rows can only be names, sides if some can only be sides; raise if both or neither."""
        names = sides = 0
        doubtful = {word(_text(each[1])) for each in said if not isinstance(each[1], tuple) and self._differs(each)}
        for each, rows in said.items():
            by_word, by_name = self._by_word(each[1]), _by_name(each)
            names += rows if by_name is not None and by_word is None else 0
            is_word = by_word in SIDES or (by_word is not None and word(_text(each[1])) in doubtful)
            sides += rows if by_name is None and is_word else 0
        if (names > 0) != (sides > 0):
            self._by = "name" if names else "side"
            return
        example = next(each for each in said if self._differs(each))
        raise SourceError(
            f"the winner {_text(example[1])!r} of a battle of {example[0]!r} and {example[2]!r} may be a"
            f" model's name or a"
            " side, and the other rows do not tell: --winner-is name or --winner-is side"
        )


def _by_name(said: Said) -> str | None:
    a, cell, b = said
    if isinstance(cell, tuple):
        return None
    name = normalised(_text(cell))
    if name in (a, b):
        return "model_a" if name == a else "model_b"
    folded = name.casefold()
    same = [side for side, each in zip(SIDES, (a, b), strict=True) if str(each).casefold() == folded and name]
    return same[0] if len(same) == 1 else None


def _text(cell: object) -> str:
    found = spelling.text(cell)
    return "" if found is None else str(found)


_LABEL_NAME = re.compile(r"^\s*-\s*name:\s*[\"']?(.*?)[\"']?\s*$")
_LABEL_CLASS = re.compile(r"^\s*[\"']?(\d+)[\"']?\s*:\s*[\"']?(.*?)[\"']?\s*$")


def labels_beside(folder: Path | None, column: str | None) -> Sequence[str] | None:
    """Class names from `README.md` in the file's folder or the one above; None when it has none for the column."""
    for each in (folder, folder.parent) if column and folder else ():
        try:
            text = (each / "README.md").read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        return labels_of_card(text, column or "")
    return None


def labels_of_card(text: str, column: str) -> Sequence[str] | None:
    r"""Names of a column's classes from the front matter of a data set's card.

    >>> names = "    dtype:\n      class_label:\n        names:\n          '0': a\n          '1': b\n"
    >>> card = "features:\n  - name: winner\n" + names
    >>> labels_of_card(card, "winner"), labels_of_card(card, "other")
    (['a', 'b'], None)
    """
    inside = False
    names: dict[int, str] = {}
    for line in text.splitlines():
        if (found := _LABEL_NAME.match(line)) is not None:
            if names:
                break
            inside = found[1] == column
        elif inside and (found := _LABEL_CLASS.match(line)) is not None:
            names[int(found[1])] = found[2]
    return [names[at] for at in range(len(names))] if names and {*names} == {*range(len(names))} else None
