"""How a command writes a file: whole or not at all, over an existing one only with `--force`, and never over its input.

A command checks before its long work, so that nobody waits for a result that is then refused.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from services.cli.common import Decorated
from services.cli.errors import UserError


def force_option(command: Decorated) -> Decorated:
    """Add `--force`."""
    return click.option("--force", is_flag=True, help="Replace an existing file.")(command)


@contextmanager
def whole(output: Path, *, force: bool) -> Iterator[Path]:
    """Do `whole_file`, with its errors as `UserError`."""
    from services.export.output import whole_file

    try:
        with whole_file(output, force=force) as made:
            yield made
    except FileExistsError:
        raise _taken(output) from None
    except OSError as error:
        raise UserError(f"{output}: {error.strerror or error}") from None


def require_writable(output: Path, *, force: bool, read: Iterable[tuple[str, Path]] = ()) -> None:
    """Raise `UserError` if `whole` would refuse `output`, or if it is one of the files that the command reads.

    Parameters
    ----------
    output
        The file to write.
    force
        Whether an existing file may be replaced.
    read
        Each file that the command reads, after what it is for the user (`SOURCE`, `--registry`). It is never replaced.
    """
    try:
        if not output.exists():
            if not output.parent.is_dir():
                raise UserError(f"{output}: {os.strerror(errno.ENOENT)}")
            return
        for what, path in read:
            if path.exists() and output.samefile(path):
                raise UserError(f"{output} is read as {what}: write to another file")
    except OSError as error:
        raise UserError(f"{output}: {error.strerror or error}") from None
    if not (force and output.is_file()):
        raise _taken(output)


def is_standard_input(path: Path) -> bool:
    """Whether an existing file is redirected to standard input."""
    try:
        given = os.fstat(0)
    except OSError:  # standard input is closed, so it is no file
        return False
    return os.path.samestat(given, path.stat())


def _taken(output: Path) -> UserError:
    if output.is_file():
        return UserError(f"{output} exists already: --force replaces it")
    return UserError(f"{output} is not a regular file: write to another file")
