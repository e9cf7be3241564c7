"""What a PromQL expression asks for, by a parser, and what the code exposes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import promql_parser
from prometheus_client import Counter, Gauge, Histogram

from deploy.prometheus.recording import RECORDINGS
from streams.contracts.metrics import Metrics
from streams.contracts.published_series import PUBLISHED_SERIES

EVERY = {"instance", "job", "__name__"}
PROMETHEUS_S_OWN = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}


def selectors(expr: str) -> Iterator[promql_parser.VectorSelector]:
    """Every selector of series in an expression; raises `ValueError` for what is no PromQL."""
    pending: list[Any] = [promql_parser.parse(expr)]
    while pending:
        each = pending.pop()
        if isinstance(each, promql_parser.VectorSelector):
            yield each
            continue
        if isinstance(each, promql_parser.MatrixSelector):
            pending.append(each.vector_selector)
            continue
        for field in ("lhs", "rhs", "expr", "param"):
            inner = getattr(each, field, None)
            if isinstance(inner, promql_parser.Expr):
                pending.append(inner)
        if isinstance(each, promql_parser.Call):
            pending.extend(each.args)


def names_of(selector: promql_parser.VectorSelector) -> set[str]:
    """The metrics that a selector asks for; a pattern asks for all known ones that it fits."""
    if selector.name:
        return {selector.name}
    (pattern,) = (each.value for each in selector.matchers.matchers if each.name == "__name__")
    return {name for name in known_labels() if re.fullmatch(pattern, name)} or {pattern}


def metrics_of(expr: str) -> set[str]:
    """Every metric in an expression."""
    return {name for selector in selectors(expr) for name in names_of(selector)}


def labels_asked_of(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric with the labels that are matched in its selector."""
    for selector in selectors(expr):
        labels = {matcher.name for matcher in selector.matchers.matchers}
        for name in names_of(selector):
            yield name, labels


@cache
def known_labels() -> dict[str, set[str]]:
    """Labels of everything that the processes expose, that the rules record, or that Prometheus adds."""
    known: dict[str, set[str]] = {name: set(labels) for name, labels in PROMETHEUS_S_OWN.items()}
    metrics = Metrics()
    made = [series for series in vars(metrics).values() if isinstance(series, (Counter, Gauge, Histogram))]
    labelled = {next(iter(series.describe())).name: set(series._labelnames) for series in made}
    for family in metrics.registry.collect():
        labels = labelled.get(family.name, set())
        if family.type == "counter":
            known[f"{family.name}_total"] = labels
        elif family.type == "histogram":
            known |= {f"{family.name}_{end}": labels | {"le"} for end in ("bucket", "sum", "count")}
            known[family.name] = labels
        else:
            known[family.name] = labels
    known |= {each.name: set(each.labels) for each in PUBLISHED_SERIES}
    for each in RECORDINGS:
        kept = re.search(r"by \(([^)]*)\)", each.expr)
        known[each.record] = set(re.split(", ", kept[1])) - {"le"} if kept else set()
    return {name: labels | EVERY for name, labels in known.items()}
