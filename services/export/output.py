"""Write a file atomically, and do not replace an existing file unless forced."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Yield a path in a temporary directory beside `path`; after the block, move the file written there to `path`.

    The directory and everything else in it are removed in any case.

    Raises
    ------
    FileExistsError
        When `path` exists and `force` is false, checked before and after the block; always when it is no regular file.
    OSError
        When the file cannot be written.
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
    if path.exists() and not (force and path.is_file()):
        raise FileExistsError(f"{path} is there already")
