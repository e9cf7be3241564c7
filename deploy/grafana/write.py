"""Write the dashboards as JSON and their documentation page, or check that the committed files are current.

python -m deploy.grafana.write [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deploy.grafana.deliveries import deliveries
from deploy.grafana.fairness import fairness
from deploy.grafana.frame import Document, as_json
from deploy.grafana.leaderboard import leaderboard
from deploy.grafana.pipeline import pipeline

FOLDER = Path(__file__).parent / "dashboards"
ROOT = FOLDER.parents[2]
DASHBOARDS = {"pipeline": pipeline, "leaderboard": leaderboard, "fairness": fairness, "deliveries": deliveries}


def documents() -> dict[Path, str]:
    """Return the expected content of every file."""
    made = {name: as_json(make()) for name, make in DASHBOARDS.items()}
    found = {
        FOLDER / f"{name}.json": json.dumps(dashboard, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, dashboard in made.items()
    }
    return {**found, ROOT / "docs" / "dashboards.md": page(made)}


_INTRODUCTION = """\
# Dashboards

Four dashboards for Grafana, made in Python ([deploy/grafana](../deploy/grafana)) and committed as JSON. Grafana
takes them by [provisioning](../deploy/grafana/provisioning), or by import; their addresses do not change:
`/d/isonomy-pipeline`, `/d/isonomy-leaderboard`, `/d/isonomy-fairness`, `/d/isonomy-deliveries`. Above each stand
the data source, where it matters the arena, and the models to look at closely; firing alerts are marked on every
curve. They need the recording rules of [deploy/prometheus](../deploy/prometheus/rules), and jobs named
`isonomy-<process>`.

Series of models, shares and evidence come from the board, which makes them of the published views at each scrape
([list](contracts/metrics.md#published-views)). With several boards every number is there several times: take `max
by (…)`, never `sum`. An alert that concerns an arena is told by the herald to its subscribers, and by Prometheus to
the operator (`IsonomyArenaUnfair`); whoever subscribes Alertmanager through the herald leaves that rule out.

The pictures are drawn from the answers of a real Prometheus that watched the whole stack, while a made-up arena
dropped one model in silence; Grafana draws the same panels with its own hand.
"""


def page(dashboards: Mapping[str, Document]) -> str:
    """Return the page; `dashboards` maps names to JSON."""
    return "\n".join([_INTRODUCTION, *(part for name, made in dashboards.items() for part in _section(name, made))])


def _section(name: str, made: Document) -> Iterator[str]:
    yield f"## {name.capitalize()}\n\n{made['description']}\n"
    yield f"![The dashboard {name}](images/dashboards/{name}.png)\n"
    listed: list[str] = []
    for panel in made["panels"]:
        if panel["type"] == "row":
            listed.append(f"\n*{'Chosen models' if '$' in panel['title'] else panel['title']}*\n")
        else:
            listed.append(f"- **{panel['title']}**: {panel['description']}")
    yield "\n".join(listed) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write stale files, or with `--check` name them and return 1."""
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
