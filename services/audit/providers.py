"""The table of providers' other names: the shipped one, or the user's."""

from __future__ import annotations

import tomllib
from pathlib import Path

from services.sources import SourceError
from streams.audit.board.names import plain
from streams.contracts.names import normalised

SHIPPED = Path(__file__).with_name("providers.toml")


def read_providers(path: Path | None = None) -> dict[str, str]:
    """Every name of a provider to the name in reports; `None` reads the shipped table.

    Raises
    ------
    SourceError
        When the file cannot be read, has another structure, or gives one name to two providers.

    >>> read_providers()["Zhipu AI"], read_providers()["Z.ai"]
    ('Z.ai', 'Z.ai')
    """
    path = path or SHIPPED
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: no table of providers: {error}") from None
    entries = table.get("provider")
    if not isinstance(entries, list) or not entries:
        raise SourceError(f"{path}: no table of providers: it has no [[provider]] with a name and other names (also)")
    names: dict[str, str] = {}
    given: dict[str, str] = {}
    for at, entry in enumerate(entries, 1):
        name, also = (entry.get("name"), entry.get("also", [])) if isinstance(entry, dict) else (None, [])
        if isinstance(entry, dict) and (unknown := sorted({*entry} - {"name", "also"})):
            raise SourceError(f"{path}: provider {at}: {unknown[0]!r} is not read; there are name and also")
        if not isinstance(name, str) or not isinstance(also, list) or not all(isinstance(each, str) for each in also):
            raise SourceError(f"{path}: provider {at} needs a name, a text, and other names, a list of texts (also)")
        name = normalised(name)
        for each in (name, *map(normalised, also)):
            if given.setdefault(plain(each), name) != name:
                raise SourceError(f"{path}: {each!r} is given to two providers, {given[plain(each)]!r} and {name!r}")
            names[each] = name
    return names
