"""Write the Helm chart's files made from the code: topics, users and Prometheus rules; or check that they are current.

python -m deploy.helm.write [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from streams.contracts.access import KAFKA
from streams.contracts.topics import TOPICS

HERE = Path(__file__).parent
FILES = HERE / "isonomy" / "files"
RULES = HERE.parent / "prometheus" / "rules"
_HEAD = "# Made by `python -m deploy.helm.write`; do not edit.\n"


def documents() -> dict[Path, str]:
    """Return the expected content of every file."""
    topics = [{"name": each.name, "partitions": each.partitions, "config": dict(each.config)} for each in TOPICS]
    users = {
        name: [
            {"resource": grant.resource, "name": grant.name, "operations": list(grant.operations)} for grant in grants
        ]
        for name, grants in KAFKA.items()
    }
    made: dict[Path, object] = {FILES / "topics.yaml": {"topics": topics}, FILES / "users.yaml": {"users": users}}
    found = {path: _HEAD + yaml.safe_dump(value, sort_keys=False, width=110) for path, value in made.items()}
    # A chart can only read files inside its directory.
    return found | {FILES / "rules" / path.name: path.read_text("utf-8") for path in sorted(RULES.glob("*.yml"))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write stale files, or with `--check` name them and return 1."""
    parser = argparse.ArgumentParser(description="Write what the Helm chart takes from the code.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 and name what is stale.")
    check = parser.parse_args(arguments).check
    stale = {path: text for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in sorted(stale.items()):
        if check:
            print(f"stale: {path} (run: python -m deploy.helm.write)")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"written: {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
