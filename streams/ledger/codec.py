"""The ledger's wire format: blocks of votes, and notices, in versioned msgpack.

docs/contracts/ledger.md describes the format for other programs, with a worked decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from streams.contracts.model import Model
from streams.contracts.vote import STYLE_FIELDS, is_arena
from streams.ledger.refused import MOST_WORDS, Refused, RefusedMap, as_map, of_map
from streams.ledger.rows import Rows, find_fault

VERSION = 1
MAX_BLOCK_BYTES = 1_000_000
"""A larger block is cut in two: brokers refuse records above 1 MiB by default."""


class DamagedRecord(ValueError):  # noqa: N818 -- says what the record is
    """A ledger record that this version cannot read: the fold must stop, not guess."""


@dataclass(frozen=True, slots=True)
class Block:
    """Votes of one arena in ledger order.

    `through` is the offset of the last votes record, per partition, that this block accounts for: duplicates and
    refused records are not in the rows, but no later block holds a record at or below `through`. `refused` names the
    refused records that say that they are of this arena; a block may hold nothing else.
    """

    arena: str
    rows: Rows
    through: dict[int, int]
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of the arena's declared registry, at its position among the votes.

    `model` is the declaration from here on, or None when the model was removed from the registry (a tombstone).
    """

    arena: str
    name: str
    model: Model | None
    partition: int
    offset: int
    recorded: int


# column name -> (attribute of Rows, dtype on the wire)
_COLUMNS = {
    "model_a": "<u2",
    "model_b": "<u2",
    "winner": "|u1",
    "tstamp": "<f8",
    "partition": "<u2",
    "offset": "<i8",
    "recorded": "<i8",
    "language": "<u2",
    "categories": "<u2",
    "voter": "<u4",
    "prompt": "<u4",
    "battle": "<u4",
    "p_pair": "<f8",
    "drawn_at": "<f8",
    "style": "<i4",
}
_CODES = {"model_a", "model_b", "language", "categories", "voter", "prompt", "battle", "partition"}
_NARROW_WORDS = 65_536
"""Number of words that a `<u2` column can code."""

Place = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Head(msgspec.Struct):
    v: object = None
    kind: object = None


class _Notice(msgspec.Struct):
    arena: str
    name: str
    model: Model | None
    partition: Place
    offset: Place
    recorded: int


class _Column(msgspec.Struct):
    dtype: str
    data: bytes


class _Columns(msgspec.Struct):
    model_a: _Column
    model_b: _Column
    winner: _Column
    tstamp: _Column
    partition: _Column
    offset: _Column
    recorded: _Column
    language: _Column | None = None
    categories: _Column | None = None
    voter: _Column | None = None
    prompt: _Column | None = None
    battle: _Column | None = None
    p_pair: _Column | None = None
    drawn_at: _Column | None = None
    style: _Column | None = None


class _Block(msgspec.Struct):
    arena: str
    rows: int
    through: list[tuple[Place, Place]]
    models: list[str]
    languages: list[str]
    category_sets: list[tuple[str, ...]]
    voters: list[str]
    prompts: list[str]
    columns: _Columns
    battles: list[str] = msgspec.field(default_factory=lambda: [""])  # blocks without a `battle` column lack it
    refused: RefusedMap | None = None


_encode = msgspec.msgpack.Encoder().encode
_read_head = msgspec.msgpack.Decoder(_Head).decode
_read_notice = msgspec.msgpack.Decoder(_Notice).decode
_read_block = msgspec.msgpack.Decoder(_Block).decode


def encode_block(block: Block) -> list[bytes]:
    """Encode a block, cut into pieces when it exceeds `MAX_BLOCK_BYTES`."""
    if _most_words(block.rows) > _NARROW_WORDS:  # more than a column can code, some perhaps of dropped rows only
        block = Block(block.arena, compact(block.rows), block.through, block.refused)
    record = _encode(_block_map(block))
    refused, names = (0, 0) if block.refused is None else (len(block.refused), len(block.refused.models))
    fits = len(record) <= MAX_BLOCK_BYTES and _most_words(block.rows) <= _NARROW_WORDS and names <= MOST_WORDS
    if fits or len(block.rows) + refused < 2:
        return [record]
    first, rest = _cut(block)
    return encode_block(first) + encode_block(rest)


def _cut(block: Block) -> tuple[Block, Block]:
    """Cut a block in the middle of its rows and refused votes together, in their order."""
    refused = block.refused
    before, middle = None, len(block.rows) // 2
    if refused is not None:
        n = (len(block.rows) + len(refused)) // 2
        half = int(np.count_nonzero(refused.place + np.arange(len(refused)) < n))
        middle = n - half
        before = refused.take(slice(None, half), refused.place[:half])
        refused = refused.take(slice(half, None), refused.place[half:] - middle)
    first, rest = compact(block.rows.take(slice(None, middle))), compact(block.rows.take(slice(middle, None)))
    # Only the last piece may have the block's `through`: until it is written, rows are still missing.
    seen = {int(p): int(first.offset[first.partition == p].max()) for p in np.unique(first.partition)}
    if before is not None:
        for partition, offset in zip(before.partition.tolist(), before.offset.tolist(), strict=True):
            seen[partition] = max(seen.get(partition, -1), offset)
    return Block(block.arena, first, seen, before), Block(block.arena, rest, block.through, refused)


def encode_notice(notice: Notice) -> bytes:
    """Encode a notice."""
    return _encode(
        {
            "v": VERSION,
            "kind": "notice",
            "arena": notice.arena,
            "name": notice.name,
            "partition": notice.partition,
            "offset": notice.offset,
            "recorded": notice.recorded,
            "model": notice.model,
        }
    )


def decode(record: bytes) -> Block | Notice:
    """Decode one ledger record.

    Raises
    ------
    DamagedRecord
        When the record is not of this version, or its columns do not fit together.
    """
    try:
        head = _read_head(record)
        if head.v != VERSION:
            raise DamagedRecord(f"ledger record of version {head.v!r}, this program reads {VERSION}")
        if head.kind == "notice":
            return _notice(_read_notice(record))
        if head.kind == "block":
            return _block(_read_block(record))
    except DamagedRecord:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedRecord(f"ledger record cannot be read: {error!r}") from error
    raise DamagedRecord(f"ledger record of kind {head.kind!r}")


def _most_words(rows: Rows) -> int:
    return max(len(rows.models), len(rows.languages), len(rows.category_sets))


def _block_map(block: Block) -> dict[str, object]:
    rows = block.rows
    columns = {}
    for name, dtype in _COLUMNS.items():
        column = getattr(rows, name)
        if column is not None:
            columns[name] = {"dtype": dtype, "data": column.astype(dtype, copy=False).tobytes()}
    fields: dict[str, object] = {
        "v": VERSION,
        "kind": "block",
        "arena": block.arena,
        "rows": len(rows),
        "through": sorted(block.through.items()),
        "models": rows.models,
        "languages": rows.languages,
        "category_sets": rows.category_sets,
        "voters": rows.voters,
        "prompts": rows.prompts,
        "columns": columns,
    }
    if rows.battle is not None:  # blocks that do not need the dictionary keep the bytes of programs that lack it
        fields["battles"] = rows.battles
    if block.refused is not None and len(block.refused):
        fields["refused"] = as_map(block.refused)
    return fields


def _notice(fields: _Notice) -> Notice:
    if not is_arena(fields.arena):
        raise DamagedRecord(f"notice of arena {fields.arena!r}")
    return Notice(fields.arena, fields.name, fields.model, fields.partition, fields.offset, fields.recorded)


def _block(fields: _Block) -> Block:
    columns = {name: _column(name, getattr(fields.columns, name), fields.rows) for name in _COLUMNS}
    rows = Rows(
        models=fields.models,
        languages=fields.languages,
        category_sets=fields.category_sets,
        voters=fields.voters,
        prompts=fields.prompts,
        battles=fields.battles,
        **columns,  # type: ignore[arg-type]  # the required ones are not None
    )
    through = dict(fields.through)
    fault = find_fault(rows, through) if is_arena(fields.arena) else f"arena {fields.arena!r}"
    if fault is not None:
        raise DamagedRecord(f"block with {fault}")
    refused = None if fields.refused is None else of_map(fields.refused, fields.rows, through)
    return Block(fields.arena, rows, through, refused)


def _column(name: str, column: _Column | None, n: int) -> NDArray[np.number] | None:
    if column is None:
        return None
    if column.dtype != _COLUMNS[name]:
        raise DamagedRecord(f"column {name} of type {column.dtype!r}")
    array = np.frombuffer(column.data, dtype=column.dtype)
    if name == "style":
        array = array.reshape(-1, len(STYLE_FIELDS))
    if len(array) != n:
        raise DamagedRecord(f"column {name} has {len(array)} values for {n} rows")
    return array.astype(np.int32) if name in _CODES else array


def compact(rows: Rows) -> Rows:
    """Return the same rows with dictionaries that hold only the words used."""
    n = len(rows)
    used, both = np.unique(np.concatenate([rows.model_a, rows.model_b]), return_inverse=True)
    both = both.astype(np.int32)
    changed: dict[str, object] = {
        "models": [rows.models[int(word)] for word in used],
        "model_a": both[:n],
        "model_b": both[n:],
    }
    for column, words in (
        ("language", "languages"),
        ("categories", "category_sets"),
        ("voter", "voters"),
        ("prompt", "prompts"),
        ("battle", "battles"),
    ):
        codes, dictionary = getattr(rows, column), getattr(rows, words)
        if codes is None or not codes.any():
            changed[column], changed[words] = None, dictionary[:1]
            continue
        kept, new = np.unique(np.concatenate([[0], codes]), return_inverse=True)  # 0 stays "absent"
        changed[column], changed[words] = new[1:].astype(np.int32), [dictionary[int(word)] for word in kept]
    fields = {name: getattr(rows, name) for name in Rows.__slots__}
    return Rows(**{**fields, **changed})
