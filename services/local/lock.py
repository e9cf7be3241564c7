"""One stack per directory: a file lock that the kernel releases when its holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.local.process import StartError

LOCK_NAME = "up.lock"


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Hold the directory's lock while the block runs; make the directory if it is missing.

    The lock is `flock` on a file that names its holder. The kernel releases the lock when the holder's last descriptor
    closes, so a lock does not survive kill -9. The text in the file is for people; the code does not act on it.
    Python opens the file close-on-exec, so a child does not keep the lock after its parent exits. `lockf` would not
    work: a process loses such a lock as soon as anything in it closes the same file.

    The file is never removed. Otherwise a process that opened it before the removal would lock a file that no longer
    has a name, while the next process locks a new one.

    Raises
    ------
    StartError
        When another process holds the directory, or no lock can be had in it.
    """
    path = directory / LOCK_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise StartError(f"the directory {directory} cannot be used: {error}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"the directory {directory} is in use by {_holder(file)}") from None
        except OSError as error:
            raise StartError(f"{path} cannot be locked: {error}") from None
        _write(file, f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}\n")
        try:
            yield
        finally:
            _write(file, "")  # or a reader would see this process's text until the next holder writes its own
    finally:
        os.close(file)


def _holder(file: int) -> str:
    said = os.pread(file, 200, 0).decode(errors="replace").strip()
    return said or "a process that has just started"


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)
