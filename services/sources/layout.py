"""A layout: a declared mapping of a file's columns to the fields of a vote, one small TOML file each.

The shipped layouts are in `layouts/`; `common.toml` holds what all of them share. A user's own file has the same shape:

- `models`: pairs of columns, the first pair found is used; `[columns]`: field to columns, the first one found is used,
  an empty list switches the field off. Dots in a path go into objects (`data.model_id`, `states.0.model_name`), and
  `p|q` is q where p is empty.
- The outcome is one of: `winner` in `[columns]`; `agree`, columns that must have the same meaning, else it is a tie;
  `outcome`, the same for every row (`model_a`: the winner is the first model). `[flags]`: a true column decides the
  row.
- `[words]`: meaning (`model_a`, `model_b`, `tie`, `both_bad`, `none`, `skip`: no vote) to the words for it; they
  override the common words. `numbers = "score"`: the winner's column is the first model's score, 1, 0.5 or 0.
- `[counts]`: outcome to the column with its count; `matrix = true`: a square table of wins.
- `each = "model_b"`: that cell holds a list, and the row is one vote for each item.
- `[only]`: column to the values of rows that are votes. `[anonymous]`: `column` and those of its `values` that mean
  that names were hidden.
- `[boards]`: category to `{of = path}`, a flag, or with `at_least = n` an object of flags.
- `marks`: columns that this layout requires. `stage`: a lower stage is tried only when no layout of a higher one fits.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from services.sources.base import SourceError

MEANINGS = ("model_a", "model_b", "tie", "both_bad", "none", "skip")
OUTCOMES = MEANINGS[:4]

_KEYS = {
    *("text", "url", "models", "columns", "agree", "outcome", "flags", "words", "numbers", "counts", "matrix"),
    *("each", "only", "anonymous", "boards", "marks", "stage"),
}
_not_in_words = re.compile(r"[\s_()\[\]]+|(?<![\d½])-|-(?![\d½])")
_between_scores = re.compile(r"(?<=[\d½])\s*[-–:]\s*(?=[\d½])")
_comma = re.compile(r"\d,\d")
_numeric = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\Z", re.IGNORECASE)


def word(text: str) -> str:
    """The form in which words are compared; a number becomes its value.

    >>> word("Tie (both bad)"), word("Model_A"), word("-1.0"), word("1/2"), word("1 – 0"), word("10")
    ('tiebothbad', 'modela', '-1', '0.5', '1-0', '10')
    """
    value = number(text)
    text = _between_scores.sub("-", text)
    return _not_in_words.sub("", text).casefold() if value is None else f"{value:g}"


def number(text: str) -> float | None:
    """The number that a text spells, None when it is no number."""
    text = text.strip()
    if text in ("½", "1/2"):
        return 0.5
    if _comma.fullmatch(text):
        text = text.replace(",", ".")
    return float(text) if _numeric.match(text) else None


@dataclass(frozen=True, slots=True)
class Flagged:
    """Rule for a board's rows: the first path found in `of` is a true flag, or an object with `at_least` true flags."""

    of: tuple[str, ...]
    at_least: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout; the module describes the parts. The keys of `words` are in the form of `word`."""

    name: str
    text: str
    models: tuple[tuple[str, str], ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    agree: tuple[str, ...] = ()
    outcome: str | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    numbers: str | None = None
    counts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    matrix: bool = False
    each: str | None = None
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anonymous: tuple[str, tuple[str, ...]] | None = None
    boards: Mapping[str, Flagged] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    stage: int = 2
    own_words: frozenset[str] = frozenset()
    """Words that the layout itself declares, in the form of `word`."""


class Common(TypedDict):
    """What all layouts share: field to columns, meaning to words, and the columns to watch under `columns`."""

    columns: dict[str, list[str]]
    words: dict[str, list[str]]
    watch: dict[str, list[str]]


@cache
def common() -> Common:
    """What all layouts share."""
    text = (files(__package__) / "layouts" / "common.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Common)


@cache
def shipped() -> dict[str, Layout]:
    """Name to layout, for the layouts of the package."""
    folder = files(__package__) / "layouts"
    texts = {
        entry.name.removesuffix(".toml"): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml") and entry.name != "common.toml"
    }
    return {name: parse(name, texts[name]) for name in sorted(texts)}


def named(name: str) -> Layout:
    """The shipped layout of this name, or the layout in a user's file. Raises `SourceError`."""
    if name in shipped():
        return shipped()[name]
    path = Path(name)
    if path.suffix.casefold() != ".toml" and not path.is_file():
        raise SourceError(f"there is no layout {name!r}; there are {', '.join(shipped())}, or give a .toml file")
    try:
        return parse(path.stem, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def parse(name: str, text: str) -> Layout:
    """Read a layout's TOML.

    Raises
    ------
    SourceError
        When the text is no TOML or no valid layout.
    """
    try:
        said = tomllib.loads(text)
        return _layout(name, said)
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"layout {name}: not TOML: {error}") from None
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise SourceError(f"layout {name}: {error}") from None


def _layout(name: str, said: Mapping[str, Any]) -> Layout:
    if unknown := {*said} - _KEYS:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; a layout has {', '.join(sorted(_KEYS))}")
    if strange := sorted({*said.get("columns", {})} - _fields()):
        raise ValueError(
            f"[columns] {strange[0]!r} is not a field of a vote; the fields are {', '.join(sorted(_fields()))}"
        )
    _must_have_only("anonymous", said.get("anonymous"), {"column", "values"}, {"column", "values"})
    for board, flag in said.get("boards", {}).items():
        _must_have_only(f"boards {board!r}", flag, {"of"}, {"of", "at_least"})
    own = {word(each): meaning for meaning, words in said.get("words", {}).items() for each in _list(words)}
    flags = dict(said.get("flags", {}))
    counts = {meaning: _list(columns) for meaning, columns in said.get("counts", {}).items()}
    outcome = said.get("outcome")
    used = [*own.values(), *flags.values(), *([outcome] if outcome else [])]
    if wrong := sorted({str(each) for each in used if each not in MEANINGS} | {*counts} - {*OUTCOMES}):
        raise ValueError(f"{wrong[0]!r} is not an outcome; use {', '.join(MEANINGS)}")
    if said.get("numbers") not in (None, "score"):
        raise ValueError("numbers can only be 'score'")
    models = tuple((str(a), str(b)) for a, b in said.get("models", []))
    if not models and not said.get("matrix"):
        raise ValueError("it names no pair of columns in `models`")
    hidden = said.get("anonymous")
    return Layout(
        name=name,
        text=str(said.get("text", "")),
        models=models,
        columns={each: _list(columns) for each, columns in {**common()["columns"], **said.get("columns", {})}.items()},
        agree=_list(said.get("agree", [])),
        outcome=outcome,
        flags=flags,
        words=common_words() | own,
        numbers=said.get("numbers"),
        counts=counts,
        matrix=bool(said.get("matrix")),
        each=said.get("each"),
        only={column: _list(values) for column, values in said.get("only", {}).items()},
        anonymous=None if hidden is None else (hidden["column"], _list(hidden["values"])),
        boards={
            board: Flagged(_list(flag["of"]), flag.get("at_least")) for board, flag in said.get("boards", {}).items()
        },
        marks=_list(said.get("marks", [])),
        stage=int(said.get("stage", 2)),
        own_words=frozenset(own),
    )


def _fields() -> set[str]:
    """Fields that `[columns]` may name; the two models are in `models`."""
    return {*common()["columns"], "winner"}


def _must_have_only(what: str, table: object, needed: set[str], known: set[str]) -> None:
    """Raise `ValueError` if a table lacks a required key or has an unknown one."""
    if table is None:
        return
    if not isinstance(table, Mapping) or not needed <= {*table} <= known:
        keys = f", and may have {', '.join(sorted(known - needed))}" if known - needed else ""
        raise ValueError(f"{what} needs {' and '.join(sorted(needed))}{keys}; nothing else is read")


@cache
def common_words() -> dict[str, str]:
    """Word to meaning, for every layout."""
    return {word(each): meaning for meaning, words in common()["words"].items() for each in words}


def _list(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
