"""Which tests can notice a change: those that enter the changed function, measured once on the unchanged tree."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Function = tuple[str, int]
"""A file and the first line of a function in it, decorators included."""


@cache
def parsed(path: str) -> ast.Module:
    """The syntax tree of a file of the unchanged tree; `path` is relative to the root."""
    return ast.parse((ROOT / path).read_text())


@cache
def functions(path: str) -> list[tuple[int, int]]:
    """First and last lines of the functions of a file, inner ones after those around them."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [each for each in ast.walk(parsed(path)) if isinstance(each, kinds)]
    lines = ((min([each.lineno, *(one.lineno for one in each.decorator_list)]), each.end_lineno or 0) for each in found)
    return sorted(lines, key=lambda pair: (pair[0], -pair[1]))


def around(path: str, line: int) -> Function | None:
    """The innermost named function that a line is part of; None at the level of the module or in a class's body."""
    inside = [first for first, last in functions(path) if first <= line <= last]
    return (path, inside[-1]) if inside else None


def sources() -> list[str]:
    return [str(path.relative_to(ROOT)) for top in ("streams", "services") for path in (ROOT / top).rglob("*.py")]


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text()


def constant(path: str, line: int) -> set[str]:
    """The names that a module's statement of this line assigns to, if it does nothing else."""
    for each in parsed(path).body:
        if each.lineno <= line <= (each.end_lineno or 0) and isinstance(each, ast.Assign | ast.AnnAssign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


def users(path: str, names: Iterable[str]) -> set[Function] | None:
    """The functions that mention a module's constants, or a constant made of one; None if something else does."""
    waiting = [(path, name) for name in names]
    seen, found = set(waiting), set[Function]()
    while waiting:
        home, name = waiting.pop()
        taken = re.compile(rf"\b{Path(home).stem}\b")
        for file in (file for file in sources() if name in text(file) and (file == home or taken.search(text(file)))):
            for node in ast.walk(parsed(file)):
                if not (
                    (isinstance(node, ast.Name) and node.id == name)
                    or (isinstance(node, ast.Attribute) and node.attr == name)
                ):
                    continue
                function = around(file, node.lineno)
                if function is not None:
                    found.add(function)
                elif made := {(file, each) for each in constant(file, node.lineno)}:
                    waiting += made - seen
                    seen |= made
                else:
                    return None
    helpers = [path for path in (ROOT / "tests/unit").rglob("*.py") if not path.name.startswith("test_")]
    if any(re.search(rf"\b{name}\b", path.read_text()) for _, name in seen for path in helpers):
        return None
    return found


@dataclass(frozen=True, slots=True)
class Reach:
    """What the tests of a package do on the unchanged tree."""

    seconds: dict[str, float]
    """Of each test, by its node id."""
    tests_of: dict[Function, set[str]]
    imported: frozenset[Function]
    """Entered as modules are imported: each test may depend on them."""
    processor: float
    """Seconds of the processor for all of them."""

    @classmethod
    def of(cls, measured: dict[str, Any]) -> Reach:
        """From what tests.mutants.server measured."""
        collected = shared(measured["collected"])
        tests_of: dict[Function, set[str]] = defaultdict(set)
        for test, entered in measured["entered"].items():
            # What a file of tests makes as it is imported, its tests depend on.
            for path, line in [*entered, *collected.get(test.partition("::")[0], ())]:
                if function := around(path, line):
                    tests_of[function].add(test)
        imported = (around(path, line) for path, line in measured["imported"])
        return cls(measured["seconds"], tests_of, frozenset(filter(None, imported)), measured["processor"])

    def tests(self, path: str, line: int) -> list[str]:
        """The tests that can notice a change of this line: those first that name the constant, then those that enter
        its file, short ones first.
        """
        near = {test for (file, _), tests in self.tests_of.items() if file == path for test in tests}
        naming = set() if around(path, line) else self._naming(constant(path, line))
        chosen = self._entering(path, line) | naming
        return sorted(chosen, key=lambda test: (test not in naming, test not in near, self.seconds[test]))

    def _naming(self, names: set[str]) -> set[str]:
        """The tests of files that mention one of these names."""
        words = [re.compile(rf"\b{name}\b") for name in names]
        files = {test.partition("::")[0] for test in self.seconds}
        mention = {file for file in files if any(word.search(text(file)) for word in words)}
        return {test for test in self.seconds if test.partition("::")[0] in mention}

    def _entering(self, path: str, line: int) -> set[str]:
        everything = set(self.seconds)
        function = around(path, line)
        if function is not None:
            using: set[Function] | None = {function}
        else:
            names = constant(path, line)
            using = users(path, names) if names else None
        if using is None or using & self.imported or any(compiled(each) for each in using):
            return everything
        return set[str]().union(*(self.tests_of.get(each, set()) for each in using))


def shared(collected: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What each file of tests makes as it is imported; files of tests that import one another share it."""
    named = {Path(path).stem: path for path in collected}
    taken = re.compile(r"^from tests\.\S*\.(test_\w+) import", re.MULTILINE)
    links = {path: taken.findall(text(path)) for path in collected if (ROOT / path).exists()}
    together = {path for path, names in links.items() if names} | {
        named[name] for names in links.values() for name in names if name in named
    }
    everything = [each for path in together for each in collected[path]]
    return {path: everything if path in together else entered for path, entered in collected.items()}


def compiled(function: Function) -> bool:
    """Whether numba makes machine code of it, which no measurement sees entered."""
    path, line = function
    return "njit" in text(path).splitlines()[line - 1] or "numba.njit" in text(path)


def wants_fresh_machine_code(path: str) -> bool:
    """Whether numba's cache would give the unchanged machine code: it knows a module by its own text only."""
    stem = Path(path).stem
    taken = re.compile(rf"\.{stem} import |import .*\b{stem}\b")
    return "numba" in text(path) or any(taken.search(text(each)) for each in sources() if "numba" in text(each))
