"""Votes from Parquet: only the columns that votes need are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from services.sources.base import Chunk, Source, SourceError
from services.sources.labels import labels_beside, labels_of_parquet
from services.sources.pairtable import PairTable
from services.sources.plan import HEAD_ROWS, Asked, Plan, described, fit, made_up_prefix
from services.sources.survey import Survey

if TYPE_CHECKING:
    import polars

CHUNK = 2_000
"""Rows; with ten times as many, cells fall out of the processor's cache and reading is a third slower."""


class ParquetSource(Source):
    """Rows of a Parquet file; the taken columns are held in memory, some 100 bytes a vote."""

    def __init__(self, plan: Plan, frame: polars.DataFrame, *, name: str) -> None:
        super().__init__(
            name,
            plan.total,
            plan.notes,
            unique=plan.unique,
            timed=plan.timed,
            layout=plan.fitted.layout.name,
        )
        self._plan = plan
        self._frame = frame

    def chunks(self) -> Iterator[Chunk]:
        """The votes."""
        start = 1
        for part in self._frame.iter_slices(CHUNK):
            cells = {field: part[column].to_list() for field, column in self._plan.taken.items()}
            rows = range(start, start + part.height)
            read = self._plan.read(cells, rows)
            rejected = [each.at(f"row {rows[each.position]}", _cells(part, each.position)) for each in read.refused]
            yield Chunk(read.votes, rejected, read.account(part.height))
            start += part.height


def open_parquet(path: Path, name: str, asked: Asked) -> Source:
    """A Parquet file."""
    import polars  # a second of start-up that the other sources do without

    try:
        found = list(polars.read_parquet_schema(path))
    except (polars.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    with described(path):
        fitted = fit(found, asked)
        try:
            frame = polars.read_parquet(path, columns=list(fitted.taken.values()))
        except (polars.exceptions.PolarsError, OSError) as error:
            raise SourceError(f"it cannot be read to its end ({str(error).splitlines()[0]})") from None
        if not frame.height:
            raise SourceError("it has columns but no rows")
        prefix = made_up_prefix(name, (repr(row).encode() for row in frame.head(HEAD_ROWS).iter_rows()))
        survey = Survey(fitted, asked.arena)
        table = PairTable(fitted) if fitted.aggregated else None
        start = 1
        for part in frame.iter_slices(CHUNK):
            cells = {key: part[column].to_list() for key, column in fitted.taken.items()}
            if table is not None:
                table.add(cells, [f"row {row}" for row in range(start, start + part.height)])
            else:
                survey.look(cells, part.height)
            start += part.height
        if table is not None:
            return table.source(prefix, asked)
        labels = labels_of_parquet(polars.read_parquet_metadata(path), fitted) or labels_beside(path, fitted)
        plan = Plan(fitted, asked, prefix, frame.height, survey.found(), labels)
    return ParquetSource(plan, frame, name=name)


def _cells(part: polars.DataFrame, position: int) -> bytes:
    return msgspec.json.encode(part.row(position, named=True), enc_hook=str)
