"""Settings per arena in a file: a table `default`, and one under `arenas` for each arena that differs from it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

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
