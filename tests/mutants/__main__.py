"""`python -m tests.mutants`: change one thing at a time, run the unit tests of its package, list what none notices."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).parent / "survivors.toml"
PACKAGES: dict[str, tuple[str, ...]] = {
    "streams/fairness": ("tests/unit/fairness",),
    "streams/ratings": ("tests/unit/ratings", "tests/unit/history"),
    "streams/intake": ("tests/unit/intake",),
    "services/herald": ("tests/unit/herald",),
}
"""What is changed, and the tests that must notice."""
LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv", ".isonomy", "__pycache__", "node_modules", "*_cache", "target")
SLOWER, AT_LEAST_SECONDS = 4, 120
"""A run takes at most so many times as long as without a change: one that goes on is noticed, too."""
FAILED = 1
"""pytest's exit code when tests fail; 2 to 4 also come of a module that cannot be imported any more."""

Outcome = Literal["noticed", "never ended", "survived"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `was` and `became` are the first changed line before and after, without the indentation."""

    path: str
    line: int
    was: str
    became: str
    code: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What a survivor is known by: lines move, texts stay."""
        return self.path, self.was, self.became


def drawn(package: str, seed: int, count: int) -> list[Mutant]:
    """`count` mutants of a package, the same for a seed and a source."""
    place = subprocess.run(
        [ROOT / "deploy/ensure-set", "mutants"], check=True, capture_output=True, text=True
    ).stdout.strip()
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py"))
    draw = Path(__file__).parent / "draw.py"
    done = subprocess.run(
        [f"{place}/bin/python", draw, str(seed), str(count), *files], cwd=ROOT, check=True, capture_output=True
    )
    return [Mutant(**each) for each in json.loads(done.stdout)]


def known() -> dict[tuple[str, str, str], str]:
    """Survivors that somebody looked at, and why each may survive."""
    listed = tomllib.loads(KNOWN.read_text()).get("survivor", [])
    return {(each["path"], each["was"], each["became"]): each["reason"] for each in listed}


@contextmanager
def copies(count: int) -> Iterator[queue.Queue[Path]]:
    """So many copies of the tree: changes are made there, never here."""
    with tempfile.TemporaryDirectory(prefix="isonomy-mutants-") as room:
        free: queue.Queue[Path] = queue.Queue()
        for number in range(count):
            copy = Path(room) / str(number)
            shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
            free.put(copy)
        yield free


def ordered(copy: Path, package: str, stem: str) -> list[str]:
    """The tests of a package, those first that name the module: a change is noticed sooner."""
    files = [path for place in PACKAGES[package] for path in sorted((copy / place).rglob("test_*.py"))]
    files.sort(key=lambda path: stem not in path.read_text())
    return [str(path.relative_to(copy)) for path in files]


def pytest(copy: Path, tests: Iterable[str], seconds: float) -> tuple[int | None, str]:
    """Exit code and end of the output; no exit code when it did not end in time."""
    # Machine code of a changed function must not come from a cache that knows the old one.
    machine = tempfile.mkdtemp(dir=copy.parent)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not integration", *tests]
    try:
        done = subprocess.run(
            command, cwd=copy, env=os.environ | {"PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": machine},
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        shutil.rmtree(machine, ignore_errors=True)
    return done.returncode, done.stdout[-2_000:]


def tried(mutant: Mutant, package: str, free: queue.Queue[Path], seconds: float) -> Outcome:
    """Put a change into a copy, run the tests, and take it out again."""
    copy = free.get()
    path = copy / mutant.path
    good = path.read_text()
    try:
        path.write_text(mutant.code)
        code, _ = pytest(copy, ordered(copy, package, path.stem), seconds)
    finally:
        path.write_text(good)
        free.put(copy)
    return "never ended" if code is None else "survived" if code == 0 else "noticed"


def unchanged(package: str, free: queue.Queue[Path]) -> float:
    """Seconds that the tests take on the code as it is; they must pass."""
    copy, began = free.get(), time.monotonic()
    code, said = pytest(copy, ordered(copy, package, "-"), 3_600)
    free.put(copy)
    if code != 0:
        raise click.ClickException(f"the tests of {package} fail without any change:\n{said}")
    return time.monotonic() - began


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--package", "packages", type=click.Choice(list(PACKAGES)), multiple=True, help="Only these; all if not given."
)
@click.option("--count", type=click.IntRange(min=1), default=40, show_default=True, help="Mutants of each package.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which ones.")
@click.option("--minutes", type=click.FloatRange(min=1), default=60, show_default=True, help="Begin none after that.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True, help="At once.")
def main(packages: Sequence[str], count: int, seed: int, minutes: float, processes: int) -> None:
    """Change one thing at a time and run the unit tests of its package; exit code 1 if an unknown mutant survives."""
    until = time.monotonic() + 60 * minutes
    console, listed, unknown = Console(width=100), known(), list[Mutant]()
    table = Table("package", "drawn", "tried", "noticed", "never ended", "survived, known", "survived, unknown")
    with copies(processes) as free, ThreadPoolExecutor(processes) as pool:
        for package in packages or PACKAGES:
            seconds = max(SLOWER * unchanged(package, free), AT_LEAST_SECONDS)
            mutants = drawn(package, seed, count)

            def act(mutant: Mutant, package: str = package, seconds: float = seconds) -> Outcome | None:
                return tried(mutant, package, free, seconds) if time.monotonic() < until else None

            outcomes: list[Outcome] = []
            survivors: list[Mutant] = []
            for mutant, outcome in zip(mutants, pool.map(act, mutants), strict=True):
                if outcome is None:
                    continue
                outcomes.append(outcome)
                console.print(f"{outcome:11}  {mutant.path}:{mutant.line}", highlight=False)
                if outcome == "survived":
                    survivors.append(mutant)
                    reason = listed.get(mutant.key, "not listed in survivors.toml")
                    console.print(f"  - {mutant.was}\n  + {mutant.became}\n    {reason}", markup=False, highlight=False)
            new = [each for each in survivors if each.key not in listed]
            unknown += new
            noticed, endless = outcomes.count("noticed"), outcomes.count("never ended")
            figures = (len(mutants), len(outcomes), noticed, endless, len(survivors) - len(new), len(new))
            table.add_row(package, *map(str, figures))
    console.print(table)
    if unknown:
        console.print(f"{len(unknown)} survived that nobody looked at: a test is missing, or a reason in {KNOWN.name}")
    sys.exit(bool(unknown))


if __name__ == "__main__":
    main()
