"""Tables of published histories: any kind of file, with the date in the files' names where they have one."""

from __future__ import annotations

from typing import BinaryIO

from services.sources.opening import open_table as open_any
from services.sources.table import Table

__all__ = ["Table", "open_table"]


def open_table(spec: str, stdin: BinaryIO | None = None) -> Table:
    """Open files by what `services.sources.opening.open_table` reads.

    Raises
    ------
    SourceError
        When they cannot be read, or are no table.
    """
    return open_any(spec, stdin, dated=True)
