"""Which column of a file is which field of a vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.sources.base import SourceError
from streams.contracts.vote import STYLE_FIELDS

PAIRS: tuple[tuple[str, str], ...] = (
    ("model_a", "model_b"),
    ("model_1", "model_2"),
    ("model_left", "model_right"),
    ("left", "right"),
    ("model_x", "model_y"),
)
"""Columns of the two models, in order of preference; LLMFAO has names in `left` and numbers in `model_x`."""

ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "vote_id", "battle_id", "question_id", "conversation_id"),
    "winner": ("winner",),
    "tstamp": ("tstamp", "timestamp", "created_at"),
    "arena": ("arena",),
    "voter": ("voter", "judge", "worker", "user", "user_id"),
    "language": ("language", "lang"),
    "categories": ("categories",),
    "prompt_hash": ("prompt_hash",),
    "p_pair": ("p_pair",),
    "style": ("style",),
    **{name: (name,) for name in STYLE_FIELDS},
}
"""Field to the columns that may hold it, the first one found is taken."""

ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")
"""Three columns of 0 and 1 in place of `winner`, as in lmsys/lmsys-arena-human-preference-55k."""

CONTRACT = ("id", "model_a", "model_b", "winner", "tstamp")
FIELDS = ("model_a", "model_b", *ALIASES)


def resolve(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Field to column, for the fields that the file has.

    Column names are compared without regard to case and surrounding blanks.

    Parameters
    ----------
    found
        Names of the file's columns.
    chosen
        Field to column as the person wants it, before any alias; an empty column switches the field off.

    Raises
    ------
    SourceError
        When a required field has no column, or `chosen` names what does not exist.

    >>> resolve(["", "left", "right", "winner", "worker"])
    {'model_a': 'left', 'model_b': 'right', 'winner': 'winner', 'voter': 'worker'}
    >>> resolve(["a", "b", "winner"], {"model_a": "a", "model_b": "b"})
    {'model_a': 'a', 'model_b': 'b', 'winner': 'winner'}
    """
    chosen = chosen or {}
    names = {name.strip().casefold(): name for name in reversed(found)}
    names |= {name: name for name in found}
    shown = ", ".join(repr(name) for name in found) or "none"
    for field, column in chosen.items():
        if field not in FIELDS:
            raise SourceError(f"columns: {field!r} is no field of a vote; the fields are {', '.join(FIELDS)}")
        if column and column not in names:
            raise SourceError(f"columns: there is no column {column!r} for {field}; found: {shown}")
    chosen = {field: names.get(column, "") if column else "" for field, column in chosen.items()}
    used = [column for column in chosen.values() if column]
    if len({*used}) < len(used):
        raise SourceError("columns: one column cannot be two fields")
    free = {name: column for name, column in names.items() if column not in used}
    taken = _models(free, chosen)
    for field, aliases in ALIASES.items():
        column = chosen[field] if field in chosen else next((free[alias] for alias in aliases if alias in free), "")
        if column:
            taken[field] = column
    if "winner" not in taken and all(name in free for name in ONE_HOT):
        taken |= {name: free[name] for name in ONE_HOT}
    _complain_of_missing(taken, shown)
    return taken


def is_contract(taken: Mapping[str, str]) -> bool:
    """Whether the file has every required field of the contract under its own name."""
    return all(taken.get(field) == field for field in CONTRACT)


def _models(free: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    for first, second in PAIRS:
        a, b = chosen.get("model_a") or free.get(first), chosen.get("model_b") or free.get(second)
        if a is not None and b is not None:
            return {"model_a": a, "model_b": b}
    return {}


def _complain_of_missing(taken: Mapping[str, str], shown: str) -> None:
    missing = []
    if "model_a" not in taken:
        missing.append("the two models (" + ", ".join("/".join(pair) for pair in PAIRS) + ")")
    if "winner" not in taken and ONE_HOT[0] not in taken:
        missing.append("the winner (winner, or " + ", ".join(ONE_HOT) + ")")
    if missing:
        raise SourceError(
            f"no column for {' and for '.join(missing)}; found: {shown}. Name them: --columns model_a=NAME,winner=NAME"
        )
