"""Parquet as a table: reads only the requested columns, and reports types that cannot be text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from services.sources.base import SourceError
from services.sources.parts import Part
from services.sources.reading import PACKINGS
from services.sources.table import Only, Table, TableBlock

if TYPE_CHECKING:
    import polars

CHUNK = 2_000
"""Rows of a block; with ten times as many, cells fall out of the CPU cache and reading is a third slower."""

_NUMBER = "\x00row"
"""Column for the row number; no file has a column of this name."""


class ParquetTable(Table):
    """Rows of a Parquet file; the requested columns are held in memory while it is read, some 100 bytes a vote.

    Binary columns are read as UTF-8 text, decimals as numbers. Class numbers become the class names that the file's
    metadata declare (`ClassLabel` of Hugging Face's data sets). A field of a nested column is named `outer.inner`.
    """

    def __init__(self, part: Part) -> None:
        import polars  # the import takes a second, which other sources do not need

        self._part = part
        self._packed = self._bytes()
        try:
            self._schema = dict(polars.read_parquet_schema(self._file))
            self._labels = _labels(polars.read_parquet_metadata(self._file))
        except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
            raise SourceError(f"{part}: not a Parquet file ({str(error).splitlines()[0]})") from None
        self._steps = {
            dotted: (name, steps)
            for name, kind in self._schema.items()
            for dotted, steps in _paths(name, kind)
            if dotted not in self._schema
        }
        super().__init__(part.name, str(part), [*self._schema, *self._steps])

    def count(self) -> int:
        """Number of rows, from the file's metadata."""
        import polars

        with self._reading():
            return int(polars.scan_parquet(self._file).select(polars.len()).collect().item())

    def head(self, rows: int, columns: Sequence[str]) -> list[bytes]:
        """The first rows with the cells of these columns."""
        wanted = list(dict.fromkeys(columns))
        with self._reading(wanted):
            frame = self._scan(wanted).head(rows).collect()
        return [repr(row).encode() for row in frame.select(wanted).iter_rows()]

    def no_text(self, column: str) -> str | None:
        """The type of a column whose cells cannot be names; None when they can."""
        import polars

        kind = self._type(column)
        named = kind in (polars.String, polars.Categorical, polars.Enum, polars.Binary, polars.Null)
        return None if named or kind.is_integer() or kind.is_float() else str(kind)

    def _read(self, columns: Sequence[str], only: Only, first: int) -> Iterator[TableBlock]:
        with self._reading(columns):
            plan = self._scan(columns)
            for column, wanted in only.items():
                plan = plan.filter(_any_of(column, wanted))
            frame = plan.collect()
        read = 0
        for part in frame.iter_slices(CHUNK):
            block = self._block(part, columns, first, part.height)
            read += block.height
            yield block
        if only and (left := self.count() - read):  # rows that were left out count too
            yield TableBlock({column: [] for column in columns}, [], left, [], _row(first), bytes)

    def _block(self, part: polars.DataFrame, columns: Sequence[str], first: int, height: int) -> TableBlock:
        numbers = part[_NUMBER].to_list()
        rows: Sequence[int] = range(first + numbers[0], first + numbers[-1] + 1)
        if len(rows) != part.height:
            rows = [first + number for number in numbers]
        shown = part.select(columns)
        return TableBlock(
            cells={column: part[column].to_list() for column in columns},
            rows=rows,
            height=height,
            refused=[],
            where=_row(first),
            original=lambda number: _original(shown, rows.index(number)),
        )

    def _scan(self, columns: Sequence[str]) -> polars.LazyFrame:
        import polars

        cells = [self._cells(column).alias(column) for column in dict.fromkeys(columns)]
        return polars.scan_parquet(self._file, row_index_name=_NUMBER).select(polars.col(_NUMBER), *cells)

    def _cells(self, column: str) -> polars.Expr:
        """Expression for a column as this reader returns it."""
        import polars

        outer, inner = self._steps.get(column, (column, []))
        cells = polars.col(outer)
        for field in inner:
            cells = cells.struct.field(field)
        kind = self._type(column)
        if kind == polars.Binary:
            return cells.cast(polars.String)
        if kind.is_decimal():
            return cells.cast(polars.Float64)
        if column in self._labels and kind.is_integer():
            names = self._labels[column]
            return cells.replace_strict([-1, *range(len(names))], [None, *names], return_dtype=polars.String)
        return cells

    def _type(self, column: str) -> polars.DataType:
        outer, inner = self._steps.get(column, (column, []))
        kind = self._schema[outer]
        for field in inner:
            kind = next(each for name, each in _fields(kind) if name == field)
        return kind

    @property
    def _file(self) -> Path | BytesIO:
        return self._part.path if self._packed is None else BytesIO(self._packed)

    def _bytes(self) -> bytes | None:
        if self._part.member is None and self._part.path.suffix.lower() not in PACKINGS:
            return None
        with self._part.unpacked() as file:
            return file.read()

    @contextmanager
    def _reading(self, columns: Sequence[str] = ()) -> Iterator[None]:
        import polars

        try:
            yield
        except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
            said = str(error).splitlines()[0]
            binary = ", ".join(repr(column) for column in columns if self._type(column) == polars.Binary)
            if binary and "utf8" in said:
                raise SourceError(f"{self._part}: column {binary} is of type Binary and no UTF-8 text") from None
            raise SourceError(f"{self._part}: it cannot be read to its end ({said})") from None


def _any_of(column: str, wanted: Collection[object]) -> polars.Expr:
    import polars

    cells = polars.col(column)
    some = cells.is_in(polars.Series([each for each in wanted if each is not None], strict=False))
    return (some | cells.is_null()) if None in wanted else some


def _paths(name: str, kind: polars.DataType) -> Iterator[tuple[str, list[str]]]:
    """Dotted names of the fields below a nested column, with the steps to them."""
    for field, inner in _fields(kind):
        yield f"{name}.{field}", [field]
        for dotted, steps in _paths(f"{name}.{field}", inner):
            yield dotted, [field, *steps]


def _fields(kind: polars.DataType) -> list[tuple[str, polars.DataType]]:
    """Name and type of the fields of a nested column; none of any other."""
    import polars

    if not isinstance(kind, polars.Struct):
        return []
    # Types that were read from a file are instances; polars' own annotation also allows classes.
    return [(field.name, cast("polars.DataType", field.dtype)) for field in kind.fields]


def _labels(metadata: dict[str, str]) -> dict[str, list[str]]:
    """Column to its class names, from the metadata that Hugging Face's `datasets` writes."""
    try:
        features = msgspec.json.decode(metadata.get("huggingface", "{}"))["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return {}  # no labels, or the metadata under this key are something else


def _row(first: int) -> Callable[[int], str]:
    return lambda number: f"row {number - first + 1}"


def _original(part: polars.DataFrame, position: int) -> bytes:
    return msgspec.json.encode(part.row(position, named=True), enc_hook=str)
