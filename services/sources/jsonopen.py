"""Opening JSON: lines of a file or a pipe, or one array; the first objects decide what shape it has."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from services.sources.base import Source, SourceError
from services.sources.distinct import all_different
from services.sources.fields import CONTRACT, Fitted
from services.sources.jsonfile import UNREADABLE, Items, JsonSource, loose_decoder
from services.sources.labels import labels_beside
from services.sources.pairtable import PairTable
from services.sources.plan import HEAD_ROWS, Asked, Plan, fit, made_up_prefix
from services.sources.plan import described as described_as
from services.sources.reading import UTF8_MARK, lines_of, opened
from services.sources.survey import Found, Survey
from streams.contracts.vote import InvalidRecord, Vote, parse_vote

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
    with described_as(described):
        fitted = fit(found, asked)
        prefix = made_up_prefix(name, sample[: 1 if pipe else HEAD_ROWS])
        if fitted.aggregated:
            return _table(items, fitted, unit).source(prefix, asked)
        strict = fitted.contract and asked.plain and _is_bare(fitted) and _mostly_votes(objects, asked.now)
        if pipe:
            surveyed = Found(ids="own" if fitted.contract else "numbered")
        elif strict and _all_ids_differ(items):
            surveyed = Found(ids="own", unique=True)
        else:
            surveyed = _survey(items, fitted, asked)
            strict = strict and surveyed.ids == "own"
        if strict:
            surveyed.said.clear()
        plan = Plan(
            fitted, asked, prefix, total, surveyed, labels_beside(Path(described), fitted) if not pipe else None
        )
    return JsonSource(plan, items, name=name, unit=unit, strict=strict)


def _survey(items: Items, fitted: Fitted, asked: Asked) -> Found:
    survey = Survey(fitted, asked.arena)
    for cells, numbers in _cells(items, fitted):
        survey.look(cells, len(numbers))
    return survey.found()


def _table(items: Items, fitted: Fitted, unit: str) -> PairTable:
    table = PairTable(fitted)
    for cells, numbers in _cells(items, fitted):
        table.add(cells, [f"{unit} {number}" for number in numbers])
    return table


def _cells(items: Items, fitted: Fitted) -> Iterator[tuple[dict[str, list[Any]], list[int]]]:
    """Key to cells, and the numbers of the items that are objects."""
    decode = loose_decoder(fitted.taken).decode
    start = 1
    for block in items():
        loose, numbers = [], []
        for number, item in enumerate(block, start):
            try:
                loose.append(decode(item))
                numbers.append(number)
            except UNREADABLE:
                continue
        yield {key: list(map(attrgetter(key), loose)) for key in fitted.taken}, numbers
        start += len(block)


def _is_bare(fitted: Fitted) -> bool:
    """Whether the file has nothing but what the contract has."""
    return (
        not (fitted.flags or fitted.only or fitted.boards or fitted.anonymous or fitted.watched)
        and all(name not in fitted.places or fitted.column(name) == name for name in Vote.__struct_fields__)
        and {*fitted.places} <= {*Vote.__struct_fields__}
    )


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


def _all_ids_differ(items: Items) -> bool:
    decode = msgspec.json.Decoder(_Id).decode
    hashes = array("q")
    for block in items():
        for item in block:
            try:
                vote = decode(item)
            except UNREADABLE:
                continue
            if not (isinstance(vote.id, str) and isinstance(vote.arena, str | None)):
                return False
            hashes.append(hash((vote.id, vote.arena)))
    return all_different(hashes)


class _Id(msgspec.Struct, gc=False):
    """What a vote is known by."""

    id: Any = None
    arena: Any = None
