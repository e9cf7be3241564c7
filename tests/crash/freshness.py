"""Histograms from the metrics text of Prometheus: the increase between two scrapes, and its quantiles."""

from __future__ import annotations

import math
import re

Histogram = dict[float, float]
"""Upper bound of a bucket to the number of observations at or below it."""


def read_histogram(text: str, name: str) -> Histogram:
    """Sum the buckets of a histogram over its other labels.

    >>> read_histogram('h_bucket{arena="a",le="0.5"} 2.0\\nh_bucket{arena="b",le="0.5"} 1.0\\n', "h")
    {0.5: 3.0}
    """
    found: Histogram = {}
    for labels, value in re.findall(rf"^{name}_bucket\{{(.*)\}} (\S+)$", text, re.MULTILINE):
        bound = float(dict(re.findall(r'(\w+)="([^"]*)"', labels))["le"])
        found[bound] = found.get(bound, 0.0) + float(value)
    return found


def read_sum(text: str, name: str) -> float:
    """Sum a series over its labels.

    >>> read_sum('lag{partition="0"} 2.0\\nlag{partition="1"} 3.0\\n', "lag")
    5.0
    """
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


def quantile(before: Histogram | None, after: Histogram | None, share: float) -> float | None:
    """A quantile of the observations between two scrapes, linear within its bucket; None without observations.

    A restarted process counts from zero: then all its observations count.

    >>> quantile({0.5: 1.0, 1.0: 1.0, math.inf: 1.0}, {0.5: 1.0, 1.0: 3.0, math.inf: 3.0}, 0.5)
    0.75
    """
    if not after:
        return None
    old = before or {}
    if any(after[bound] < old.get(bound, 0.0) for bound in after):
        old = {}
    bounds = sorted(after)
    counts = [after[bound] - old.get(bound, 0.0) for bound in bounds]
    if not counts[-1]:
        return None
    rank, low, below = share * counts[-1], 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= rank:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low
