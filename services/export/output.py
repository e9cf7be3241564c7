"""A file that is there whole or not at all, and never in place of one that somebody wanted to keep."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a path in a directory of its own beside `path`; what is written there takes the place of `path` in the end.

    The directory, with whatever else was put into it, is removed in any case.

    Raises
    ------
    FileExistsError
        When there is something at `path` and `force` is not given: before the work, and again after it.
    OSError
        When it cannot be written.
    """
    _require_free(path, force)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        yield made
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        _require_free(path, force)
        made.replace(path)


def _require_free(path: Path, force: bool) -> None:
    if path.is_dir() or (path.exists() and not force):
        raise FileExistsError(f"{path} is there already")
