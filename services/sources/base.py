"""A source: votes read from somewhere, in three shapes: votes, Kafka records, columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from services.sources.distinct import Seen
from streams.contracts.reasons import Reason
from streams.contracts.vote import Vote

if TYPE_CHECKING:
    from services.sources.outcomes import By
    from streams.ledger.rows import Rows


BATCH = 16_384
"""Minimum number of votes of a batch, except the last one."""

Cells = Mapping[str, Sequence[object]]
"""Column to its cells, of whatever type the file has: each use asks what a cell is."""


class SourceError(Exception):
    """The source cannot be read at all; the message is for the user who named it."""


def in_rows(rows: int) -> str:
    """Say in how many rows something is: `in 1 row`, `in 2,000 rows`."""
    return f"in {rows:,} row{'' if rows == 1 else 's'}"


@contextmanager
def described(what: object) -> Iterator[None]:
    """Prefix a `SourceError` with the name of the file."""
    try:
        yield
    except SourceError as error:
        raise error if str(error).startswith(f"{what}:") else SourceError(f"{what}: {error}") from None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The user's options besides the path; see `votes.open_source`."""

    columns: Mapping[str, str] | None
    arena: str | None
    now: float
    layout: str | None = None
    words: Mapping[str, str] | None = None
    by: By | None = None
    only: Mapping[str, Sequence[str]] | None = None
    ahead: float | None = None
    """Times up to this many seconds after `now` are accepted; None for the contract's limit."""
    times: bool = True
    """Whether the file's times are used."""

    @property
    def plain(self) -> bool:
        """Whether no option changes the meaning of a cell."""
        return self.times and not (self.columns or self.layout or self.words or self.by or self.only)


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """One item that is no vote.

    Attributes
    ----------
    where
        `line 17` of a text file, `item 17` of a JSON array, `row 17` of a Parquet file; counted from 1.
    reason
        The same closed set as in the stream.
    detail
        One sentence for a person.
    original
        The item as it was read; for a row of a table, its cells.
    field, value
        The field whose cell is wrong, and the cell; empty when the whole item is wrong.
    """

    where: str
    reason: Reason
    detail: str
    original: bytes
    field: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Counts of some rows, apart from the votes and the refused items.

    Attributes
    ----------
    rows
        Number of rows read.
    left_out
        Number of rows that are no votes, by the rule that leaves them out.
    unread
        Number of unreadable cells of optional columns, by column; their votes count.
    """

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Account) -> Account:
        return Account(self.rows + other.rows, self.left_out + other.left_out, self.unread + other.unread)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some votes of a source in its order, the items refused among them, and the account of all rows."""

    votes: list[Vote]
    rejected: list[RejectedItem]
    account: Account


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """A chunk as records of the `votes` topic: `keys[i]` is the id of the vote encoded in `values[i]`."""

    keys: list[bytes]
    values: list[bytes]
    rejected: list[RejectedItem]
    account: Account


@dataclass(frozen=True, slots=True)
class ColumnChunk:
    """A chunk as columns by arena, without votes whose id occurred before."""

    rows: dict[str, Rows]
    rejected: list[RejectedItem]
    duplicates: int
    account: Account


class VoteSource(ABC):
    """Votes of a file or a named data set, in a fixed order; each call of a method reads from the start.

    Parameters
    ----------
    name
        Short name, also the prefix of generated ids.
    total
        Number of rows, refused ones included; None when unknown (a pipe).
    notes
        What the reader did to the data and the user must know (generated ids, order or times); may be empty.
    unique
        True when no id occurs twice, so that no memory is needed to drop duplicates.
    timed
        True when the times are the data's own.
    layout
        Name of the layout; empty when there is none.
    unused
        Columns that are not used.
    """

    def __init__(
        self,
        name: str,
        total: int | None,
        notes: Sequence[str],
        *,
        unique: bool,
        timed: bool,
        layout: str = "",
        unused: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.total = total
        self.notes = list(notes)
        self.unique = unique
        self.timed = timed
        self.layout = layout
        self.unused = list(unused)

    @property
    def note(self) -> str:
        """All notes, in one line."""
        return "; ".join(self.notes)

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """The votes and the refused items."""

    def records(self) -> Iterator[RecordChunk]:
        """The votes as keys and JSON values for the `votes` topic; duplicates stay, because the stream drops them."""
        encode = msgspec.json.Encoder().encode
        for chunk in self.chunks():
            keys = [vote.id.encode() for vote in chunk.votes]
            yield RecordChunk(keys, [encode(vote) for vote in chunk.votes], chunk.rejected, chunk.account)

    def rows(self) -> Iterator[ColumnChunk]:
        """The votes as columns; the first occurrence of an id in its arena wins.

        `partition` is 0, `offset` is the number of the vote among the accepted ones, and `recorded` is the vote's own
        `tstamp`, because a file has no record time.
        """
        seen = Seen()
        start = 0
        for chunk in _merged(self.chunks()):
            votes, numbers = chunk.votes, range(start, start + len(chunk.votes))
            start += len(votes)
            if self.unique:
                yield ColumnChunk(_by_arena(votes, numbers), chunk.rejected, 0, chunk.account)
                continue
            new = seen.new([(vote.arena, vote.id) for vote in votes])
            first, kept = [votes[at] for at in new], [numbers[at] for at in new]
            yield ColumnChunk(_by_arena(first, kept), chunk.rejected, len(votes) - len(first), chunk.account)


def _merged(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Merge chunks into fewer, larger ones: small chunks are fastest to read, but a fold has a cost per block."""
    votes: list[Vote] = []
    rejected: list[RejectedItem] = []
    account = Account()
    for chunk in chunks:
        votes.extend(chunk.votes)
        rejected.extend(chunk.rejected)
        account += chunk.account
        if len(votes) >= BATCH:
            yield Chunk(votes, rejected, account)
            votes, rejected, account = [], [], Account()
    if votes or rejected or account.rows:
        yield Chunk(votes, rejected, account)


def _by_arena(votes: list[Vote], numbers: range | list[int]) -> dict[str, Rows]:
    arenas = dict.fromkeys([vote.arena for vote in votes])
    if len(arenas) == 1:
        return {arena: _columns(votes, numbers) for arena in arenas}
    split: dict[str, tuple[list[Vote], list[int]]] = {arena: ([], []) for arena in arenas}
    for vote, number in zip(votes, numbers, strict=True):
        of_arena, numbers_of_arena = split[vote.arena]
        of_arena.append(vote)
        numbers_of_arena.append(number)
    return {arena: _columns(*both) for arena, both in split.items()}


def _columns(votes: list[Vote], numbers: range | list[int]) -> Rows:
    import numpy as np

    from streams.ledger.rows import rows_of

    n = len(votes)
    times = np.fromiter((vote.tstamp for vote in votes), dtype=np.float64, count=n)
    return rows_of(
        votes,
        partition=np.zeros(n, dtype=np.int32),
        offset=np.fromiter(numbers, dtype=np.int64, count=n),
        recorded=(times * 1000).astype(np.int64),
    )
