"""A detector whose methods are not those of its type is refused by mypy, before it is ever asked."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RIGHT = """
from streams.contracts.alert import Kind
from streams.contracts.judged import Judged
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewDetector, Verdict


class Quiet(ReviewDetector[Standing]):
    kind = Kind.RANK_CHURN

    def review(self, state: Standing, scene: Scene, ratings: Ratings | None) -> None:
        state.clear()

    def verdicts(self, state: Standing, scene: Scene) -> list[Verdict]:
        return []

    def judged(self, state: Standing, scene: Scene) -> Judged:
        return Judged(self.kind, judged=True)

    def summary(self, arena: str, verdict: Verdict) -> str:
        return arena


quiet = Quiet()
"""
WRONG = {
    "other_state": ("review(self, state: Standing,", "review(self, state: list[int],", "[override]"),
    "other_event": ("ratings: Ratings | None", "ratings: Verdict", "[override]"),
    "other_answer": ("-> list[Verdict]:", "-> dict[str, Verdict]:", "[override]"),
    "other_start": ("\n\nquiet", "\n    def start(self) -> list[int]:\n        return []\n\nquiet", "[override]"),
    "no_sentence": ("def summary", "def sentence", "[abstract]"),
}


def test_mypy_refuses_a_detector_with_a_wrong_signature(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT, "utf-8")
    for name, (right, wrong, _) in WRONG.items():
        assert RIGHT.count(right) == 1, name
        (tmp_path / f"{name}.py").write_text(RIGHT.replace(right, wrong), "utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("mypy"), *sorted(tmp_path.glob("*.py"))],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    found = {
        name: any(f"{name}.py" in line and line.endswith(code) for line in errors)
        for name, (_, _, code) in WRONG.items()
    }
    assert found == dict.fromkeys(WRONG, True), done.stdout + done.stderr
    assert [line for line in errors if "right.py" in line] == []
