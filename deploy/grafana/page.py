"""The documentation page of the dashboards: which question each panel answers, in the panels' own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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


def page(dashboards: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the page; `dashboards` are JSON by name."""
    return "\n".join([_INTRODUCTION, *(part for name, made in dashboards.items() for part in _section(name, made))])


def _section(name: str, made: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name.capitalize()}\n\n{made['description']}\n"
    yield f"![The dashboard {name}](images/dashboards/{name}.png)\n"
    listed: list[str] = []
    for panel in made["panels"]:
        if panel["type"] == "row":
            listed.append(f"\n*{'Chosen models' if '$' in panel['title'] else panel['title']}*\n")
        else:
            listed.append(f"- **{panel['title']}**: {panel['description']}")
    yield "\n".join(listed) + "\n"
