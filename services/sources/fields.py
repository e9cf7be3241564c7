"""Which column of a file is which field of a vote: fits the layouts to the names of the columns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from services.sources.base import Cells, SourceError
from services.sources.layout import Layout, common, named, shipped
from streams.contracts.vote import STYLE_FIELDS

CONTRACT = ("id", "model_a", "model_b", "winner", "tstamp")
COUNTS = {"wins_a": "model_a", "wins_b": "model_b", "ties": "tie", "both_bad": "both_bad"}
"""Field of a row that represents many votes to the outcome that it counts."""

FIELDS = (
    *CONTRACT,
    *("arena", "voter", "language", "categories", "prompt_hash", "battle", "p_pair", "drawn_at", "style"),
    *STYLE_FIELDS,
    *("count", "weight", "anony"),
    *COUNTS,
)
FIRST_OF_MATRIX = ("", "model", "models", "name", "unnamed: 0", "index")
NESTED_EXPORTS = {
    "Label Studio": ({"annotations", "data"}, "export it as JSON-MIN or CSV, which have one annotation a row"),
    "Argilla": ({"fields", "responses"}, "write one row for each response, with its models and its value"),
}
"""Tool whose export keeps the answers to an item in a list: the columns that identify it, and how to export rows."""

Place = tuple[tuple[str, tuple[str, ...]], ...]
"""Where a value is: keys of columns and the paths into their cells; the first one that has a value counts."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A layout, fitted to the columns of a file.

    Attributes
    ----------
    layout
        The layout.
    taken
        Key to column: every column that is read, once.
    places
        Field to its place.
    flags, counts, only, boards, agree, anonymous
        These parts of the layout with places for columns, as far as the file has them.
    watched
        Column to its place: columns that are not used, but whose values may say which rows count.
    """

    layout: Layout
    taken: dict[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    flags: dict[Place, str] = field(default_factory=dict)
    counts: dict[str, Place] = field(default_factory=dict)
    only: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    boards: dict[str, tuple[Place, int | None]] = field(default_factory=dict)
    agree: tuple[Place, ...] = ()
    anonymous: tuple[Place, tuple[str, ...]] | None = None
    watched: dict[str, Place] = field(default_factory=dict)

    @property
    def contract(self) -> bool:
        """Whether the file has every required field of the contract under its own name."""
        return all(self.column(each) == each for each in CONTRACT)

    def cells(self, columns: Cells) -> dict[str, Sequence[object]]:
        """Convert cells by column to cells by key."""
        return {key: columns[column] for key, column in self.taken.items()}

    def column(self, name: str) -> str | None:
        """The column of a field, with the dotted path into its cells."""
        if name not in self.places:
            return None
        key, way = self.places[name][0]
        return ".".join((self.taken[key], *way))

    @property
    def columns(self) -> dict[str, str]:
        """Field to column."""
        return {name: self.column(name) or "" for name in self.places}

    def unused(self, columns: Sequence[str]) -> list[str]:
        """The file's columns that are not used; of a nested column only the outer one."""
        outer = {column.partition(".")[0] for column in self.taken.values()} | {*self.taken.values()}
        known = {*columns}
        return [each for each in columns if each.strip() and each not in outer and not _nested(each, known)]

    @property
    def aggregated(self) -> bool:
        """Whether a row holds counts of several outcomes."""
        return bool(self.counts) or self.layout.matrix


def _nested(column: str, known: Container[str]) -> bool:
    steps = column.split(".")
    return any(".".join(steps[:cut]) in known for cut in range(1, len(steps)))


class _Names:
    """Names of a file's columns; case and surrounding blanks are ignored."""

    def __init__(self, found: Sequence[str]) -> None:
        self.found = found
        self._known = {name.strip().casefold(): name for name in reversed(found)} | {name: name for name in found}

    def way(self, path: str) -> tuple[str, tuple[str, ...]] | None:
        """The column with the longest name that is a prefix of the path, and the rest of the path."""
        parts = path.split(".")
        for cut in range(len(parts), 0, -1):
            column = self._known.get(".".join(parts[:cut]))
            if column is not None:
                return column, tuple(parts[cut:])
        return None

    def leads(self, path: str) -> bool:
        """Whether the path exists; where the fields of an object are known, it must name one of them."""
        return any(
            (way := self.way(each)) is not None
            and (not way[1] or not any(name.startswith(f"{way[0]}.") for name in self.found))
            for each in path.split("|")
        )


class _Fitting:
    """Collects the columns that a layout needs."""

    def __init__(self, names: _Names, layout: Layout, used: Iterable[str]) -> None:
        self.names = names
        self.fitted = Fitted(layout)
        self._used = {*used}
        self._keys: dict[str, str] = {}

    def place(self, paths: Iterable[str], *, chosen: bool = False) -> Place | None:
        """Place of the paths that the file has, up to the first whole column; without columns of the user's fields."""
        ways = []
        for path in paths:
            found = [way for each in path.split("|") if (way := self.names.way(each)) is not None]
            found = [way for way in found if chosen or way[0] not in self._used]
            ways += [(self._key(column), rest) for column, rest in found]
            if found and not found[-1][1]:
                break
        return tuple(ways) or None

    def _key(self, column: str) -> str:
        key = self._keys.setdefault(column, f"c{len(self._keys)}")
        self.fitted.taken[key] = column
        return key


def resolve(
    found: Sequence[str],
    chosen: Mapping[str, str] | None = None,
    layout: str | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
) -> Fitted:
    """The layout that fits a file best.

    Case and surrounding blanks of column names are ignored. The best layout is the one that explains the most columns
    among those of the highest stage that fit.

    Parameters
    ----------
    found
        Names of the file's columns.
    chosen
        The user's own field to column, before any layout; an empty column switches the field off.
    layout
        The layout to use: the name of a shipped one, or a TOML file.
    only
        Column to the values of rows that count, in addition to the layout's own.

    Raises
    ------
    SourceError
        When no layout fits, two fit equally and mean different things, or `chosen` names a missing field or column.

    >>> resolve(["", "left", "right", "winner", "worker"]).columns
    {'model_a': 'left', 'model_b': 'right', 'voter': 'worker', 'winner': 'winner'}
    >>> resolve(["a", "b", "winner"], {"model_a": "a", "model_b": "b"}).columns
    {'model_a': 'a', 'model_b': 'b', 'winner': 'winner'}
    """
    names = _Names(found)
    wanted = _checked(names, chosen or {})
    layouts = [named(layout)] if layout else [each for each in shipped().values() if _leaves(each, wanted)]
    fits = [fit for each in layouts if (fit := _fit(names, each, wanted, only or {}, forced=bool(layout))) is not None]
    if not fits:
        raise SourceError(_missing(found, wanted, layout))
    stage = max(fit.layout.stage for fit in fits)
    best = max(_explained(fit) for fit in fits if fit.layout.stage == stage)
    equal = [fit for fit in fits if fit.layout.stage == stage and _explained(fit) == best]
    for other in equal[1:]:
        if _meaning(other) != _meaning(equal[0]) and not (_only_models_differ(other, equal[0]) and not layout):
            raise SourceError(
                f"the columns fit two layouts that do not mean the same: {equal[0].layout.name}"
                f" ({_said(equal[0])}) and {other.layout.name} ({_said(other)}); choose with --layout"
            )
    return max(equal, key=lambda fit: len(fit.layout.marks))


def _only_models_differ(one: Fitted, other: Fitted) -> bool:
    """Whether two layouts differ only in the two columns of models; `rivals` then compares their cells."""
    if one.layout.outcome or other.layout.outcome:
        return False
    rest = [replace(fit, places={**fit.places, "model_a": (), "model_b": ()}) for fit in (one, other)]
    return bool(_meaning(rest[0]) == _meaning(rest[1]))


def _leaves(layout: Layout, chosen: Mapping[str, str]) -> bool:
    """Whether a layout leaves the models and the winner to the user's columns, where the user named them."""
    if chosen.get("winner") and (layout.agree or layout.counts or layout.each):
        return False
    return not ((layout.outcome or layout.matrix) and any(name in chosen for name in ("model_a", "model_b", "winner")))


def _checked(names: _Names, chosen: Mapping[str, str]) -> dict[str, str]:
    shown = ", ".join(repr(name) for name in names.found) or "none"
    for name, column in chosen.items():
        if name not in FIELDS:
            raise SourceError(f"columns: {name!r} is not a field of a vote; the fields are {', '.join(FIELDS)}")
        if column and names.way(column) is None:
            raise SourceError(f"columns: there is no column {column!r} for {name}; found: {shown}")
    used = [names.way(column) for column in chosen.values() if column]
    if len({*used}) < len(used):
        raise SourceError("columns: one column cannot be two fields")
    return dict(chosen)


def _fit(
    names: _Names, layout: Layout, chosen: Mapping[str, str], only: Mapping[str, Sequence[str]], *, forced: bool
) -> Fitted | None:
    """The layout fitted to these columns, None when a required one is missing."""
    if layout.matrix:
        return _fit_matrix(names, layout, forced=forced)
    taken = [way[0] for column in chosen.values() if column and (way := names.way(column)) is not None]
    fitting = _Fitting(names, layout, taken)
    fitted = fitting.fitted
    if not all(names.way(mark) is not None for mark in layout.marks) and not forced:
        return None
    for a, b in layout.models:
        if not all(names.leads(path) for side, path in (("model_a", a), ("model_b", b)) if side not in chosen):
            continue
        first, second = (
            fitting.place([chosen.get(name, column)], chosen=name in chosen) if chosen.get(name, "-") else None
            for name, column in (("model_a", a), ("model_b", b))
        )
        if first and second and first != second:
            fitted.places.update(model_a=first, model_b=second)
            break
    else:
        return None
    models = {key for name in ("model_a", "model_b") for key, way in fitted.places[name] if not way}
    for name, columns in layout.columns.items():
        place = fitting.place([chosen[name]], chosen=True) if chosen.get(name) else None
        if name not in chosen:
            place = fitting.place(columns)
        if place and not (models & {key for key, way in place if not way}):
            fitted.places[name] = place
    if chosen.get("winner") and "winner" not in layout.columns:
        fitted.places["winner"] = fitting.place([chosen["winner"]], chosen=True) or ()
    _outcomes(fitting, chosen)
    if not _tells_outcomes(fitted):
        return None
    return _with_rules(fitting, only, forced=forced)


def _fit_matrix(names: _Names, layout: Layout, *, forced: bool) -> Fitted | None:
    found = names.found
    first = found[0].strip().casefold() if found else ""
    if len(found) < 3 or len({*found}) < len(found) or (first not in FIRST_OF_MATRIX and not forced):
        return None
    return Fitted(layout, taken={f"c{at}": name for at, name in enumerate(found)})


def _outcomes(fitting: _Fitting, chosen: Mapping[str, str]) -> None:
    fitted, layout = fitting.fitted, fitting.fitted.layout
    if "winner" in chosen:  # the user's choice takes precedence over flags
        return
    for column, meaning in layout.flags.items():
        if (place := fitting.place([column])) is not None:
            fitted.flags[place] = meaning
    asked = {meaning: chosen[name] for name, meaning in COUNTS.items() if chosen.get(name)}
    for meaning, columns in layout.counts.items():
        place = fitting.place([asked[meaning]], chosen=True) if meaning in asked else fitting.place(columns)
        if place is not None:
            fitted.counts[meaning] = place
    agree = [place for column in layout.agree if (place := fitting.place([column])) is not None]
    object.__setattr__(fitted, "agree", tuple(agree))


def _tells_outcomes(fitted: Fitted) -> bool:
    layout = fitted.layout
    if layout.counts and not fitted.places.get("winner"):
        return {"model_a", "model_b"} <= {*fitted.counts}
    if layout.agree and not fitted.places.get("winner"):
        return len(fitted.agree) == len(layout.agree)
    if fitted.places.get("winner") or layout.outcome:
        return True
    return bool(layout.flags) and len(fitted.flags) == len(layout.flags)


def _with_rules(fitting: _Fitting, only: Mapping[str, Sequence[str]], *, forced: bool) -> Fitted:
    fitted, layout = fitting.fitted, fitting.fitted.layout
    for column, values in {**layout.only, **{name: tuple(values) for name, values in only.items()}}.items():
        place = fitting.place([column], chosen=True)
        if place is not None:
            fitted.only[place] = tuple(values)
        elif column in only or forced:
            said = "--only" if column in only else f"layout {layout.name}, [only]"
            raise SourceError(
                f"{said}: there is no column {column!r}; found: {', '.join(map(repr, fitting.names.found))}"
            )
    for board, flag in layout.boards.items():
        if (place := fitting.place(["|".join(flag.of)])) is not None:
            fitted.boards[board] = (place, flag.at_least)
    if layout.anonymous is not None and (place := fitting.place([layout.anonymous[0]], chosen=True)) is not None:
        object.__setattr__(fitted, "anonymous", (place, layout.anonymous[1]))
    for column in common()["watch"]["columns"]:
        place = fitting.place([column])
        if place is not None and place not in fitted.only:
            fitted.watched[column] = place
    needed = {key for place in _places(fitted) for key, _ in place}
    for key in [key for key in fitted.taken if key not in needed]:
        del fitted.taken[key]
    return fitted


def _places(fitted: Fitted) -> list[Place]:
    explained = [
        *(fitted.places.values()),
        *fitted.flags,
        *fitted.counts.values(),
        *fitted.only,
        *fitted.agree,
        *(place for place, _ in fitted.boards.values()),
    ]
    hidden = [fitted.anonymous[0]] if fitted.anonymous else []
    return [*explained, *hidden, *fitted.watched.values()]


def _explained(fitted: Fitted) -> int:
    """Number of columns that the layout explains: those that it uses, without the watched ones, and its marks."""
    if fitted.layout.matrix:
        return 0
    watched = {*fitted.watched.values()}
    columns = {fitted.taken[key] for place in _places(fitted) if place not in watched for key, _ in place}
    return len(columns | {mark.casefold() for mark in fitted.layout.marks} - {name.casefold() for name in columns})


def _meaning(fitted: Fitted) -> object:
    def by_column(place: Place) -> tuple[object, ...]:
        return tuple((fitted.taken[key], way) for key, way in place)

    layout = fitted.layout
    return msgspec.to_builtins(
        [
            {name: by_column(place) for name, place in sorted(fitted.places.items())},
            sorted((by_column(place), meaning) for place, meaning in fitted.flags.items()),
            sorted((meaning, by_column(place)) for meaning, place in fitted.counts.items()),
            sorted((by_column(place), values) for place, values in fitted.only.items()),
            [by_column(place) for place in fitted.agree],
            sorted((layout.words[each], each) for each in layout.own_words),
            [layout.outcome, layout.each, layout.numbers, layout.matrix, sorted(fitted.boards)],
        ]
    )


def _said(fitted: Fitted) -> str:
    told = [f"{name} in {fitted.column(name)!r}" for name in ("model_a", "model_b", "winner") if name in fitted.places]
    return ", ".join(told + ([f"{fitted.layout.outcome} always"] if fitted.layout.outcome else []))


def _missing(found: Sequence[str], chosen: Mapping[str, str], layout: str | None) -> str:
    names = {name.strip().casefold() for name in found} - {column.casefold() for column in chosen.values()}
    shown = ", ".join(repr(name) for name in found) or "none"
    if layout:
        return f"layout {layout}: the columns do not fit; found: {shown}"
    for tool, (marks, advice) in NESTED_EXPORTS.items():
        if marks <= names:
            return (
                f"this looks like {tool}'s JSON, in which an item has a list of answers: {advice}, and name the columns"
                f" with --columns model_a=NAME,model_b=NAME,winner=NAME; found: {shown}"
            )
    pairs = list(dict.fromkeys(pair for each in shipped().values() for pair in each.models))
    lacks = []
    if not any(a in names and b in names for a, b in pairs) and not (chosen.get("model_a") and chosen.get("model_b")):
        lacks.append("the two models (" + ", ".join("/".join(pair) for pair in pairs[:6]) + ", …)")
    if not lacks or ("winner" not in names and not chosen.get("winner")):
        lacks.append("the winner (winner, verdict, winner_model_a with winner_model_b and winner_tie, …)")
    return (
        f"no column for {' and for '.join(lacks)}; found: {shown}. Name them: --columns model_a=NAME,winner=NAME, or"
        " describe the file with --layout; --layouts lists those that are known"
    )
