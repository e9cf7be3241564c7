"""The models of intake, the folds and the herald, explored to their smallest bounds; each of their controls is refuted.

`make models` explores them further; docs/design/0012-models.md says what they show.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / ".isonomy" / "models"
MODELS = ("intake", "folding", "herald")
LONGEST = 600
"""Seconds for which a first build and the tests may take."""


def cargo(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["cargo", *words[:1], "--quiet", "--manifest-path", str(HERE / "Cargo.toml"), *words[1:]]
    return subprocess.run(
        command, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def crates() -> None:
    if shutil.which("cargo") is None:
        pytest.skip("cargo is missing: the models are not explored")
    fetched = cargo("fetch")
    if fetched.returncode:
        pytest.skip(f"the model checker cannot be fetched: {fetched.stderr.strip().splitlines()[-1]}")


@pytest.mark.timeout(LONGEST)
@pytest.mark.usefixtures("crates")
def test_every_property_holds_and_without_any_rule_one_falls() -> None:
    explored = cargo("run", "--release", "--", "short")
    print(explored.stdout)
    assert explored.returncode == 0, explored.stdout + explored.stderr
    said = re.split(rf"^({'|'.join(MODELS)})$", explored.stdout, flags=re.MULTILINE)[1:]
    assert tuple(said[::2]) == MODELS
    for found in said[1::2]:
        states = re.search(r"(\d+) states, \d+ steps", found)
        assert states
        assert int(states[1]) > 10_000
        assert found.count("refuted in") >= 5


@pytest.mark.timeout(LONGEST)
@pytest.mark.usefixtures("crates")
def test_a_control_that_is_not_refuted_would_be_seen() -> None:
    tested = cargo("test", "--release")
    assert tested.returncode == 0, tested.stdout + tested.stderr
