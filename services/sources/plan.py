"""The plan of reading a file: its columns, and what is made up where it has none.

The rules, which every reader shares:

- **id.** A file of the contract's shape (`id`, `model_a`, `model_b`, `winner`, `tstamp` under these names) has real
  ids: a second occurrence is a duplicate and is dropped, as the stream would. In any other file the id column is used
  only if no value in it occurs twice (LLMFAO's `id` counts questions, not votes). Without an id column, or where a cell
  of it is empty, the id is `<name>-<tag>-<row>`: the file's name, a hash of its first 16 rows, the number of the row.
  It is the same every time, also after rows were appended; another file of the same name has other ids, so that the
  stream does not take its votes for duplicates. Votes of a pipe without the contract's shape are always numbered:
  whether its ids are unique is known only at its end.
- **tstamp.** Without a column, a clock one second apart whose last row is at the whole second of `now`; every vote of
  a pipe is at `now`, since its end is unknown.
- **order** is the order of the file.
- **arena.** One that the person names counts for every vote; else the file's; else `text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from services.sources import spelling
from services.sources.fields import ONE_HOT, is_contract
from streams.contracts.vote import STYLE_FIELDS

HEAD_ROWS = 16
"""Rows that the tag of made-up ids is a hash of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person asked for, beside the path; see `open_source`."""

    columns: Mapping[str, str] | None
    arena: str | None
    now: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows of a file become columns of the contract.

    Attributes
    ----------
    taken
        Field to column, from `fields.resolve`.
    prefix
        What made-up ids begin with.
    use_id
        Whether the id column holds ids of votes.
    now
        Epoch seconds: the end of a made-up clock, and the arrival of every vote.
    total
        Rows in the file, None for a pipe.
    arena
        What the person named.
    """

    taken: Mapping[str, str]
    prefix: str
    use_id: bool
    now: float
    total: int | None
    arena: str | None

    def columns(self, cells: Mapping[str, Sequence[Any]], rows: Sequence[int]) -> dict[str, Sequence[Any]]:
        """Columns to be held against the contract.

        Parameters
        ----------
        cells
            Field to its n cells, for every field of `taken`.
        rows
            Numbers of the n rows, from 1.
        """
        made: dict[str, Sequence[Any]] = {
            name: read(cells[name]) for name, read in spelling.READERS.items() if name in cells
        }
        if ONE_HOT[0] in cells:
            made["winner"] = spelling.one_hot(*(cells[name] for name in ONE_HOT))
        styles = {name: cells[name] for name in STYLE_FIELDS if name in cells}
        if styles and "style" not in made:
            made["style"] = _styles(styles)
        if not self.use_id:
            made["id"] = [self._numbered(row) for row in rows]
        elif None in made["id"] and not is_contract(self.taken):
            made["id"] = [own or self._numbered(row) for own, row in zip(made["id"], rows, strict=True)]
        if "tstamp" not in made:
            made["tstamp"] = self._clock(rows)
        if self.arena is not None or "arena" not in made:
            made["arena"] = [self.arena or "text"] * len(rows)
        else:
            made["arena"] = [arena or "text" for arena in made["arena"]]
        return made

    @property
    def note(self) -> str:
        """What was made up, for the person."""
        notes = []
        if not self.use_id:
            unused = f"column {self.taken['id']!r} does not name single votes" if "id" in self.taken else "no id column"
            notes.append(f"{unused}: ids are made of the file's name and the row number")
        if "tstamp" not in self.taken:
            notes.append("no time column: times are synthetic, " + ("one second apart" if self.total else "all now"))
        return "; ".join(notes)

    def _numbered(self, row: int) -> str:
        return f"{self.prefix}-{row:07d}"

    def _clock(self, rows: Sequence[int]) -> list[float]:
        if self.total is None:
            return [self.now] * len(rows)
        start = int(self.now) - self.total
        return [float(start + row) for row in rows]


def made_up_prefix(name: str, head: Iterable[bytes]) -> str:
    """What made-up ids begin with: at most 49 characters, a hash of the first rows among them."""
    digest = blake2b(digest_size=4)
    for row in head:
        digest.update(row + b"\n")
    return f"{name[:40]}-{digest.hexdigest()}"


def _styles(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any] | None]:
    read = [list(map(spelling.count, cells)) for cells in columns.values()]
    return [
        {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None} or None
        for cells in zip(*read, strict=True)
    ]
