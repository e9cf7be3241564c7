"""What Prometheus answers to the panels of a dashboard, as plain values that can be drawn. Needs a running server."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.grafana.queries import PanelQuery, queries


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: its name in the legend, its labels, and what it was when (epoch seconds)."""

    name: str
    labels: Mapping[str, str]
    times: list[float]
    values: list[float]
    ref: str

    @property
    def last(self) -> float:
        """The newest number; NaN when there is none."""
        return next((value for value in reversed(self.values) if math.isfinite(value)), math.nan)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a screen shows, epoch seconds."""

    start: float
    end: float

    @property
    def step(self) -> float:
        """Between two points, so that a panel has a few hundred."""
        return max(1.0, round((self.end - self.start) / 300))


def answers(url: str, panel: Mapping[str, Any], variables: Mapping[str, str], span: Span) -> list[Curve]:
    """Ask for everything that a panel shows; raises `urllib.error.URLError`."""
    return [curve for query in queries(panel, variables) for curve in _ask(url, query, span)]


def _ask(url: str, query: PanelQuery, span: Span) -> list[Curve]:
    if query.instant:
        found = _post(f"{url}/api/v1/query", {"query": query.expr, "time": span.end})
        rows = [(series["metric"], [series["value"]]) for series in found]
    else:
        over = {"query": query.expr, "start": span.start, "end": span.end, "step": span.step}
        rows = [(series["metric"], series["values"]) for series in _post(f"{url}/api/v1/query_range", over)]
    return [
        Curve(
            name=_legend(query.legend, labels),
            labels=labels,
            times=[float(at) for at, _ in points],
            values=[float(value) for _, value in points],
            ref=query.ref,
        )
        for labels, points in rows
    ]


def _legend(form: str, labels: Mapping[str, str]) -> str:
    if form == "__auto":
        return ", ".join(labels.values())
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), form)


def _post(url: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    body = urllib.parse.urlencode(parameters).encode()
    with urllib.request.urlopen(url, body, timeout=30) as answer:  # noqa: S310 -- the operator's own server
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found
