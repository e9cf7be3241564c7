"""`python -m tests.mutants`: change one thing at a time, run the unit tests that can notice, list what none notices."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import click
import psutil
from rich.console import Console
from rich.table import Table

from tests.mutants.reach import Reach, wants_fresh_machine_code

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).parent / "survivors.toml"
PACKAGES: dict[str, tuple[str, ...]] = {
    "streams/fairness": ("tests/unit/fairness", "tests/unit/history", "streams/fairness"),
    "streams/ratings": ("tests/unit/ratings", "tests/unit/history", "streams/ratings"),
    "streams/intake": ("tests/unit/intake", "streams/intake"),
    "services/herald": ("tests/unit/herald", "services/herald"),
}
"""What is changed, and the tests that must notice, examples in docstrings included."""
LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv", ".isonomy", "__pycache__", "node_modules", "*_cache", "target")
SLOWER, AT_LEAST_SECONDS, COMPILING_SECONDS = 10, 20, 120
"""A run may take the processor so many times as long as when the reach was measured, with fewer examples: one that goes
on is noticed, too."""

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
    """Reviewed survivors, and why each may survive."""
    listed = tomllib.loads(KNOWN.read_text()).get("survivor", [])
    return {(each["path"], each["was"], each["became"]): each["reason"] for each in listed}


class Server:
    """A copy of the tree and a warm pytest in it (tests.mutants.server): changes are made there, never here."""

    def __init__(self, room: Path) -> None:
        self.copy = room / "tree"
        shutil.copytree(ROOT, self.copy, ignore=LEFT_BEHIND)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.server", "-p", "no:cacheprovider"]
        environment = {
            "PYTHONPATH": str(self.copy),
            "NUMBA_CACHE_DIR": str(room / "numba"),
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            command,
            cwd=self.copy,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, path: str | None, code: str, tests: Sequence[str], seconds: float, fresh: bool) -> dict[str, Any]:
        """The answer to a request of tests.mutants.server; the tests may take so many seconds of the processor."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"path": path, "code": code, "tests": tests, "seconds": int(seconds), "fresh": fresh}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise click.ClickException("the process that runs the tests has ended")
        return cast(dict[str, Any], json.loads(line))


@contextmanager
def servers(count: int) -> Iterator[queue.Queue[Server]]:
    """So many of them, for one run at a time each."""
    with tempfile.TemporaryDirectory(prefix="isonomy-mutants-") as room:
        running = [Server(Path(room) / str(number)) for number in range(count)]
        free: queue.Queue[Server] = queue.Queue()
        for server in running:
            free.put(server)
        try:
            yield free
        finally:
            for server in running:
                for process in [*psutil.Process(server.process.pid).children(recursive=True), server.process]:
                    process.kill()
                server.process.wait()


def tried(mutant: Mutant, reach: Reach, free: queue.Queue[Server]) -> Outcome:
    """Put a change into a copy, run the tests that can notice it, and take it out again."""
    tests = reach.tests(mutant.path, mutant.line)
    if not tests:
        return "survived"
    fresh = wants_fresh_machine_code(mutant.path)
    seconds = (
        AT_LEAST_SECONDS + SLOWER * sum(reach.seconds[test] for test in tests) + (COMPILING_SECONDS if fresh else 0)
    )
    server = free.get()
    try:
        answer = server.ask(mutant.path, mutant.code, tests, seconds, fresh)
    finally:
        free.put(server)
    return "never ended" if not answer["ended"] else "survived" if answer["code"] == 0 else "noticed"


def unchanged(package: str, free: queue.Queue[Server]) -> Reach:
    """What the tests enter in the code as it is, kept until a file changes; the tests must pass."""
    tops = ("streams", "services", "tests/mutants", "tests/support", *PACKAGES[package])
    sources = sorted({path for top in tops for path in (ROOT / top).rglob("*.py")})
    digest = hashlib.sha256(b"".join(b"%s %s\n" % (bytes(path), path.read_bytes()) for path in sources)).hexdigest()
    kept = ROOT / ".isonomy/mutants-reach" / f"{package.replace('/', '.')}-{digest[:16]}.json"
    if not kept.exists():
        server = free.get()
        answer = server.ask(None, "", PACKAGES[package], 3_600, fresh=False)
        free.put(server)
        if answer["code"] != 0:
            raise click.ClickException(f"the tests of {package} fail without any change:\n{answer['said']}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(answer["reach"]))
    return Reach.of(json.loads(kept.read_text()))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--package", "packages", type=click.Choice(list(PACKAGES)), multiple=True, help="Only these; all if not given."
)
@click.option("--count", type=click.IntRange(min=1), default=40, show_default=True, help="Mutants of each package.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which ones.")
@click.option("--minutes", type=click.FloatRange(min=1), default=60, show_default=True, help="Begin none after that.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True, help="At once.")
def main(packages: Sequence[str], count: int, seed: int, minutes: float, processes: int) -> None:
    """Change one thing at a time and run the unit tests that can notice; exit code 1 if an unknown mutant survives."""
    until = time.monotonic() + 60 * minutes
    console, listed, unknown = Console(width=100), known(), list[Mutant]()
    table = Table("package", "drawn", "tried", "noticed", "never ended", "survived, known", "survived, unknown")
    with servers(processes) as free, ThreadPoolExecutor(processes) as pool:
        for package in packages or PACKAGES:
            reach = unchanged(package, free)
            mutants = drawn(package, seed, count)

            def act(mutant: Mutant, reach: Reach = reach) -> Outcome | None:
                return tried(mutant, reach, free) if time.monotonic() < until else None

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
