"""Columns that may have the meaning of a used one: both must agree in every row, else it is unknown which one counts.

A file with `winner` and `preference`, or with `tstamp` and `timestamp`, holds one thing twice or two things. If both
columns agree in every row, a note reports the second one as redundant. If they differ in the models, the outcome, the
time or the number of votes, reading stops with an error that names the first such row. If they differ in the voter or
the language, a note names the column that is not used. Columns that the user named are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.sources import cells as cell
from services.sources import spelling, times
from services.sources.base import Cells, SourceError
from services.sources.fields import Fitted
from services.sources.layout import Layout, number, shipped, word
from services.sources.outcomes import SCORE, Outcomes, Said
from services.sources.survey import chosen_rows, hashable, names_of, said_of
from services.sources.table import TableBlock
from streams.contracts.names import normalised

OFTEN_OTHER = ("label", "score", "points", "vote", "choice", "result", "outcome", "tie", "draw")
"""Column names that often mean other things than outcomes: if no cell is an outcome, a note is enough."""

TOLD = ("voter", "language")
"""Fields whose second column only causes a note and not an error: no rating depends on them."""


@dataclass(slots=True)
class Rival:
    """One or several columns that may have the meaning of a used column.

    Attributes
    ----------
    field
        Field of the vote.
    columns
        Names in the file: one, or several for an outcome in flags or in two names.
    taken
        The column that is used.
    layout
        For an outcome, the layout that gives the meaning of its words and numbers.
    loser
        Whether the column holds the loser's name.
    over
        Whether the used outcome is given by the order of two names, winner first.
    differs
        Place and both cells of the first row in which they differ; None while they agree.
    """

    field: str
    columns: tuple[str, ...]
    taken: str
    layout: Layout | None = None
    loser: bool = False
    over: bool = False
    differs: tuple[str, str, str] | None = None

    @property
    def named(self) -> str:
        """The columns, for a message."""
        return " with ".join(map(repr, self.columns))

    def stop(self) -> str:
        """The error message: what differs, and how to choose."""
        where, ours, theirs = self.differs or ("", "", "")
        return (
            f"columns {self.taken!r} and {self.named} may both be the {self.field} and differ, first at {where}:"
            f" {ours[:60]!r} and {theirs[:60]!r}. {self.choice()}"
        )

    def choice(self) -> str:
        """The options by which the user can choose."""
        ways = [f"--columns {self.field}={self.taken}"] if " with " not in self.taken and not self.over else []
        if len(self.columns) == 1 and not self.loser:
            ways.append(f"--columns {self.field}={self.columns[0]}")
        elif self.layout is not None and not self.loser:
            ways.append(f"--layout {self.layout.name}")
        return f"Choose: {', '.join(ways)}, a --layout (--layouts lists them), or rename one"


def rivals_of(fitted: Fitted, found: Sequence[str], chosen: Mapping[str, str], *, forced: bool) -> list[Rival]:
    """Columns that the layouts know under the same meaning as a used one.

    Parameters
    ----------
    fitted
        The layout, fitted to the file's columns.
    found
        Names of the file's columns.
    chosen
        Fields that the user named columns for; they have no rivals.
    forced
        Whether the user chose the layout: then only its own column names count.
    """
    layouts = [fitted.layout] if forced else [fitted.layout, *shipped().values()]
    if fitted.layout.each:  # a row has several second models
        return []
    used = {*fitted.taken.values()} | {name for name in found if name.casefold() in _marks(fitted.layout)}
    left: dict[str, list[str]] = {}
    for name in dict.fromkeys(found):
        if name not in used and name.strip():
            left.setdefault(name.strip().casefold(), []).append(name)
    rivals = [] if {"model_a", "model_b"} & {*chosen} else _models(fitted, layouts, left)
    if "winner" not in chosen:
        rivals += _outcomes(fitted, layouts, left)
    for field in ("tstamp", "count", "weight", "anony", *TOLD):
        if field in fitted.places and field not in chosen:
            taken = fitted.column(field) or ""
            names = [*fitted.layout.columns.get(field, ()), taken]
            rivals += [Rival(field, (name,), taken) for name in _there(names, left)]
    return rivals


def _marks(layout: Layout) -> set[str]:
    return {mark.casefold() for mark in layout.marks}


def _there(names: Iterable[str], left: Mapping[str, Sequence[str]]) -> list[str]:
    found = [name for each in names for name in left.get(each.strip().casefold(), ())]
    return list(dict.fromkeys(found))


def _models(fitted: Fitted, layouts: Sequence[Layout], left: Mapping[str, Sequence[str]]) -> list[Rival]:
    taken = {side: fitted.column(side) or "" for side in ("model_a", "model_b")}
    same = [Rival(side, (name,), column) for side, column in taken.items() for name in _there([column], left)]
    pairs = dict.fromkeys(pair for layout in layouts if not layout.outcome for pair in layout.models)
    for pair in pairs:
        there = [_there([name], left) for name in pair]
        if all(there):
            sides = zip(taken.items(), there, strict=True)
            same += [Rival(side, (name,), column) for (side, column), names in sides for name in names]
    return [rival for at, rival in enumerate(same) if rival not in same[:at]]


def _outcomes(fitted: Fitted, layouts: Sequence[Layout], left: Mapping[str, Sequence[str]]) -> list[Rival]:
    taken = fitted.column("winner") or " with ".join(
        fitted.taken[place[0][0]] for place in (*fitted.flags, *fitted.agree, *fitted.counts.values())
    )
    over = not taken or bool(fitted.layout.outcome)
    if over:
        taken = f"{fitted.column('model_a')} over {fitted.column('model_b')}"
    rivals: dict[tuple[str, ...], Rival] = {}
    for layout in layouts:
        if layout.marks and layout is not fitted.layout:
            continue
        for name in _there([*layout.columns.get("winner", ()), fitted.column("winner") or ""], left):
            rivals.setdefault((name,), Rival("winner", (name,), taken, layout))
        for winner, loser in layout.models if layout.outcome else ():
            a, b = _there([winner], left), _there([loser], left)
            if a and b:
                rivals.setdefault((a[0], b[0]), Rival("winner", (a[0], b[0]), taken, layout))
            elif b and winner == taken.strip().casefold():
                rivals.setdefault((b[0],), Rival("winner", (b[0],), taken, layout, loser=True))
        flags = [_there([name], left) for name in layout.flags]
        if layout.outcome:  # each is a flag of its own
            for name in (name for names in flags for name in names):
                rivals.setdefault((name,), Rival("winner", (name,), taken, layout))
        elif flags and all(flags):
            names = tuple(each[0] for each in flags)
            rivals.setdefault(names, Rival("winner", names, taken, layout))
    return [replace(rival, over=over) for rival in rivals.values()]


class Comparison:
    """Compares rivals with the used columns, block by block; outcomes at the end, when their words have a meaning."""

    def __init__(self, fitted: Fitted, rivals: Sequence[Rival]) -> None:
        self._fitted = fitted
        self._rivals = rivals
        self.columns = list(dict.fromkeys(name for rival in rivals for name in rival.columns))
        self._said: list[dict[tuple[Said, object], str]] = [{} for _ in rivals]

    def look(self, block: TableBlock) -> None:
        """Compare the rows of a block that may be votes."""
        if not self._rivals:
            return
        cells = self._fitted.cells(block.cells)
        at, _ = chosen_rows(self._fitted, cells, len(block.rows))
        rows = list(range(len(block.rows))) if at is None else at
        names = names_of(self._fitted, cells)
        outcomes = said_of(self._fitted, cells, len(block.rows))
        for rival, said in zip(self._rivals, self._said, strict=True):
            theirs = [block.cells[column] for column in rival.columns]
            if rival.field != "winner":
                if rival.differs is None:
                    self._compare(rival, rows, cells, names, theirs[0], block)
                continue
            ours = hashable(list(zip(names[0], outcomes, names[1], strict=True)))
            for row in rows:
                told = _outcome(rival, ours[row], [column[row] for column in theirs])
                key = ours[row], told if isinstance(told, str | int | float | tuple | None) else repr(told)
                if key not in said:
                    said[key] = block.where(block.rows[row])

    def _compare(
        self,
        rival: Rival,
        rows: Sequence[int],
        cells: Cells,
        names: tuple[Sequence[object], Sequence[object]],
        theirs: Sequence[object],
        block: TableBlock,
    ) -> None:
        if rival.field in ("model_a", "model_b"):
            ours: Sequence[object] = names[rival.field == "model_b"]
        else:
            ours = cell.values(self._fitted.places[rival.field], cells)
        same = SAME[rival.field]
        for row in rows:
            if ours[row] != theirs[row] and not same(ours[row], theirs[row]):
                rival.differs = block.where(block.rows[row]), str(ours[row]), str(theirs[row])
                return

    def check(self, outcomes: Outcomes) -> list[str]:
        """Notes for the user on the rivals; `outcomes` gives the meanings of the used outcome column.

        Raises
        ------
        SourceError
            When a rival differs in a field that ratings depend on.
        """
        notes = []
        for rival, said in zip(self._rivals, self._said, strict=True):
            if rival.field == "winner" and (note := _of_outcomes(rival, said, outcomes)) is not None:
                notes.append(note)
                continue
            if rival.differs is None:
                notes.append(f"column {rival.named} says the same as {rival.taken!r} in every row and is not used")
            elif rival.field in TOLD:
                notes.append(
                    f"{rival.named} may be the {rival.field}, too, and says other things than {rival.taken!r}, which is"
                    f" taken: --columns {rival.field}={rival.columns[0]} takes it instead"
                )
            else:
                raise SourceError(rival.stop())
        return notes


def _outcome(rival: Rival, ours: Said, theirs: Sequence[object]) -> object:
    """The outcome in the cells of a rival: a word, `("is", meaning)` or `("is no", meaning)`; None when empty."""
    layout = rival.layout
    if rival.loser:
        name = normalised(str(spelling.text(theirs[0]) or ""))
        sides = {ours[0]: "model_b", ours[2]: "model_a"}
        return ("is", sides[name]) if name in sides else name or None
    if layout is None or (len(theirs) == 1 and not _is_flag(rival.columns[0], layout)):
        return theirs[0]
    if len(theirs) == 2:
        return _won(ours, theirs)
    known = {name.casefold(): meaning for name, meaning in layout.flags.items()}
    meanings = [known[name.strip().casefold()] for name in rival.columns]
    held = [meaning for meaning, flag in zip(meanings, theirs, strict=True) if cell.flag(flag) is True]
    if len(held) == 1:
        return ("is", held[0])
    if held or len(theirs) > 1:
        return " and ".join(held) or None
    return ("is no", meanings[0]) if cell.flag(theirs[0]) is False else theirs[0]


def _is_flag(column: str, layout: Layout) -> bool:
    return column.strip().casefold() in map(str.casefold, layout.flags)


def _won(ours: Said, theirs: Sequence[object]) -> object:
    """The outcome given by two names, winner first."""
    names = [normalised(str(spelling.text(each) or "")) for each in theirs]
    if not all(names):
        return None
    if (names[0], names[1]) in ((ours[0], ours[2]), (ours[2], ours[0])):
        return ("is", "model_a" if names[0] == ours[0] else "model_b")
    return " over ".join(names)


def _of_outcomes(rival: Rival, said: Mapping[tuple[Said, object], str], outcomes: Outcomes) -> str | None:
    """Find the first row that differs; returns a note when the column holds no outcomes."""
    layout = rival.layout
    if layout is None:
        return None
    theirs = Outcomes(layout, None, None, None)
    numbers = {value for (_, told) in said if (value := number(str(told))) is not None}
    as_score = bool(numbers) and numbers <= {*SCORE}
    known = 0
    for (ours, told), where in said.items():
        if told is None or (not isinstance(told, tuple) and not word(str(told))):
            continue  # an empty cell has no meaning
        a, _, b = ours
        if isinstance(told, tuple):
            meanings: set[str | None] = {told[1]}
        elif (value := number(str(told))) is not None and str(told) not in (a, b):
            meanings = {SCORE[value]} if as_score else {None}
        else:
            meanings = theirs.meanings((a, told, b))
        known += meanings != {None}
        if outcomes[ours] is None or any(_agree(outcomes[ours], meaning, told) for meaning in meanings):
            continue
        if rival.differs is None:
            shown = told if not isinstance(told, tuple) else f"{'not ' if told[0] == 'is no' else ''}{told[1]}"
            rival.differs = where, str(outcomes[ours]), str(shown)
    other = rival.columns[0].strip().casefold() in OFTEN_OTHER or len(rival.columns) > 1
    if not known and other:
        rival.differs = None
        return f"column {rival.named} holds no outcomes and is not used"
    return None


def _agree(ours: str | None, theirs: str | None, told: object) -> bool:
    ties = ("tie", "both_bad")
    if isinstance(told, tuple) and told[0] == "is no":
        return ours not in ties or ours == "both_bad"
    return ours == theirs or (ours in ties and theirs in ties)


def _same_text(ours: object, theirs: object) -> bool:
    texts = [spelling.text(each) for each in (ours, theirs)]
    return texts[1] is None or normalised(str(texts[0])) == normalised(str(texts[1]))


def _same_time(ours: object, theirs: object) -> bool:
    """Whether two cells are the same moment, or one of them is only the day of the other."""
    first, second = times.moments(ours), times.moments(theirs)
    if ours in (None, "") or theirs in (None, ""):
        return True
    pairs = [(a, b) for a in first for b in second]
    return any(abs(a - b) < 1 or (a // 86_400 == b // 86_400 and 0 in (a % 86_400, b % 86_400)) for a, b in pairs)


def _same_count(ours: object, theirs: object) -> bool:
    return theirs in (None, "") or spelling.number(ours) == spelling.number(theirs)


def _same_flag(ours: object, theirs: object) -> bool:
    return cell.flag(theirs) is None or cell.flag(ours) == cell.flag(theirs)


SAME: dict[str, Callable[[object, object], bool]] = {
    **dict.fromkeys(("model_a", "model_b", *TOLD), _same_text),
    **dict.fromkeys(("count", "weight"), _same_count),
    "tstamp": _same_time,
    "anony": _same_flag,
}
"""Field to the function that compares a used cell with a rival's."""
