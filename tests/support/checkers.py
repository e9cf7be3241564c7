"""Programs that check the files of deploy/, installed once by deploy/ensure-checkers and deploy/tools."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"


@cache
def _installed(script: str) -> Path | str:
    try:
        done = subprocess.run(
            [DEPLOY / script], capture_output=True, text=True, timeout=280, check=False, cwd=REPOSITORY
        )
    except subprocess.TimeoutExpired:
        return "not within 280 s"
    return Path(done.stdout.strip()) if done.returncode == 0 else done.stderr.strip()[-300:]


def checker(name: str) -> Path:
    """Path of a checker; skips the test if it cannot be installed."""
    installed = _installed("ensure-checkers")
    if isinstance(installed, str):
        pytest.skip(f"deploy/ensure-checkers cannot install: {installed}")
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
        pytest.skip(f"deploy/tools cannot install: {installed}")
    return installed / name


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a checker and capture its output."""
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False, **options)
