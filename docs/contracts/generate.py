"""Writes the documents of docs/contracts that follow from the code, or checks that they are current.

    python docs/contracts/generate.py [--check]

Files whose name is in `WHOLE` are written whole. In those of `PARTS` a person writes the prose, and only what stands
between `<!-- generated: name -->` and `<!-- end -->` (in code: `# generated: name` and `# end`) is replaced.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import alerts
import arena
import channels
import examples
import pages
import past
import schemas

HERE = Path(__file__).parent

WHOLE: Mapping[str, Callable[[], str]] = {
    "alert.schema.json": schemas.alert_json,
    "alerts.md": alerts.page,
    "asyncapi.json": channels.asyncapi_json,
    "board.schema.json": schemas.board_json,
    "fairness-settings.md": pages.fairness_settings,
    "ratings-settings.md": pages.ratings_settings,
    "fairness.schema.json": schemas.fairness_json,
    "metrics.md": pages.metrics,
    "model.schema.json": schemas.model_json,
    "reasons.md": pages.reasons,
    "settings.md": pages.settings,
    "topics.md": pages.topics,
    "vote.schema.json": schemas.vote_json,
}
PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "ledger.md": {
        "columns": pages.ledger_columns,
        "block": examples.block_literal,
        "rows": examples.block_rows,
        "notice": examples.notice_json,
    },
    "redis.md": {
        "keys": pages.redis_keys,
        "board": examples.board_json,
        "changed": examples.changed_json,
        "judged": arena.changed_json,
        "fairness": arena.fairness_json,
        "tier": past.tier_literal,
        "samples": past.tier_lines,
    },
}

_PART = re.compile(
    r"^(?P<open> *(?:<!-- generated: (?P<prose>[a-z]+) -->|\# generated: (?P<code>[a-z]+))\n)"
    r".*?"
    r"^(?P<close> *(?:<!-- end -->|\# end)$)",
    re.MULTILINE | re.DOTALL,
)


def fill(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    r"""Replace what stands between the marks.

    Raises
    ------
    ValueError
        When a mark names no part, or a part has no mark.

    >>> fill("<!-- generated: x -->\nold\n<!-- end -->\n", {"x": lambda: "new"})
    '<!-- generated: x -->\nnew\n<!-- end -->\n'
    """
    missing = set(parts)

    def replaced(match: re.Match[str]) -> str:
        name = match["prose"] or match["code"]
        if name not in parts:
            raise ValueError(f"nothing is known that would fill {name!r}")
        missing.discard(name)
        return f"{match['open']}{parts[name]().strip(chr(10))}\n{match['close']}"

    filled = _PART.sub(replaced, text)
    if missing:
        raise ValueError(f"there is no mark for {', '.join(sorted(missing))}")
    return filled


def documents() -> dict[Path, str]:
    """Every document as it should be, by its path."""
    whole = {HERE / name: make().rstrip("\n") + "\n" for name, make in WHOLE.items()}
    parts = {HERE / name: fill((HERE / name).read_text("utf-8"), by_name) for name, by_name in PARTS.items()}
    return {**whole, **parts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is stale, or with `--check` name it and return 1."""
    parser = argparse.ArgumentParser(description="Write the documents of docs/contracts that follow from the code.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 and name what is stale.")
    check = parser.parse_args(arguments).check
    stale = {path: text for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in sorted(stale.items()):
        if check:
            print(f"stale: docs/contracts/{path.name} (run: python docs/contracts/generate.py)")
        else:
            path.write_text(text, "utf-8", newline="\n")
            print(f"written: docs/contracts/{path.name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
