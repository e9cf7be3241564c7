"""JSON objects as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import BinaryIO

import msgspec

from services.sources.base import SourceError
from services.sources.clocks import writing_of
from services.sources.fields import CONTRACT
from services.sources.jsonitems import UNREADABLE, Items, first_of, items_of, with_keys_twice, without_nan
from services.sources.parts import Part
from services.sources.reading import lines_of, other_encoding
from services.sources.table import Joined, Only, Table, TableBlock, keep
from streams.contracts.reasons import Reason
from streams.contracts.vote import Decoder, InvalidRecord, decode_json, parse_vote

DEEPEST = 5
"""Maximum number of steps in a dotted name."""


class JsonTable(Table):
    """Objects of a JSON file or a pipe; a field that an object lacks is None.

    A field of a nested object is named `outer.inner`. A blank line is no item, but counts as a line.
    """

    def __init__(self, name: str, described: str, items: Items, sample: Sequence[bytes], part: Part | None) -> None:
        objects = [found for item in sample if (found := _read(item)) is not None]
        if not any(item.strip() for item in sample):
            raise SourceError(f"{described}: it is empty")
        if not objects:
            raise SourceError(f"{described}: there is no JSON object among the first {len(sample)} {items.unit}s")
        columns = dict.fromkeys(column for found in objects for column in found)
        self._steps = {
            dotted: steps
            for found in objects
            for column, value in found.items()
            for dotted, steps in _paths(column, value, [column])
            if dotted not in columns
        }
        super().__init__(name, described, [*columns, *self._steps], items.note)
        self._items = items
        self._sample = sample
        self._part = part
        self._is_utf8 = False

    def count(self) -> int | None:
        """Items; None for a pipe."""
        return None if self._part is None else sum(map(len, self._items.read()))

    def head(self, rows: int, columns: Sequence[str]) -> list[bytes]:
        """The first items as they are."""
        return [item for item in self._sample if item.strip()][:rows]

    def mostly_votes(self, now: float) -> bool:
        """Whether at least half of the sampled objects with all required fields are valid votes of the contract.

        Their times must be seconds: numbers such as 20240814 pass the contract as moments of 1970.
        """
        whole = [item for item in self._sample if {*CONTRACT} <= {*(_read(item) or ())}]
        times = []
        for item in whole:
            try:
                times.append(parse_vote(without_nan(item), now).tstamp)
            except InvalidRecord:
                continue
        return 2 * len(times) >= len(whole) and writing_of(times) == "seconds"

    def items(self, first: int) -> Iterator[tuple[int, list[bytes], Callable[[int], str]]]:
        """Lists of items, each with the number of its first item and a function from number to place."""
        start = first
        for items in self._items.read():
            yield start, items, lambda number: f"{self._items.unit} {number - first + 1}"
            start += len(items)

    def told(self, invalid: InvalidRecord) -> InvalidRecord:
        """Why an item is refused; at the first one that is not UTF-8, raise if the whole file has another encoding."""
        if invalid.reason is Reason.INVALID_UTF8 and self._part is not None and not self._is_utf8:
            said = other_encoding(self._part.path, self._part.member, lambda line: _read(line) is not None)
            if said is not None:
                raise SourceError(said)
            self._is_utf8 = True
        return invalid

    def _read(self, columns: Sequence[str], only: Only, first: int) -> Iterator[TableBlock]:
        read = self.reader(columns)
        for start, items, where in self.items(first):
            yield keep(read(items, start, where), only)

    def reader(self, columns: Sequence[str]) -> Callable[[list[bytes], int, Callable[[int], str]], TableBlock]:
        """A function that makes a block of some items, given the number of the first one and the places of all."""
        outer = {column: self._steps.get(column, [column])[0] for column in columns}
        names = {name: f"c{at}" for at, name in enumerate(dict.fromkeys(outer.values()))}
        fields = {column: names[outer[column]] for column in columns}
        decoder: Decoder[object] = (
            _loose_decoder(names) if not any(map(_not_in_structs.search, names)) else _ByName(names)
        )
        return lambda items, start, where: self._block(items, start, where, decoder, fields)

    def _block(
        self,
        items: list[bytes],
        start: int,
        where: Callable[[int], str],
        decoder: Decoder[object],
        fields: Mapping[str, str],
    ) -> TableBlock:
        decode = decoder.decode
        loose, numbers, refused = [], [], []
        for number, item in enumerate(items, start):
            try:
                loose.append(decode(item))
                numbers.append(number)
            except UNREADABLE:
                try:
                    loose.append(decode_json(decoder, without_nan(item)))
                    numbers.append(number)
                except InvalidRecord as invalid:
                    if item.strip():
                        refused.append((number, self.told(invalid)))
        own = {column: name for column, name in fields.items() if column not in self._steps}
        full = len(loose) == len(items)
        sure = [column for column, name in own.items() if full and None not in map(attrgetter(name), loose)]
        steps = {step for column in fields for step in self._steps.get(column, [column])}
        if twice := with_keys_twice(items, steps, sure):
            kept = [at for at, number in enumerate(numbers) if number - start not in twice]
            loose, numbers = [loose[at] for at in kept], [numbers[at] for at in kept]
            refused = [each for each in refused if each[0] - start not in twice]
            refused += [(start + at, key_twice(name)) for at, name in twice.items()]
        return TableBlock(
            cells={column: self._cells(loose, column, name) for column, name in fields.items()},
            rows=numbers,
            height=len(items),
            refused=refused,
            where=where,
            original=lambda number: items[number - start],
        )

    def _cells(self, loose: list[object], column: str, name: str) -> list[object]:
        cells = list(map(attrgetter(name), loose))
        for step in self._steps.get(column, [column])[1:]:
            cells = [cell.get(step) if isinstance(cell, dict) else None for cell in cells]
        return cells


def json_table(part: Part) -> JsonTable:
    """A JSON file of any form."""
    items = items_of(part)
    return JsonTable(part.name, str(part), items, first_of(items.read), part)


def pipe_table(stream: BinaryIO) -> JsonTable:
    """Lines of a pipe as they arrive; a block is what can be read without waiting. The pipe is read only once."""
    read = getattr(stream, "read1", stream.read)
    blocks = lines_of(read)
    sample: list[list[bytes]] = []
    for block in blocks:
        sample.append(block)
        if any(item.strip() for item in block):
            break

    def coming() -> Iterator[list[bytes]]:
        yield from sample
        yield from blocks

    # Generated ids hash the first item only: the size of the first block depends on the writer's pace.
    return JsonTable("stdin", "standard input", Items("line", coming), [item for each in sample for item in each], None)


def key_twice(name: str) -> InvalidRecord:
    """Reason to refuse an object with a duplicate key."""
    return InvalidRecord(Reason.INVALID_JSON, f"the key {name!r} is repeated, and it is unknown which one is meant")


def json_tables(table: Table) -> list[JsonTable]:
    """The files of a table if all are JSON, else an empty list."""
    tables = table.tables if isinstance(table, Joined) else [table]
    own = [each for each in tables if isinstance(each, JsonTable)]
    return own if len(own) == len(tables) else []


def mostly_votes(tables: Sequence[JsonTable], now: float) -> bool:
    """Whether there are JSON files, and at least half of their sampled objects are valid votes of the contract."""
    return bool(tables) and all(each.mostly_votes(now) for each in tables)


def _read(item: bytes) -> dict[str, object] | None:
    """The fields of an object, nested ones as dictionaries; None when the item is no object."""
    try:
        return _names.decode(without_nan(item))
    except UNREADABLE:
        return None


_names = msgspec.json.Decoder(dict[str, object])


def _paths(name: str, value: object, steps: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Dotted names of the fields below a nested object, with the steps to them."""
    if isinstance(value, dict) and len(steps) < DEEPEST:
        for inner, below in value.items():
            yield f"{name}.{inner}", [*steps, inner]
            yield from _paths(f"{name}.{inner}", below, [*steps, inner])


def _loose_decoder(names: Mapping[str, str]) -> msgspec.json.Decoder[object]:
    """Decoder of some fields by name, of any type; other fields, such as whole conversations, are skipped unread."""
    shape = msgspec.defstruct(
        "Loose",
        [(own, object, None) for own in names.values()],
        rename={own: name for name, own in names.items()},
        gc=False,
    )
    return msgspec.json.Decoder(shape)


_not_in_structs = re.compile(r'["\\\x00-\x1f]')
"""Characters that msgspec (0.22) rejects in names of struct fields; a JSON key may contain them, escaped."""


class _ByName:
    """Decodes like `_loose_decoder`, but through a dictionary, which may have any key; several times slower."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def decode(self, item: bytes) -> SimpleNamespace:
        """The fields of an object; raises what msgspec raises."""
        found = _names.decode(item)
        return SimpleNamespace(**{own: found.get(name) for name, own in self._names.items()})
