"""One stack per directory: a lock that the operating system takes back from a holder that dies."""

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
    """Hold the directory, made when missing, for as long as the block runs.

    The lock is `flock` on a file that says who holds it. The kernel releases it with the holder's last descriptor, so
    kill -9 leaves nothing behind that keeps the next one out; what the file says is for people and decides nothing.
    Python opens the file close-on-exec: no child keeps the lock when its parent is gone. A lock of `lockf` would not
    do: the process loses it as soon as anything in it closes the same file.

    The file is never removed. Who opened it before and locks it afterwards would hold a file that nobody else sees.

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
            raise StartError(f"the directory {directory} is held by {_holder(file)}") from None
        except OSError as error:
            raise StartError(f"{path} cannot be locked: {error}") from None
        _write(file, f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}\n")
        try:
            yield
        finally:
            _write(file, "")  # or who looks while the next one begins would read of us
    finally:
        os.close(file)


def _holder(file: int) -> str:
    said = os.pread(file, 200, 0).decode(errors="replace").strip()
    return said or "a process that has just begun"


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)
