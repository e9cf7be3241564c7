"""Opening JSON: lines of a file or a pipe, or one array; the first objects decide what shape it has."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from services.sources.base import Source, SourceError
from services.sources.distinct import all_different
from services.sources.fields import CONTRACT, is_contract, resolve
from services.sources.jsonfile import UNREADABLE, Items, JsonSource, loose_decoder
from services.sources.plan import HEAD_ROWS, Asked, Plan, made_up_prefix
from services.sources.reading import UTF8_MARK, lines_of, opened
from streams.contracts.vote import InvalidRecord, parse_vote

SAMPLE = 1_000
"""Items that decide what shape a source has."""

ARRAY_CHUNK = 2_000


def open_lines(path: Path, name: str, asked: Asked) -> Source:
    """A file with one JSON object a line."""

    def items() -> Iterator[list[bytes]]:
        with opened(path) as file:
            yield from lines_of(file.read)

    total = sum(map(len, items()))
    return _open(items, name, asked, unit="line", total=total, described=str(path))


def open_array(path: Path, name: str, asked: Asked) -> Source:
    """A file with one JSON array of objects; one whose content begins otherwise is taken for lines."""
    with opened(path) as file:
        content = file.read().removeprefix(UTF8_MARK).lstrip()
    if not content.startswith(b"["):
        return open_lines(path, name, asked)
    try:
        array_items = [bytes(item) for item in msgspec.json.decode(content, type=list[msgspec.Raw])]
    except UNREADABLE as error:
        raise SourceError(f"{path}: not a JSON array: {error}") from None

    def items() -> Iterator[list[bytes]]:
        for start in range(0, len(array_items), ARRAY_CHUNK):
            yield array_items[start : start + ARRAY_CHUNK]

    return _open(items, name, asked, unit="item", total=len(array_items), described=str(path))


def open_pipe(stream: BinaryIO, asked: Asked) -> Source:
    """Lines of a pipe, as they come: a chunk is what could be read without waiting. It can be read only once."""
    read = getattr(stream, "read1", stream.read)
    blocks = lines_of(read)
    sample: list[list[bytes]] = []
    for block in blocks:
        sample.append(block)
        if any(item.strip() for item in block):
            break
    coming = chain(sample, blocks)
    # The first line alone: how much the first block holds depends on the writer's pace.
    return _open(
        lambda: coming, "stdin", asked, unit="line", total=None, described="standard input", first=list(chain(*sample))
    )


def _open(
    items: Items,
    name: str,
    asked: Asked,
    *,
    unit: str,
    total: int | None,
    described: str,
    first: list[bytes] | None = None,
) -> Source:
    pipe = first is not None
    sample = [item for item in (first if first is not None else _first(items)) if item.strip()][:SAMPLE]
    if not sample:
        raise SourceError(f"{described}: it is empty")
    objects = _objects(sample)
    if not objects:
        raise SourceError(f"{described}: there is no JSON object among the first {len(sample)} {unit}s")
    found = list(dict.fromkeys(chain(*objects.values())))
    try:
        taken = resolve(found, asked.columns)
    except SourceError as error:
        raise SourceError(f"{described}: {error}") from None
    contract = is_contract(taken)
    strict = not asked.columns and contract and _mostly_votes(objects, asked.now)
    plan = Plan(
        taken=taken,
        prefix=made_up_prefix(name, sample[: 1 if pipe else HEAD_ROWS]),
        use_id="id" in taken and (contract or (not pipe and _names_votes(items, taken["id"]))),
        now=asked.now,
        total=total,
        arena=asked.arena,
    )
    return JsonSource(plan, items, name=name, unit=unit, strict=strict)


def _first(items: Items) -> list[bytes]:
    sample: list[bytes] = []
    for block in items():
        sample += block
        if len(sample) >= SAMPLE:
            break
    return sample


def _objects(sample: Sequence[bytes]) -> dict[bytes, list[str]]:
    """The JSON objects of the sample, with the names of their fields."""
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    objects = {}
    for item in sample:
        try:
            objects[item] = list(decoder.decode(item))
        except UNREADABLE:
            continue
    return objects


def _mostly_votes(objects: Mapping[bytes, Sequence[str]], now: float) -> bool:
    """Whether at least half of the objects with every required field are votes by the contract."""
    whole = [item for item, names in objects.items() if {*CONTRACT} <= {*names}]
    good = 0
    for item in whole:
        try:
            parse_vote(item, now)
        except InvalidRecord:
            continue
        good += 1
    return 2 * good >= len(whole)


def _names_votes(items: Items, column: str) -> bool:
    decode = loose_decoder({"id": column}).decode
    hashes = array("q")
    for block in items():
        for item in block:
            try:
                value = decode(item).id
            except UNREADABLE:
                continue
            if isinstance(value, (str, int, float)) and value != "":
                hashes.append(hash(value))
    return all_different(hashes)
