"""Programs that check the files of deploy/, installed once by deploy/ensure-set."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"


@cache
def _installed(name: str) -> Path | str:
    try:
        done = subprocess.run(
            [DEPLOY / "ensure-set", name], capture_output=True, text=True, timeout=280, check=False, cwd=REPOSITORY
        )
    except subprocess.TimeoutExpired:
        return "not within 280 s"
    return Path(done.stdout.strip()) if done.returncode == 0 else done.stderr.strip()[-300:]


def checker(name: str) -> Path:
    """Path of a checker; skips the test if it cannot be installed."""
    installed = _installed("checkers")
    if isinstance(installed, str):
        pytest.skip(f"deploy/ensure-set cannot install: {installed}")
    if name == "compose":
        program = installed / "go" / "cmd"
        if not program.exists():
            pytest.skip("Compose's reader is built by Go, and there is no go")
        return program
    return installed / "bin" / name


def tool(name: str) -> Path:
    """Path of a program of deploy/tools.lock; skips the test if it cannot be installed."""
    installed = _installed("tools")
    if isinstance(installed, str):
        pytest.skip(f"deploy/ensure-set cannot install: {installed}")
    return installed / "bin" / name


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a checker and capture its output."""
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False, **options)
