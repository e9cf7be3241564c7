"""Turn a fetch into ledger records: votes into blocks, model records into notices; reject the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.model import parse_model, split_key
from streams.contracts.vote import InvalidRecord
from streams.intake.decode import Decoded, Reject, decode
from streams.intake.dedup import SeenIds, marks_of
from streams.intake.records import Records, time_order
from streams.intake.reject_limit import Refusals
from streams.ledger.codec import Block, Notice, compact
from streams.ledger.refused import Refused
from streams.ledger.rows import Rows, code


@dataclass(slots=True)
class PartitionMemory:
    """Intake's memory of one votes partition; it is a function of the log before `position` alone."""

    seen: SeenIds
    refusals: Refusals
    position: int
    """Offset of the next record to process."""
    arenas: set[str] = field(default_factory=set)
    """Arenas of fetches with this partition that had a usable vote. Only for these may a block hold nothing but refused
    votes, so that a wrong name in a refused vote founds no arena."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Result of a fetch: blocks for the ledger, refused records, and the number of duplicates dropped."""

    blocks: list[Block]
    rejects: list[Reject]
    duplicates: int


def accept(records: Records, sources: Mapping[int, PartitionMemory]) -> Accepted:
    """Decode a fetch, drop duplicates, and collect the rest, by record time, into one block per arena.

    Parameters
    ----------
    records
        Records of any number of partitions, in log order within each; not empty.
    sources
        Memory by partition; updated in place.
    """
    decoded = decode(records)
    fresh, through = remember(records, decoded, sources)
    # Sort by time only now: permute the decoded columns, not the raw records (cache locality).
    order = time_order(records)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    usable = _usable(records, decoded)
    counted = (np.cumsum(usable) - 1)[order[usable[order]]]
    counted = counted[fresh[counted]]
    rejects = sorted(decoded.rejects, key=lambda reject: int(rank[reject.index]))
    place = np.searchsorted(rank[np.flatnonzero(usable)[counted]], [rank[reject.index] for reject in rejects])
    blocks = _blocks(records, decoded, counted, through, list(zip(rejects, place.tolist(), strict=True)), sources)
    return Accepted(blocks, rejects, len(fresh) - len(counted))


def _blocks(
    records: Records,
    decoded: Decoded,
    counted: NDArray[np.int64],
    through: dict[int, int],
    rejects: list[tuple[Reject, int]],
    sources: Mapping[int, PartitionMemory],
) -> list[Block]:
    """One block for each arena, with its rows and its refused votes; `rejects` come with the rows before each."""
    parts = dict(_by_arena(decoded, counted))
    if not rejects:
        return [Block(arena, part, through) for arena, part in parts.items()]
    found = parts.keys() | set().union(*(source.arenas for source in sources.values()))
    refused: dict[str, list[tuple[Reject, int]]] = {}
    for reject, place in rejects:
        if reject.arena in found:
            refused.setdefault(reject.arena, []).append((reject, place))
    of = np.array(decoded.arenas, np.str_)[counted]
    nothing = compact(decoded.rows.take(slice(0, 0)))
    blocks = []
    for arena in sorted({*parts, *refused}):
        mine = refused.get(arena)
        if mine is not None:
            before = np.concatenate([[0], np.cumsum(of == arena)])  # rows of this arena
            mine = [(reject, int(before[place])) for reject, place in mine]
        told = None if mine is None else refused_of(records, mine)
        blocks.append(Block(arena, parts.get(arena, nothing), through, told))
    return blocks


def refused_of(records: Records, rejects: list[tuple[Reject, int]]) -> Refused:
    """Lay out refused votes of one arena, each with the number of rows before it, as columns."""
    index = np.array([reject.index for reject, _ in rejects])
    reasons, reason = code([reject.reason.value for reject, _ in rejects])
    models, both = code([name for side in (0, 1) for name in (each.models[side] for each, _ in rejects)], first=[""])
    n, place = len(rejects), np.array([place for _, place in rejects], np.int64)
    return Refused(reasons, reason, models, both[:n], both[n:], records.partition[index], records.offset[index], place)


def remember(
    records: Records, decoded: Decoded, sources: Mapping[int, PartitionMemory]
) -> tuple[NDArray[np.bool_], dict[int, int]]:
    """Update the sources with a fetch; a rebuild after an assignment does only this.

    Returns
    -------
    fresh : bool[usable votes]
        Whether each usable vote counts.
    through : dict
        Offset of the last record of each partition in the fetch.
    """
    usable = _usable(records, decoded)
    names, of = _arenas(decoded, usable)
    fresh = np.ones(len(decoded.rows), np.bool_)
    marks = marks_of(decoded.ids, decoded.arenas)
    through: dict[int, int] = {}
    arenas = set(decoded.arenas)
    for partition in np.flatnonzero(np.bincount(records.partition)).tolist():
        source = sources[partition]
        of_fetch = np.flatnonzero(records.partition == partition)
        of_rows = np.flatnonzero(decoded.rows.partition == partition)
        fresh[of_rows] = source.seen.fresh(marks[of_rows], decoded.rows.offset[of_rows], decoded.rows.recorded[of_rows])
        source.arenas |= arenas
        source.refusals.observe(names, of[of_fetch], ~usable[of_fetch])
        through[partition] = int(records.offset[of_fetch[-1]])
        source.position = through[partition] + 1
    return fresh, through


def declare(records: Records) -> tuple[list[Notice], list[Reject]]:
    """Decode and check model records; a record without value takes the model off the registry."""
    notices: list[Notice] = []
    rejects: list[Reject] = []
    places = zip(records.partition.tolist(), records.offset.tolist(), records.recorded.tolist(), strict=True)
    for index, (key, value, (partition, offset, recorded)) in enumerate(
        zip(records.keys, records.values, places, strict=True)
    ):
        try:
            model = None if value is None else parse_model(value, key, recorded / 1000)
            arena, name = split_key(key)
        except InvalidRecord as error:
            rejects.append(Reject(index, error.reason, error.detail))
            continue
        notices.append(Notice(arena, name, model, partition, offset, recorded))
    return notices, rejects


def _arenas(decoded: Decoded, usable: NDArray[np.bool_]) -> tuple[list[str], NDArray[np.int32]]:
    """List the arenas of a fetch, and for each record the index of its arena in that list."""
    names = list(dict.fromkeys([*decoded.arenas, *(reject.arena for reject in decoded.rejects)]))
    of = np.zeros(len(usable), np.int32)
    if len(names) > 1:
        number = {name: code for code, name in enumerate(names)}
        of[usable] = np.fromiter(map(number.__getitem__, decoded.arenas), np.int32, len(decoded.arenas))
        of[[reject.index for reject in decoded.rejects]] = [number[reject.arena] for reject in decoded.rejects]
    return names, of


def _usable(records: Records, decoded: Decoded) -> NDArray[np.bool_]:
    usable = np.ones(len(records), np.bool_)
    usable[[reject.index for reject in decoded.rejects]] = False
    return usable


def _by_arena(decoded: Decoded, chosen: NDArray[np.int64]) -> list[tuple[str, Rows]]:
    """The chosen rows of each arena, in the given order."""
    rows, arenas = decoded.rows.take(chosen), decoded.arenas
    if not len(rows):
        return []
    if len(set(arenas)) == 1:
        return [(arenas[0], rows if len(rows) > 1000 else compact(rows))]
    of = np.array(arenas)[chosen]
    return [(str(arena), compact(rows.take(of == arena))) for arena in np.unique(of)]
