"""Votes as bytes, fetches of them, and how two decodings are compared."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from streams.intake.decode import Decoded
from streams.intake.records import Records
from streams.ledger.rows import Rows

ARRIVED_MS = 1_700_000_000_000
ABSENT = object()

seeded = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def fields(**changes: Any) -> dict[str, Any]:
    """A plain vote's fields with some changed; ABSENT takes one away."""
    vote = {"id": "v1", "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": 1_600_000_000.5} | changes
    return {name: value for name, value in vote.items() if value is not ABSENT}


def body(**changes: Any) -> bytes:
    """A vote's bytes; see `fields`."""
    return json.dumps(fields(**changes)).encode()


def as_records(pairs: Sequence[tuple[bytes | None, bytes | None]], *, partition: int = 0, first: int = 0) -> Records:
    """A fetch of one partition from (key, value) pairs."""
    n = len(pairs)
    return Records(
        keys=[key for key, _ in pairs],
        values=[value for _, value in pairs],
        partition=np.full(n, partition, np.int32),
        offset=np.arange(first, first + n, dtype=np.int64),
        recorded=np.full(n, ARRIVED_MS, np.int64),
    )


def votes(count: int, **changes: Any) -> list[tuple[bytes, bytes]]:
    """A number of plain votes with different ids, as (key, value)."""
    return [(f"v{number}".encode(), body(id=f"v{number}", **changes)) for number in range(count)]


def columns(rows: Rows) -> dict[str, Any]:
    """Rows as something that `==` compares, NaN included; dtypes count."""
    plain = {name: getattr(rows, name) for name in Rows.__slots__}
    return {
        name: (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in plain.items()
    }


def meaning(decoded: Decoded) -> tuple[Any, ...]:
    """Everything of a decoding that must agree."""
    rejects = [(reject.index, reject.reason) for reject in decoded.rejects]
    return decoded.ids, decoded.arenas, columns(decoded.rows), rejects
