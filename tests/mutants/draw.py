"""Draws mutants; runs with the Python that has Cosmic Ray (`ensure-set mutants`): `python draw.py SEED COUNT FILE…`.

Prints a JSON list. Each mutant is a whole file in which Cosmic Ray changed one operator, comparison, number, condition,
loop or truth value. Places in the code are drawn evenly, and one of the changes that fit there. Annotations, texts of
logs and the like are left out.
"""

from __future__ import annotations

import ast
import json
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code

UNLIKE_A_SLIP = ("Bit", "RShift", "LShift", "Is_", "IsNot_", "_Is", "Mod_", "_Mod", "Pow_", "_Pow", "_Invert", "UAdd")
"""Parts of names of changes that are left out: they change annotations (`int | None`), or fail at once."""
LEFT_OUT = ("RemoveDecorator", "ExceptionReplacer", "VariableReplacer", "VariableInserter")

LOGGERS = ("log", "logger")
EMPTY_OF_MEANING = ("strict",)
"""Arguments that only guard against our own slips: `zip(…, strict=True)`."""

Place = tuple[str, tuple[int, int]]
Change = tuple[str, int]


def silent(code: str) -> Iterator[ast.AST]:
    """The parts of a file in which a change cannot matter: annotations, what only types need, `__all__`, texts of logs,
    the options of decorators and classes that are true or false (`slots=True`), what runs as a script, and the empty
    arrays that a state begins with, which grow before they are read.
    """
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.AnnAssign(annotation=annotation) | ast.arg(annotation=ast.expr() as annotation) if (
                "Meta(" not in ast.unparse(annotation)  # msgspec checks these bounds
            ):
                yield annotation
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Compare(left=ast.Name(id="__name__"))):
                yield node
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in LOGGERS:
                yield node
            case ast.keyword(arg=name) if name in EMPTY_OF_MEANING:
                yield node
            case ast.Call(func=ast.Attribute(attr="zeros"), args=[shape, *_]) if re.search(
                r"\b0\b", ast.unparse(shape)
            ):
                yield shape
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for each in [*node.decorator_list, *(node.keywords if isinstance(node, ast.ClassDef) else ())]:
                yield from (
                    one for one in ast.walk(each) if isinstance(one, ast.Constant) and isinstance(one.value, bool)
                )
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            yield node.returns


def spans(code: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where these parts begin and end: lines from 1, columns from 0, counted in characters as Cosmic Ray does."""
    lines = code.splitlines()

    def column(line: int, octets: int) -> int:
        return len(lines[line - 1].encode()[:octets].decode())

    return [
        (
            (node.lineno, column(node.lineno, node.col_offset)),
            (node.end_lineno, column(node.end_lineno, node.end_col_offset)),
        )
        for node in silent(code)
    ]


def places(path: str) -> dict[Place, list[Change]]:
    """Where a file can be changed, and the changes that fit there: the operator's name and its occurrence."""
    found: dict[Place, list[Change]] = defaultdict(list)
    code = Path(path).read_text()
    without_meaning, lines = spans(code), code.splitlines()
    nodes = list(ast_nodes(get_ast_from_path(Path(path))))
    for name in plugins.operator_names():
        short = name.split("/")[-1]
        if short in LEFT_OUT or any(part in short for part in UNLIKE_A_SLIP):
            continue
        operator: Any = plugins.get_operator(name)
        if operator.arguments():
            continue
        spots = (start for node in nodes for start, _ in operator().mutation_positions(node))
        for occurrence, start in enumerate(spots):
            # The `*` before keyword-only parameters is no operator.
            alone = re.match(r"\*\s*,", lines[start[0] - 1][start[1] :])
            if not alone and not any(begin <= start < end for begin, end in without_meaning):
                found[path, start].append((name, occurrence))
    return found


def draw(seed: int, count: int, paths: list[str]) -> list[dict[str, Any]]:
    """`count` mutants of these files, or all there are."""
    choose = random.Random(seed)
    found = {place: changes for path in sorted(paths) for place, changes in sorted(places(path).items())}
    mutants = []
    for path, start in choose.sample(list(found), min(count, len(found))):
        name, occurrence = choose.choice(found[path, start])
        code = Path(path).read_text()
        mutated = mutate_code(code, plugins.get_operator(name)(), occurrence)
        if mutated is None or mutated == code:
            continue
        before, after = code.splitlines(), mutated.splitlines()
        at = next(at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
        mutants.append(
            {"path": path, "line": at + 1, "was": before[at].strip(), "became": after[at].strip(), "code": mutated}
        )
    return mutants


if __name__ == "__main__":
    json.dump(draw(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]), sys.stdout)
