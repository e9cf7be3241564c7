"""Draws mutants; runs with the Python that has Cosmic Ray (`ensure-set mutants`): `python draw.py SEED COUNT FILE…`.

Prints a JSON list. Each mutant is a whole file in which Cosmic Ray changed one operator, comparison, number, condition,
loop or truth value. Places in the code are drawn evenly, and one of the changes that fit there.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code

UNLIKE_A_SLIP = ("Bit", "RShift", "LShift", "Is_", "IsNot_", "_Is", "Mod_", "_Mod", "Pow_", "_Pow", "_Invert", "UAdd")
"""Parts of names of changes that are left out: they change annotations (`int | None`), or fail at once."""
LEFT_OUT = ("RemoveDecorator", "ExceptionReplacer", "VariableReplacer", "VariableInserter")

Place = tuple[str, tuple[int, int]]
Change = tuple[str, int]


def places(path: str) -> dict[Place, list[Change]]:
    """Where a file can be changed, and the changes that fit there: the operator's name and its occurrence."""
    found: dict[Place, list[Change]] = defaultdict(list)
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
