"""The plan for reading a file: how rows become votes, and which ids and times are generated if the file has none.

The rules, which every reader shares:

- **id.** In a file of the contract's shape (`id`, `model_a`, `model_b`, `winner`, `tstamp` under these names) a second
  occurrence of an id is a duplicate and is dropped, as in the stream. If the ids do not identify votes (see `survey`),
  every row is a vote, except rows that repeat another row in every field. In any other file the id column is used only
  if no value occurs twice (LLMFAO's `id` counts questions, not votes). Without an id column, or where its cell is
  empty, the id is `<name>-<tag>-<row>`: the file's name, a hash of its first 16 rows, and the row number. This id is
  the same on every read, also after rows were appended; another file of the same name gets other ids, so the stream
  does not drop its votes as duplicates. Votes of a pipe without the contract's shape are always numbered, because only
  the end of the pipe shows whether its ids are unique.
- **tstamp.** Without a time column the rows are one second apart, and the last row is at the whole second of `now`.
  Every vote of a pipe is at `now`, because its length is unknown.
- **drawn_at.** Written like the time column, and read with it: beside synthetic times it is not used.
- **arena.** The user's arena, if given, applies to every vote; else the file's; else `text`.
- **Rows that are no votes** by the layout's or the arena's rule are counted under that rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import repeat

import msgspec

from services.sources import cells as cell
from services.sources import clocks, spelling, times
from services.sources.base import Account, Cells, Chunk, ReadOptions, RejectedItem
from services.sources.fields import Fitted
from services.sources.ids import numbered_repeats
from services.sources.outcomes import Outcomes, Said
from services.sources.refusals import no_votes, repeats
from services.sources.survey import EACH_ITEM, SurveyResult, chosen_rows, hashable, names_of, said_of
from services.sources.table import TableBlock
from streams.contracts.reasons import Reason
from streams.contracts.vote import STYLE_FIELDS, InvalidRecord, Vote, check_vote, parse_vote

OPTIONAL = ("voter", "language", "categories", "prompt_hash", "battle", "p_pair", "drawn_at", "style")
_field_of = re.compile(r"\$\.([a-z_]+)|^((?:language|categories)(?= holds)|drawn_at(?= is))")


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be read: its position, the reason, and the field and value that cause it."""

    position: int
    invalid: InvalidRecord
    field: str = ""
    value: str = ""

    def at(self, where: str, original: bytes) -> RejectedItem:
        """Convert to a rejected item of the source."""
        return RejectedItem(where, self.invalid.reason, self.invalid.detail, original, self.field, self.value)


@dataclass(slots=True)
class ReadRows:
    """Votes of some rows, the refused rows, the rows left out by rule, and the cells that were not used."""

    votes: list[Vote]
    refused: list[RefusedRow]
    left_out: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def account(self, rows: int) -> Account:
        """The account of `rows` rows."""
        return Account(rows, self.left_out, self.unread)


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows of a file become votes.

    Attributes
    ----------
    fitted
        The layout, fitted to the file's columns.
    asked
        The user's options.
    prefix
        Prefix of generated ids.
    total
        Rows in the file, None for a pipe.
    found
        Result of the survey; the defaults for a pipe.
    labels
        Names of the winner's classes 0, 1, …, if the file declares them.
    """

    fitted: Fitted
    asked: ReadOptions
    prefix: str
    total: int | None
    found: SurveyResult
    labels: Sequence[str] | None = None
    outcomes: Outcomes = field(init=False)

    def __post_init__(self) -> None:
        outcomes = Outcomes(self.fitted.layout, self.asked.words, self.asked.by, self.labels)
        if self.found.said:
            outcomes.decide(self.found.said)
        object.__setattr__(self, "outcomes", outcomes)

    @property
    def unique(self) -> bool:
        """Whether no id occurs twice."""
        return self.found.ids == "numbered" or self.found.unique

    @property
    def timed(self) -> bool:
        """Whether the file's own times are used."""
        return self.asked.times and "tstamp" in self.fitted.places

    @property
    def notes(self) -> list[str]:
        """Notes for the user on what was generated or not used."""
        notes = []
        if self.found.ids == "numbered":
            unused = "no id column"
            if "id" in self.fitted.places:
                unused = f"column {self.fitted.column('id')!r} does not name single votes"
            notes.append(f"{unused}: ids are made of the file's name and the row number")
        notes += self.found.notes
        if self.outcomes.numbers_are:
            notes.append(f"numbers in {self.fitted.column('winner')!r} are read as {self.outcomes.numbers_are}")
        if not self.timed:
            missing = "no time column" if self.asked.times else "times are not used"
            unused = ", so drawn_at is not used" if "drawn_at" in self.fitted.places else ""
            notes.append(f"{missing}: times are synthetic, {'one second apart' if self.total else 'all now'}{unused}")
        return notes

    def chunk(self, block: TableBlock) -> Chunk:
        """Read a block of rows; refused rows are reported with their place."""
        read = self.read(self.fitted.cells(block.cells), block.rows)
        bad = [(number, RefusedRow(0, invalid)) for number, invalid in block.refused]
        bad += [(block.rows[each.position], each) for each in read.refused]
        bad.sort(key=lambda each: each[0])
        rejected = [each.at(block.where(number), block.original(number)) for number, each in bad]
        return Chunk(read.votes, rejected, read.account(len(block.rows) + len(block.refused)))

    def read(self, cells: Cells, rows: Sequence[int]) -> ReadRows:
        """Read rows.

        Parameters
        ----------
        cells
            Key to its n cells, for every key of `fitted.taken`.
        rows
            Numbers of the n rows, from 1.
        """
        at, left_out = chosen_rows(self.fitted, cells, len(rows))
        if at is not None:
            cells = {key: [column[each] for each in at] for key, column in cells.items()}
        at = list(range(len(rows))) if at is None else at
        if self.fitted.layout.each:
            cells, at = self._unfolded(cells, at, left_out)
        names = names_of(self.fitted, cells)
        said = list(zip(names[0], said_of(self.fitted, cells, len(at)), names[1], strict=True))
        try:
            meanings = list(map(self.outcomes.__getitem__, said))
        except TypeError:  # a list or an object where a name or the winner should be
            said = hashable(said)
            meanings = list(map(self.outcomes.__getitem__, said))
        bad = no_votes(said, meanings)
        wrong = self._no_votes(meanings, said, left_out, bad)
        bad = {at: why for at, why in bad.items() if at not in wrong}
        name = "count" if "count" in self.fitted.places else "weight" if self.found.whole_weights else ""
        counts: list[int] = []
        if name in self.fitted.places:
            counts, uncounted = repeats(name, cell.values(self.fitted.places[name], cells), wrong)
            bad |= uncounted
        columns = self._columns(cells, [rows[each] for each in at], names, meanings, said)
        if wrong or counts or bad:
            kept = [each for each in range(len(at)) if each not in wrong and each not in bad]
            if counts:
                kept = [each for each in kept for _ in range(counts[each])]
            columns = {name: [column[each] for each in kept] for name, column in columns.items()}
            if counts:
                columns["id"] = numbered_repeats(columns["id"], kept)
        else:
            kept = list(range(len(at)))
        read = self._judged(columns, kept, said, cells, left_out)
        refused = [RefusedRow(at[each.position], each.invalid, each.field, each.value) for each in read.refused]
        refused += [RefusedRow(at[each], invalid, name, value) for each, (name, invalid, value) in bad.items()]
        return ReadRows(read.votes, sorted(refused, key=lambda each: each.position), left_out, read.unread)

    def _unfolded(
        self, cells: Cells, at: list[int], left_out: Counter[str]
    ) -> tuple[dict[str, Sequence[object]], list[int]]:
        """One row for each item of the cell that holds a list; the items become the column `EACH_ITEM`."""
        name = self.fitted.layout.each or ""
        found = [cell.unfolded(each) for each in cell.values(self.fitted.places[name], cells)]
        lists: list[list[object]] = [
            each if isinstance(each, list) else [] if each in (None, "") else [each] for each in found
        ]
        if empty := sum(not each for each in lists):
            left_out["no model beside it"] += empty
        places = [position for position, items in enumerate(lists) for _ in items]
        unfolded: dict[str, Sequence[object]] = {
            key: [column[each] for each in places] for key, column in cells.items()
        }
        unfolded[EACH_ITEM] = [item for items in lists for item in items]
        return unfolded, [at[each] for each in places]

    def _no_votes(
        self, meanings: list[str | None], said: Sequence[Said], left_out: Counter[str], bad: Container[int]
    ) -> set[int]:
        """Positions of rows that are no votes between two models, whose names are known."""
        wrong: set[int] = set()
        for position, (a, _, b) in enumerate(said):
            if meanings[position] == "skip":
                left_out["no vote, by its winner"] += 1
                wrong.add(position)
            elif a == b and a and position not in bad:
                left_out["both sides are the same model"] += 1
                wrong.add(position)
        return wrong

    def _columns(
        self,
        cells: Cells,
        rows: Sequence[int],
        names: tuple[Sequence[object], Sequence[object]],
        meanings: Sequence[str | None],
        said: Sequence[Said],
    ) -> dict[str, Sequence[object]]:
        """The columns, to be checked against the contract."""
        places = self.fitted.places
        made: dict[str, Sequence[object]] = {
            name: read(cell.values(places[name], cells)) for name, read in spelling.READERS.items() if name in places
        }
        made["model_a"], made["model_b"] = ([each or None for each in side] for side in names)
        made["winner"] = meanings
        if None in meanings:
            made["winner"] = [(meaning or _as_text(each[1])) for meaning, each in zip(meanings, said, strict=True)]
        styles = {name: cell.values(places[name], cells) for name in STYLE_FIELDS if name in places}
        if styles and "style" not in made:
            made["style"] = cell.styles(styles)
        if self.fitted.boards and "categories" not in made:
            made["categories"] = cell.boards(self.fitted.boards, cells, len(rows))
        for name in [name for name in ("tstamp", "drawn_at") if self.timed and name in places]:
            whens = cell.values(places[name], cells)
            if self.found.writing != "seconds":
                whens = [clocks.read(each, self.found.writing) for each in whens]
            made[name] = times.column(whens, self.found.order)
        if not self.timed:
            made["tstamp"] = self._clock(rows)
        if self.found.ids == "content":
            whens = cell.values(places["tstamp"], cells)
            made["id"] = [self._of_content(made, at, when) for at, when in enumerate(whens)]
        elif self.found.ids == "numbered":
            made["id"] = [self._numbered(row) for row in rows]
        elif None in made["id"] and not self.fitted.contract:
            made["id"] = [own or self._numbered(row) for own, row in zip(made["id"], rows, strict=True)]
        if self.fitted.layout.each:
            made["id"] = numbered_repeats(made["id"], rows)
        if self.asked.arena is not None or "arena" not in made:
            made["arena"] = [self.asked.arena or "text"] * len(rows)
        else:
            made["arena"] = [arena or "text" for arena in made["arena"]]
        return made

    def _judged(
        self,
        columns: dict[str, Sequence[object]],
        kept: list[int],
        said: Sequence[Said],
        cells: Cells,
        left_out: Counter[str],
    ) -> ReadRows:
        """Votes and refused rows; an unreadable cell of an optional field is dropped, and the vote still counts."""
        arrival = self.asked.now if self.asked.ahead is None else self.asked.now + self.asked.ahead
        unread: Counter[str] = Counter()
        votes, refused = judge(columns, arrival)
        for _ in OPTIONAL:
            blank: dict[str, set[int]] = {}
            for position, invalid in refused:
                match = _field_of.search(invalid.detail) if invalid.reason is Reason.INVALID_FIELD else None
                name = (match[1] or match[2]) if match else None
                if name in OPTIONAL and name in columns:
                    blank.setdefault(name, set()).add(position)
            if not blank:
                break
            for name, positions in blank.items():
                unread[self.fitted.column(name) or name] += len(positions)
                columns[name] = [None if at in positions else each for at, each in enumerate(columns[name])]
            votes, refused = judge(columns, arrival)
        return ReadRows(
            votes, [self._blamed(kept, at, invalid, columns, said, cells) for at, invalid in refused], left_out, unread
        )

    def _blamed(
        self, kept: list[int], at: int, invalid: InvalidRecord, columns: Cells, said: Sequence[Said], cells: Cells
    ) -> RefusedRow:
        position = kept[at]
        missing = [name for name in ("model_a", "model_b", "winner", "tstamp", "id") if columns[name][at] is None]
        name = _REASON_FIELD.get(invalid.reason) or (missing[0] if missing else "")
        if invalid.reason is Reason.INVALID_MODEL:
            name = "model_a" if "model_a" in invalid.detail else "model_b"
        if name == "winner":
            value: object = said[position][1]
        elif name in self.fitted.places and self.fitted.layout.each != name:
            value = cell.values(self.fitted.places[name], cells)[position]
        else:
            value = ""
        return RefusedRow(position, invalid, name, _as_text(value) or "")

    def _numbered(self, row: int) -> str:
        return f"{self.prefix}-{row:07d}"

    def _of_content(self, made: Cells, at: int, when: object) -> str:
        content = repr([when, *(made[name][at] for name in ("id", "model_a", "model_b", "winner"))])
        return f"{self.prefix}-{blake2b(content.encode('utf-8', 'replace'), digest_size=7).hexdigest()}"

    def _clock(self, rows: Sequence[int]) -> list[float]:
        if self.total is None:
            return [self.asked.now] * len(rows)
        start = int(self.asked.now) - self.total
        return [float(start + row) for row in rows]


_REASON_FIELD = {
    Reason.UNKNOWN_WINNER: "winner",
    Reason.INVALID_TSTAMP: "tstamp",
    Reason.FUTURE_TSTAMP: "tstamp",
    Reason.INVALID_ID: "id",
    Reason.INVALID_ARENA: "arena",
}


def _as_text(value: object) -> str | None:
    found = spelling.text(value)
    return found if found is None or isinstance(found, str) else repr(found)


_FIELDS = tuple(field.name for field in msgspec.structs.fields(Vote))

# A vote before it is checked: the same fields, of any type. `convert` is six times slower if a field is missing;
# dictionaries would take twice the time.
_Record = msgspec.defstruct("_Record", [(name, object, None) for name in _FIELDS], omit_defaults=True, gc=False)


def judge(columns: Cells, now: float) -> tuple[list[Vote], list[tuple[int, InvalidRecord]]]:
    """Validate records: the votes in order, and the refused records by position.

    Parameters
    ----------
    columns
        Field to its n values, for `arena` and `id` at least; None means absent.
    now
        Arrival of the votes, epoch seconds.
    """
    cells: Iterable[Iterable[object]] = (columns.get(name, repeat(None)) for name in _FIELDS)
    records = list(map(_Record, *cells))
    try:
        votes = msgspec.convert(records, list[Vote], from_attributes=True)
    except msgspec.ValidationError:
        return _one_by_one(records, now)
    refused: list[tuple[int, InvalidRecord]] = []
    for position, vote in enumerate(votes):
        try:
            check_vote(vote, now)
        except InvalidRecord as invalid:
            refused.append((position, invalid))
    if refused:
        bad = {position for position, _ in refused}
        votes = [vote for position, vote in enumerate(votes) if position not in bad]
    return votes, refused


def _one_by_one(records: Sequence[object], now: float) -> tuple[list[Vote], list[tuple[int, InvalidRecord]]]:
    votes, refused = [], []
    for position, record in enumerate(records):
        try:
            try:
                vote = msgspec.convert(record, Vote, from_attributes=True)
                check_vote(vote, now)
            except msgspec.ValidationError:
                # `parse_vote` finds the reason, given the JSON of this record.
                vote = parse_vote(_as_json(record), now)
        except InvalidRecord as invalid:
            refused.append((position, invalid))
        else:
            votes.append(vote)
    return votes, refused


def _as_json(record: object) -> bytes:
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError as error:
        raise InvalidRecord(Reason.INVALID_UTF8, str(error)) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRecord(Reason.INVALID_FIELD, str(error)) from None
