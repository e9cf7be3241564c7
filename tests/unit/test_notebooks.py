"""Notebooks are stored with what they print: each runs as a program of its own, and prints that again.

Pictures are not compared, for they change with the version of matplotlib; that they are there, and small, is.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
MOST_BYTES = 60_000
"""Of all pictures of a notebook."""


def code_of(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def outputs_of(path: Path) -> list[dict[str, Any]]:
    return [output for cell in code_of(path) for output in cell["outputs"]]


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_is_stored(path: Path, tmp_path: Path) -> None:
    program = "\n".join("".join(cell["source"]) for cell in code_of(path))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    outputs = outputs_of(path)
    assert {output["output_type"] for output in outputs} == {"stream", "display_data"}
    assert done.stdout == "".join("".join(each["text"]) for each in outputs if each["output_type"] == "stream")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_one_small_picture_and_was_run_in_order(path: Path) -> None:
    (picture,) = [each["data"]["image/png"] for each in outputs_of(path) if each["output_type"] == "display_data"]
    assert 1_000 < len(base64.b64decode(picture)) < MOST_BYTES
    assert [cell["execution_count"] for cell in code_of(path)] == [*range(1, len(code_of(path)) + 1)]
