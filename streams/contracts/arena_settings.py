"""Settings per arena in a file: a table `default`, and one under `arenas` for each arena that differs from it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar, get_type_hints

import msgspec

from streams.contracts.settings import InvalidSetting
from streams.contracts.vote import is_arena

Read = TypeVar("Read")


class InvalidTables(ValueError):  # noqa: N818 -- read as a sentence: "invalid tables: ..."
    """Settings that cannot be used; the message names the place and its valid values."""


def read_tables(given: Mapping[str, object], kind: type[Read]) -> tuple[Read, dict[str, Read]]:
    """Read a mapping (of a TOML file) as the default settings and those of arenas.

    Parameters
    ----------
    kind
        A msgspec structure that forbids unknown fields.

    Raises
    ------
    InvalidTables
        Names the table, the setting and its valid values.
    """
    if unknown := sorted(set(given) - {"default", "arenas"}):
        raise InvalidTables(f"unknown tables {unknown}: there are `default` and `arenas`")
    default, arenas = _table(given, "default"), _table(given, "arenas")
    for arena in arenas:
        if not is_arena(arena):
            raise InvalidTables(f"arenas.{arena}: not the name of an arena")
    return (
        _convert(default, kind, "default"),
        {arena: _convert({**default, **_table(arenas, arena)}, kind, f"arenas.{arena}") for arena in arenas},
    )


def read_file(path: Path | None, variable: str, read: Callable[[Mapping[str, object]], Read]) -> Read:
    """Read the TOML file named by an environment variable; no file means an empty one. Raises `InvalidSetting`."""
    if path is None:
        return read({})
    try:
        return read(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, InvalidTables) as error:
        raise InvalidSetting(f"{variable}={str(path)!r}: {error}") from None


def check_settings(settings: msgspec.Struct) -> None:
    """Check the types and ranges of settings made in Python, as those of a file are checked; for `__post_init__`.

    msgspec checks what it decodes, but not the arguments of a constructor. Values take their declared types, so that
    `delta=0` and `delta=0.0` are the same settings with the same digest.

    Raises
    ------
    ValueError
        Names the setting and its valid values, in the words that a file gets.
    """
    checked = msgspec.convert(settings, _declared(type(settings)), from_attributes=True)
    for name in settings.__struct_fields__:
        msgspec.structs.force_setattr(settings, name, getattr(checked, name))


@cache
def _declared(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a structure with the same fields and without `__post_init__`, which would call the check again."""
    return msgspec.defstruct(kind.__name__, list(get_type_hints(kind, include_extras=True).items()))


def documented(kind: type[msgspec.Struct]) -> list[tuple[str, str, str]]:
    """Every setting with its default and its explanation, in order."""
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    return [(name, str(each["default"]), each["description"]) for name, each in schema.items()]


def _table(given: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = given.get(name, {})
    if not isinstance(table, Mapping):
        raise InvalidTables(f"{name}: a table was expected, not {type(table).__name__}")
    return table


def _convert(table: Mapping[str, object], kind: type[Read], where: str) -> Read:
    try:
        return msgspec.convert(dict(table), kind)
    except msgspec.ValidationError as error:
        raise InvalidTables(f"{where}: {error}") from None
