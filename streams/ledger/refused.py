"""Refused votes as columns: which records of an arena intake could not use, why, and between which rows they stand.

A block names them one by one, with partition and offset, and not as counts: so the readers' watermark, which counts
each row once, counts each of them once, too, however a crash made intake cut its blocks. The bytes of the records are
in the dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.ledger.rows import Codes

COLUMNS = {"reason": "|u1", "model_a": "<u2", "model_b": "<u2", "partition": "<u2", "offset": "<i8", "place": "<u4"}
"""Columns and their dtypes on the wire."""
MOST_WORDS = 65_536


@dataclass(frozen=True, slots=True)
class Refused:
    """`n` refused votes of one arena, in the order of the log within each partition.

    Attributes
    ----------
    reasons
        Dictionary of reasons, see `Reason`.
    reason
        int32[n] codes into it.
    models
        Dictionary of model names; code 0, the empty string, means that the record names none that is valid.
    model_a, model_b
        int32[n] codes into it.
    partition, offset
        int32[n], int64[n]: the record of the votes topic.
    place
        int64[n], ascending: how many rows of the block stand before it.
    """

    reasons: list[str]
    reason: Codes
    models: list[str]
    model_a: Codes
    model_b: Codes
    partition: NDArray[np.int32]
    offset: NDArray[np.int64]
    place: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.reason)

    def take(self, chosen: NDArray[np.bool_] | slice, place: NDArray[np.int64]) -> Refused:
        """The chosen ones, at new places; the dictionaries hold only the words that these use."""
        reasons, reason = _used(self.reasons, self.reason[chosen], np.zeros(0, np.int32))
        both = np.concatenate([self.model_a[chosen], self.model_b[chosen]])
        models, model = _used(self.models, both, np.zeros(1, np.int32))
        n = len(reason)
        return Refused(
            reasons, reason, models, model[:n], model[n:], self.partition[chosen], self.offset[chosen], place
        )


def _used(words: list[str], codes: Codes, first: Codes) -> tuple[list[str], Codes]:
    kept, new = np.unique(np.concatenate([first, codes]), return_inverse=True)
    return [words[code] for code in kept.tolist()], new[len(first) :].astype(np.int32)


def as_map(refused: Refused) -> dict[str, object]:
    """The field `refused` of a block."""
    columns = {
        name: {"dtype": dtype, "data": getattr(refused, name).astype(dtype, copy=False).tobytes()}
        for name, dtype in COLUMNS.items()
    }
    return {"reasons": refused.reasons, "models": refused.models, "columns": columns}


class _Column(msgspec.Struct):
    dtype: str
    data: bytes


class RefusedMap(msgspec.Struct):
    """The field `refused` as decoded."""

    reasons: list[str]
    models: list[str]
    columns: dict[str, _Column]


def of_map(fields: RefusedMap, rows: int, through: Mapping[int, int]) -> Refused:
    """Check and convert a decoded field; raises `ValueError` when its parts do not fit together.

    Parameters
    ----------
    rows
        Number of rows of the block.
    through
        `through` of the block.
    """
    columns = {}
    for name, dtype in COLUMNS.items():
        column = fields.columns.get(name)
        if column is None or column.dtype != dtype:
            raise ValueError(f"refused column {name} is missing or not of type {dtype}")
        array = np.frombuffer(column.data, dtype)
        columns[name] = array.astype(np.int64 if name in ("offset", "place") else np.int32)
    found = Refused(fields.reasons, models=fields.models, **columns)  # type: ignore[arg-type]
    if len({len(each) for each in columns.values()}) != 1:
        raise ValueError("refused columns of different lengths")
    if not fields.models or fields.models[0]:
        raise ValueError("a dictionary of refused models whose first word is not the absent one")
    if len(found):
        codes = ((found.reason, fields.reasons), (found.model_a, fields.models), (found.model_b, fields.models))
        if any(code.max() >= len(words) for code, words in codes):
            raise ValueError("a refused vote with a code outside its dictionary")
        last = np.array([through.get(partition, -1) for partition in range(int(found.partition.max()) + 1)])
        if found.offset.min() < 0 or (found.offset > last[found.partition]).any():
            raise ValueError("a refused vote that its block does not account for")
        if (np.diff(found.place) < 0).any() or found.place[-1] > rows:
            raise ValueError("a refused vote at no place of its block")
    return found
