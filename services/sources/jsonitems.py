"""Items of a JSON file, each the bytes of one object: from lines, an array, concatenated objects, or one object.

The content decides how a file is read, not its ending:

- **Lines**, when the first line is an object by itself and more lines follow, or when the readings below fail.
- **An array** of objects.
- **Concatenated objects**, over several lines or without line ends between them.
- **One object** that holds the items: a list under one of its keys (`{"battles": […]}`), pandas' forms of a table (by
  column, by row, `split`, lists), or an object that is an item itself.

Python and pandas write missing numbers as NaN and Infinity, which are no JSON: they are read as null.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import methodcaller

import msgspec

from services.sources.base import SourceError
from services.sources.parts import Part
from services.sources.reading import UTF8_MARK, lines_of

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions that decoding arbitrary bytes may raise."""

SAMPLE = 1_000
"""Number of items that are sampled to find the form and the columns of a source."""

CHUNK = 2_000

_NO_NUMBER = re.compile(rb'("(?:[^"\\]++|\\.)*+(?:"|\Z))|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_STEP = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
_MESSAGE = {"role", "content", "from", "value"}
"""Fields of chat messages."""

_SPACED = re.compile(rb'"\s+:')
_ESCAPED = re.compile(rb"\\u00[2-7]")
"""Escapes of ASCII characters: a key may be written with them."""

TOTALS = frozenset({"total", "count", "total_count", "total_rows", "total_results", "num_rows_total", "records_total"})
"""Fields beside a list in which servers give the length of the whole list."""
MORE = frozenset({"next", "has_more", "has_next", "next_page", "next_cursor", "next_page_token"})
"""Fields beside a list in which servers announce further pages."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Items:
    """Items of a file.

    Attributes
    ----------
    unit
        `line` or `item`.
    read
        Returns the items in lists, from the start at each call; for a pipe, only once.
    note
        Note for the user on which parts of the file are read.
    """

    unit: str
    read: Callable[[], Iterator[list[bytes]]]
    note: str = ""


def items_of(part: Part) -> Items:
    """The items of a file of any form; a file that fits no other form is read as lines.

    Raises
    ------
    SourceError
        When the file cannot be read, or its items cannot be determined without guessing.
    """

    def lines() -> Iterator[list[bytes]]:
        with part.opened() as file:
            yield from lines_of(file.read)

    plain = Items("line", lines)
    first = [line for line in first_of(lines) if line.strip()]
    start = first[0].lstrip()[:1] if first else b""
    if start not in (b"[", b"{") or (
        _fields_of(first[0]) is not None and (len(first) > 1 or _is_record(first[0], part.kind))
    ):
        return plain
    with part.opened() as file:
        content = file.read().removeprefix(UTF8_MARK).strip()
    try:
        return _of_document(without_nan(content), part)
    except UNREADABLE as error:
        if any(_fields_of(line) is not None for line in first):  # lines, and the first one is damaged
            return plain
        kind = "array" if start == b"[" else "object, nor objects one after the other or one a line"
        raise SourceError(f"{part}: not a JSON {kind}: {error}") from None


def first_of(read: Callable[[], Iterator[list[bytes]]]) -> list[bytes]:
    """The first items: at least `SAMPLE`, or all if there are fewer."""
    sample: list[bytes] = []
    for block in read():
        sample += block
        if len(sample) >= SAMPLE:
            break
    return sample


def without_nan(item: bytes) -> bytes:
    r"""An item with null in place of NaN and Infinity; strings are left as they are.

    >>> without_nan(b'{"a": NaN, "b": -Infinity, "c": "NaN \\" NaN"}')
    b'{"a": null, "b": null, "c": "NaN \\" NaN"}'
    """
    if b"NaN" not in item and b"Infinity" not in item:
        return item
    return _NO_NUMBER.sub(lambda found: found[1] or b"null", item)


def with_keys_twice(items: Sequence[bytes], names: Collection[str], sure: Collection[str] = ()) -> dict[int, str]:
    """Items in which an object has one of these keys twice, by position; decoders silently use the last one.

    Every item has the keys in `sure`: if such a key occurs as often as there are items, no item has it twice. Searching
    each item instead takes half as long as decoding it.

    >>> with_keys_twice([b'{"a": 1, "b": "a"}', b'{"a": 1, "a": 2}'], ["a", "b"])
    {1: 'a'}
    """
    whole = b"\n".join(items)
    after = b"" if _SPACED.search(whole) else b":"
    if sure and after and whole.count(b'":') == len(sure) * len(items):
        return {}  # these keys and no others
    suspects: set[int] = set()
    for name in names:
        key = msgspec.json.encode(name) + after
        if (times := whole.count(key)) and not (name in sure and times == len(items)):
            suspects.update(at for at, found in enumerate(map(methodcaller("count", key), items)) if found > 1)
    if _ESCAPED.search(whole):
        suspects.update(at for at, item in enumerate(items) if _ESCAPED.search(item))
    twice = {at: [name for level in _twice(items[at]) for name in level if name in names] for at in sorted(suspects)}
    return {at: found[0] for at, found in twice.items() if found}


def _twice(content: bytes) -> list[list[str]]:
    """Keys that occur more than once, for each object of a text; the outermost object comes last."""
    levels: list[list[str]] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        names = Counter(name for name, _ in pairs)
        levels.append([name for name, times in names.items() if times > 1])

    try:
        json.loads(content, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return []  # the decoder reports the error
    return levels


def _fields_of(line: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _object.decode(without_nan(line))
    except UNREADABLE:
        return None


def _is_record(line: bytes, kind: str) -> bool:
    """Whether the only object of a file is a record and not a container of records.

    In a file of lines (`.jsonl`) a single line may be a battle with a list about its two sides.
    """
    values = (_fields_of(line) or {}).values()
    if not any(_start(value)[:1] not in (b"{", b"[") for value in values):
        return False
    sides = 2 if kind != ".json" else 0
    return not any(_holds_records(value) and len(_array.decode(value)) > sides for value in values)


def _of_document(content: bytes, part: Part) -> Items:
    if content.startswith(b"["):
        return _in_memory(_array.decode(content))
    values = _values(content)
    if len(values) == 1:
        return _of_object(_object.decode(content), content, part)
    for value in values:
        _object.decode(value)
    return _in_memory(values)


def _must_be_whole(others: Mapping[str, msgspec.Raw], length: int, what: str) -> None:
    """Refuse a list that is one page of several: its board would be that of an arbitrary part."""
    for name, raw in others.items():
        value = msgspec.json.decode(raw)
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        longer = isinstance(value, int) and not isinstance(value, bool) and value > length
        if (snake in TOTALS and longer) or (snake in MORE and value):
            raise SourceError(
                f"{what} has {length:,} items, and {name!r} beside it says {value!r}: this is one page of several; put"
                " all pages into one list, or the list alone into a file if it is whole"
            )


def _of_object(held: Mapping[str, msgspec.Raw], content: bytes, part: Part) -> Items:
    lists = [name for name, value in held.items() if _holds_records(value)]
    levels = _twice(content)
    if twice := [name for level in (levels[-1:] if lists else levels) for name in level]:
        raise SourceError(f"{part}: an object has the key {twice[0]!r} twice, and it is unknown which one is meant")
    if len(lists) > 1:
        raise SourceError(
            f"{part}: one object with several lists ({', '.join(lists[:8])}); put the one meant into a"
            " file, or write the rows of all as one list, each with the name of its list as a field"
        )
    if lists:
        others = [name for name in held if name not in lists]
        note = f"{part}: the list {lists[0]!r} is read" + (f", not {', '.join(others)}" if others else "")
        items = _array.decode(held[lists[0]])
        _must_be_whole({name: held[name] for name in others}, len(items), f"{part}: the list {lists[0]!r}")
        return Items("item", _in_memory(items).read, note)
    if {"columns", "data"} <= {*held}:
        columns, data = msgspec.json.decode(held["columns"]), msgspec.json.decode(held["data"])
        if _is_table(columns, data):
            return _in_memory([msgspec.json.encode(dict(zip(columns, row, strict=True))) for row in data])
    values = msgspec.json.decode(content)
    if len(values) > 1 and all(isinstance(value, list) for value in values.values()):
        if len({*map(len, values.values())}) > 1:
            raise SourceError(f"{part}: one object with lists of different lengths; they are not columns of a table")
        return _in_memory([_encoded(values, row) for row in zip(*values.values(), strict=True)])
    if values and all(isinstance(value, dict) for value in values.values()):
        return _of_objects(values, part)
    return _in_memory([content])


def _of_objects(values: Mapping[str, Mapping[str, object]], part: Part) -> Items:
    """A table as pandas writes it: by column (its default), or by row."""
    inner = dict.fromkeys(name for value in values.values() for name in value)
    by_row, by_column = all(map(str.isdigit, values)), bool(inner) and all(map(str.isdigit, inner))
    if by_row == by_column:
        raise SourceError(
            f"{part}: one object of objects, and neither its keys nor theirs are numbers of rows; write it as a list of"
            " objects (pandas: orient='records')"
        )
    if by_row:
        return _in_memory([msgspec.json.encode(value) for value in values.values()])
    rows = ({name: column.get(row) for name, column in values.items()} for row in inner)
    return _in_memory([msgspec.json.encode(row) for row in rows])


def _holds_records(value: msgspec.Raw) -> bool:
    """Whether a value is a list of objects, other than the messages of a conversation."""
    start = _start(value)
    if not start.startswith(b"[") or not start[1:].lstrip().startswith(b"{"):
        return False
    first = _object.decode(next(iter(_array.decode(value))))
    return not _MESSAGE & {*first}


def _start(value: msgspec.Raw) -> bytes:
    return memoryview(value)[:64].tobytes().lstrip()


def _is_table(columns: object, data: object) -> bool:
    return (
        isinstance(columns, list)
        and isinstance(data, list)
        and all(isinstance(name, str) for name in columns)
        and all(isinstance(row, list) and len(row) == len(columns) for row in data)
    )


def _encoded(names: Mapping[str, object], row: Sequence[object]) -> bytes:
    return msgspec.json.encode(dict(zip(names, row, strict=True)))


def _values(content: bytes) -> list[bytes]:
    """Split a text of concatenated values; text between two values goes to the next one."""
    found, depth, start = [], 0, 0
    for step in _STEP.finditer(content):
        sign = step[0]
        if sign in (b"{", b"["):
            depth += 1
        elif sign in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                found.append(content[start : step.end()].strip().lstrip(b",").lstrip())
                start = step.end()
    if content[start:].strip():
        found.append(content[start:].strip())
    return found


def _in_memory(items: Sequence[bytes | msgspec.Raw]) -> Items:
    own = [bytes(item) for item in items]

    def read() -> Iterator[list[bytes]]:
        rest = iter(own)
        while block := list(islice(rest, CHUNK)):
            yield block

    return Items("item", read)
