"""The rules know no clock and no I/O: an import that says otherwise fails the check, in any pure folder."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PURE = next(
    contract["source_modules"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    if contract["name"].startswith("Pure")
)


def check(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_a_clock_in_any_pure_folder_is_found(tmp_path: Path) -> None:
    for folder in ("streams", "services"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert check(tmp_path)[0] == 0
    added = []
    for name in PURE:
        path = tmp_path.joinpath(*name.split("."))
        new = path / "made_up.py" if path.is_dir() else path.with_suffix(".py")
        with new.open("a", encoding="utf-8") as file:
            file.write("\nimport time\n")
        added.append(f"{name}.made_up" if path.is_dir() else name)
    code, said = check(tmp_path)
    assert code == 1
    assert [name for name in added if f"{name} -> time" not in said] == []
    assert {"streams.audit.made_up", "streams.fairness.made_up", "streams.ratings.made_up"} <= set(added)
