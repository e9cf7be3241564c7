"""Writes the dashboards as JSON and their page of the documentation, or checks that what is committed is current.

python -m deploy.grafana.write [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.grafana.deliveries import deliveries
from deploy.grafana.fairness import fairness
from deploy.grafana.frame import as_json
from deploy.grafana.leaderboard import leaderboard
from deploy.grafana.page import page
from deploy.grafana.pipeline import pipeline

FOLDER = Path(__file__).parent / "dashboards"
ROOT = FOLDER.parents[2]
DASHBOARDS = {"pipeline": pipeline, "leaderboard": leaderboard, "fairness": fairness, "deliveries": deliveries}


def documents() -> dict[Path, str]:
    """Every file as it should be."""
    made = {name: as_json(make()) for name, make in DASHBOARDS.items()}
    found = {
        FOLDER / f"{name}.json": json.dumps(dashboard, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, dashboard in made.items()
    }
    return {**found, ROOT / "docs" / "dashboards.md": page(made)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is stale, or with `--check` name it and return 1."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboards.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 and name what is stale.")
    check = parser.parse_args(arguments).check
    stale = {path: text for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in sorted(stale.items()):
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
