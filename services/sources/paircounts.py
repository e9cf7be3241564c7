"""Counts of each pair and outcome as votes: reads tables of counts, and unfolds counts into single votes.

A table has one row per pair with its wins and ties, or is a square of wins. A cell of a square is the number of wins of
the row's model over the column's. A tie counts as half a win for each, so two halves of a pair are one tie. Whole
numbers may contain an unknown number of ties; ratings that count a tie as half a win do not depend on it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.sources import cells as cell
from services.sources import spelling
from services.sources.base import Account, Cells, Chunk, ColumnChunk, ReadOptions, RecordChunk, SourceError, VoteSource
from services.sources.fields import Fitted
from services.sources.layout import OUTCOMES
from services.sources.survey import chosen_rows, names_of
from streams.contracts.names import is_lost, normalised
from streams.contracts.vote import BOTH_BAD, MODEL_A, MODEL_B, TIE, WINNER_NAMES, Vote
from streams.ledger.rows import Rows

SEED = 20_240_814
"""Seed of the order and the sides: with the same counts, every machine unfolds the same votes."""

CHUNK = 65_536

NOTE = "order, sides and time are synthetic: the data set holds counts per pair, not single votes"


class PairCounts(VoteSource):
    """Votes unfolded from counts per pair.

    The order is one shuffle of all votes, and fair coins swap the sides. Both use PCG64 with `SEED`: its raw stream is
    the same in every version of numpy, which `Generator.permutation` does not guarantee. The times are synthetic: one
    second apart, the last vote at the whole second of `now`.

    Parameters
    ----------
    name
        Name of the data set; vote n has the id `<name>-<n>`, n from 1 with seven digits.
    models
        Names, all different.
    pairs
        int[p, 2], positions in `models`; `counts` has the wins of the first of a pair first.
    counts
        int[p, 4]: wins of the first, wins of the second, ties, both bad.
    now
        Epoch seconds of the last vote.
    arena
        Arena of all votes.
    notes, layout
        As in `VoteSource`.
    """

    def __init__(
        self,
        name: str,
        models: Sequence[str],
        pairs: NDArray[np.int64],
        counts: NDArray[np.int64],
        *,
        now: float,
        arena: str = "text",
        notes: Sequence[str] = (NOTE,),
        layout: str = "",
    ) -> None:
        n = int(counts.sum())
        super().__init__(name, n, notes, unique=True, timed=False, layout=layout)
        self.models = list(models)
        self.arena = arena
        self._start = int(now) - n + 1
        # Each element of `kinds` is a vote: 4 * pair + outcome.
        kinds = np.repeat(np.arange(4 * len(pairs)), counts.ravel())
        bits = np.random.PCG64(SEED)
        order = np.argsort(bits.random_raw(n), kind="stable")
        swapped = bits.random_raw(n) >> np.uint64(63) == 1
        kinds = kinds[order]
        first, second = pairs[kinds >> 2].T.astype(np.int32)
        said = (kinds & 3).astype(np.uint8)
        mirrored = np.array([MODEL_B, MODEL_A, TIE, BOTH_BAD], dtype=np.uint8)
        self._model_a = np.where(swapped, second, first)
        self._model_b = np.where(swapped, first, second)
        self._winner = np.where(swapped, mirrored[said], said)

    def rows(self) -> Iterator[ColumnChunk]:
        """The votes as columns, without creating `Vote` objects."""
        for part in self._parts():
            yield ColumnChunk({self.arena: self._rows(part)}, [], 0, Account(part.stop - part.start))

    def records(self) -> Iterator[RecordChunk]:
        """The votes as records: the same bytes as msgspec writes, filled into one template per outcome."""
        kinds = (self._model_a.astype(np.int64) * len(self.models) + self._model_b) * 4 + self._winner
        outcomes, kind = np.unique(kinds, return_inverse=True)
        middles = [self._middle(*divmod(outcome, 4)) for outcome in outcomes.tolist()]
        key = self.name.encode().replace(b"%", b"%%") + b"-%07d"
        value = b'{"id":"' + msgspec.json.encode(self.name)[1:-1].replace(b"%", b"%%") + b'-%07d"%b%d.0'
        value += b"}" if self.arena == "text" else b',"arena":' + msgspec.json.encode(self.arena) + b"}"
        for part in self._parts():
            account = Account(part.stop - part.start)
            keys = [key % number for number in range(part.start + 1, part.stop + 1)]
            parts = zip(
                range(part.start + 1, part.stop + 1),
                kind[part].tolist(),
                range(self._start + part.start, self._start + part.stop),
                strict=True,
            )
            yield RecordChunk(
                keys, [value % (number, middles[which], second) for number, which, second in parts], [], account
            )

    def chunks(self) -> Iterator[Chunk]:
        """The votes as objects; `rows` and `records` are many times faster."""
        for part in self._parts():
            columns = (self._model_a[part].tolist(), self._model_b[part].tolist(), self._winner[part].tolist())
            yield Chunk(
                [
                    Vote(
                        id=f"{self.name}-{number:07d}",
                        model_a=self.models[a],
                        model_b=self.models[b],
                        winner=WINNER_NAMES[winner],
                        tstamp=float(self._start + number - 1),
                        arena=self.arena,
                    )
                    for number, (a, b, winner) in enumerate(zip(*columns, strict=True), part.start + 1)
                ],
                [],
                Account(part.stop - part.start),
            )

    def _parts(self) -> Iterator[slice]:
        n = len(self._winner)
        return (slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK))

    def _rows(self, part: slice) -> Rows:
        offset = np.arange(part.start, part.stop, dtype=np.int64)
        seconds = offset + self._start
        return Rows(
            models=self.models,
            model_a=self._model_a[part],
            model_b=self._model_b[part],
            winner=self._winner[part],
            tstamp=seconds.astype(np.float64),
            partition=np.zeros(len(offset), dtype=np.int32),
            offset=offset,
            recorded=seconds * 1000,
            languages=[""],
            category_sets=[()],
            voters=[""],
            prompts=[""],
            battles=[""],
            p_pair=None,
            drawn_at=None,
            style=None,
            language=None,
            categories=None,
            voter=None,
            prompt=None,
            battle=None,
        )

    def _middle(self, pair: int, winner: int) -> bytes:
        """The JSON between the id and the time."""
        a, b = divmod(pair, len(self.models))
        said = {"model_a": self.models[a], "model_b": self.models[b], "winner": WINNER_NAMES[winner]}
        return b"," + msgspec.json.encode(said)[1:-1] + b',"tstamp":'


MOST = 50_000_000
"""Maximum number of votes that are unfolded."""

FILE_NOTE = "order, sides and time are synthetic: the file holds counts per pair, not single votes"

SUMS = ("total", "totals", "all", "sum", "overall")
"""Names of a row or column that holds sums."""


_separated = re.compile(r"\d{1,3}([.,' \u00a0\u202f]\d{3})+")
SHARES = "; shares and percentages (win rates) are no counts: how often each pair met must be known"


def _why(value: object) -> str:
    """Hint for the user on why a cell is no count."""
    if _separated.fullmatch(str(value).strip()):
        return "; write numbers without marks between thousands"
    return SHARES if is_share(value) else ""


def is_share(value: object) -> bool:
    """Whether a cell that is no count is a share or a percentage."""
    text = str(value).strip()
    number = spelling.number(text.removesuffix("%").strip())
    return text.endswith("%") or (isinstance(number, int | float) and 0 < number < 100)


def must_be_named(a: str, b: str, where: str) -> None:
    """Raise `SourceError` if a name is what software writes for a missing one."""
    for name in (a, b):
        if is_lost(name):
            raise SourceError(f"{where}: the model {name!r} is what programs write for a missing name")


class PairTable:
    """Collects counts, block by block; raises `SourceError` at the first cell that is no count."""

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted
        self._models: dict[str, int] = {}
        self._counts: Counter[tuple[int, int, int]] = Counter()  # first, second, outcome
        self._square: dict[tuple[str, str], float] = {}
        self._empty: set[tuple[str, str]] = set()
        self._rows: list[str] = []
        self._against_itself = ""
        self._left_out: Counter[str] = Counter()

    def add(self, cells: Cells, places: Sequence[str], *, refused: int = 0) -> None:
        """Add rows: key to cells, and the place of each row; `refused` counts the unreadable rows of the block."""
        if refused:
            raise SourceError(f"{refused:,} rows do not have the cells of the header: a table of counts is read whole")
        if self._fitted.layout.matrix:
            self._add_square(cells, places)
        else:
            self._add_pairs(cells, places)

    def _add_pairs(self, cells: Cells, places: Sequence[str]) -> None:
        at, left_out = chosen_rows(self._fitted, cells, len(places))
        self._left_out += left_out
        firsts, seconds = names_of(self._fitted, cells)
        counted = {meaning: cell.values(place, cells) for meaning, place in self._fitted.counts.items()}
        for position in range(len(places)) if at is None else at:
            a, b = firsts[position], seconds[position]
            if not (isinstance(a, str) and isinstance(b, str) and a and b and a != b):
                raise SourceError(f"{places[position]}: {a!r} and {b!r} are not two models")
            must_be_named(a, b, places[position])
            first = self._models.setdefault(a, len(self._models))
            second = self._models.setdefault(b, len(self._models))
            for meaning, values in counted.items():
                found = cell.whole(values[position])
                if found is None:
                    column = self._fitted.taken[self._fitted.counts[meaning][0][0]]
                    what = f"{places[position]}: {column} {values[position]!r} is not a whole number of votes"
                    raise SourceError(f"{what}{_why(values[position])}")
                self._counts[first, second, OUTCOMES.index(meaning)] += found

    def _add_square(self, cells: Cells, places: Sequence[str]) -> None:
        (_, first), *others = self._fitted.taken.items()
        columns = [(key, normalised(name)) for key, name in others]
        known = {name for _, name in columns}
        for position, where in enumerate(places):
            name = normalised(str(spelling.text(cells["c0"][position]) or ""))
            if name not in known:
                found = ", ".join(map(repr, self._fitted.taken.values()))
                raise SourceError(
                    f"{where}: the columns are not those of votes, and for a square table of wins no column is called"
                    f" {name!r} as this row in {first!r}; found: {found}. Name them: --columns model_a=A,winner=W;"
                    " --layouts lists the layouts that are known"
                )
            must_be_named(name, name, where)
            if name in self._rows:
                raise SourceError(f"{where}: a second row of {name!r}")
            self._rows.append(name)
            for key, other in columns:
                value = spelling.number(cells[key][position])
                if other == name:
                    if isinstance(value, int | float) and value:
                        itself = f"{where}: {name!r} against itself is {value:g}; this cell must be empty or 0"
                        self._against_itself = self._against_itself or itself
                    continue
                if value is None:
                    self._empty.add((name, other))
                    value = 0.0
                if not isinstance(value, int | float) or value < 0 or not math.isfinite(value) or 2 * value % 1:
                    what = (
                        f"{where}: {name!r} against {other!r} is {value!r}, not a number of wins (a tie is half a win)"
                    )
                    raise SourceError(f"{what}{_why(value)}")
                self._square[name, other] = float(value)

    def source(self, prefix: str, asked: ReadOptions) -> VoteSource:
        """The votes that the counts represent."""
        if self._fitted.layout.matrix:
            self._unfold_square(forced=asked.layout is not None)
        votes = sum(self._counts.values())
        if not votes:
            raise SourceError("there is no vote in it")
        if votes > MOST:
            raise SourceError(
                f"the counts stand for {votes:,} votes together, and at most {MOST:,} are unfolded: see whether they"
                " are counts of votes, and rate a part of the models"
            )
        pairs = sorted({(a, b) for a, b, _ in self._counts})
        counts = [[self._counts[(a, b, outcome)] for outcome in range(len(OUTCOMES))] for a, b in pairs]
        notes = [FILE_NOTE]
        if not self._fitted.layout.matrix and len(pairs) > 1 and {*map(sum, counts)} == {100}:
            notes.append("the counts of each pair add up to 100: if they are percentages, all intervals are wrong")
        notes += [f"{rows:,} rows left out: {rule}" for rule, rows in self._left_out.items()]
        return PairCounts(
            prefix,
            list(self._models),
            np.array(pairs, dtype=np.int64),
            np.array(counts, dtype=np.int64),
            now=asked.now,
            arena=asked.arena or "text",
            notes=notes,
            layout=self._fitted.layout.name,
        )

    def _unfold_square(self, *, forced: bool) -> None:
        columns = [normalised(name) for name in list(self._fitted.taken.values())[1:]]
        if missing := [name for name in columns if name not in self._rows]:
            raise SourceError(f"a square table of wins has a row for every column; there is none for {missing[0]!r}")
        if totals := [name for name in columns if name.casefold() in SUMS]:
            raise SourceError(f"{totals[0]!r} of this square table looks like a sum and no model: leave it out")
        if self._against_itself:
            raise SourceError(self._against_itself)
        played = {pair for pair, won in self._square.items() if won}
        if half := [(a, b) for a, b in self._empty if (b, a) in played]:
            raise SourceError(
                f"the cell of {half[0][0]!r} against {half[0][1]!r} is empty, and the other way round is not"
            )
        if len(columns) > 2 and played and all(won == self._square[b, a] for (a, b), won in self._square.items()):
            raise SourceError(
                "every pair won as often as it lost: such a square table holds numbers of battles and no wins"
            )
        sums = [self._square[a, b] + self._square[b, a] for a, b in played]
        if len(columns) > 2 and {*sums} == {100.0} and not forced:
            raise SourceError(
                "each pair of this square table adds up to 100: percentages (win rates) are no counts, and no interval"
                " can be made of them. If each pair met 100 times: --layout matrix"
            )
        for name in columns:
            self._models[name] = len(self._models)
        for a in columns:
            for b in columns:
                if self._models[a] >= self._models[b]:
                    continue
                won, lost = self._square[a, b], self._square[b, a]
                if won % 1 != lost % 1:
                    raise SourceError(
                        f"{a!r} and {b!r}: {won:g} and {lost:g} wins; half a win of one is half a win of both"
                    )
                pair = self._models[a], self._models[b]
                self._counts[(*pair, 0)] += int(won)
                self._counts[(*pair, 1)] += int(lost)
                self._counts[(*pair, 2)] += int(won % 1 > 0)
