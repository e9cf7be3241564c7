"""Tables of published histories: any kind of file, with a column for the dates in the files' names."""

from __future__ import annotations

from typing import BinaryIO

from services.sources.opening import open_table as open_any
from services.sources.table import Table

__all__ = ["Table", "open_table"]


def open_table(spec: str, stdin: BinaryIO | None = None) -> Table:
    """Open any source of `services.sources.opening.open_table`, with the column of file dates.

    Raises
    ------
    SourceError
        When the files cannot be read, or are no table.
    """
    return open_any(spec, stdin, dated=True)
