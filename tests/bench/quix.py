"""Quix Streams in its own virtual environment, so that its dependencies do not affect this project's."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from tests.bench.place import REPOSITORY

WANTED = "quixstreams>=3.28,<4"
HOME = REPOSITORY / ".isonomy" / "bench" / "quix"
INSTALL_WITHIN = 300.0


def interpreter() -> str:
    """The interpreter that has Quix Streams; installs it if it is missing."""
    python = HOME / "bin" / "python"
    if not python.exists():
        venv.create(HOME, with_pip=True)
    if _run(python, "-c", "import quixstreams").returncode:
        done = _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", WANTED)
        if done.returncode:
            raise RuntimeError(f"{WANTED} could not be installed: {done.stderr[-400:]}")
    return str(python)


def version(python: str) -> str:
    """The installed version."""
    return _run(Path(python), "-c", "import importlib.metadata as m; print(m.version('quixstreams'))").stdout.strip()


def _run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN, check=False)


if __name__ == "__main__":
    sys.stdout.write(version(interpreter()) + "\n")
