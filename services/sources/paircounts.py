"""Pair counts as votes: unfolds the counts of each pair and outcome into single votes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.sources.base import Account, Chunk, ColumnChunk, RecordChunk, Source
from streams.contracts.vote import BOTH_BAD, MODEL_A, MODEL_B, TIE, WINNER_NAMES, Vote
from streams.ledger.rows import Rows

SEED = 20_240_814
"""Seed of the order and the sides: with the same counts, every machine unfolds the same votes."""

CHUNK = 65_536

NOTE = "order, sides and time are synthetic: the data set holds counts per pair, not single votes"


class PairCounts(Source):
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
        As in `Source`.
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
        nothing: dict[str, Any] = {"language": None, "categories": None, "voter": None, "prompt": None}
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
            p_pair=None,
            style=None,
            **nothing,
        )

    def _middle(self, pair: int, winner: int) -> bytes:
        """The JSON between the id and the time."""
        a, b = divmod(pair, len(self.models))
        said = {"model_a": self.models[a], "model_b": self.models[b], "winner": WINNER_NAMES[winner]}
        return b"," + msgspec.json.encode(said)[1:-1] + b',"tstamp":'
