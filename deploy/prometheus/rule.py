"""The kinds of rules: recording rules, and alerts, each with two tested stories and a runbook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts.alert import RUNBOOKS, Severity

PREFIX = "Isonomy"
CRITICAL, WARNING = Severity.CRITICAL.value, Severity.WARNING.value
"""The words of the fairness alerts themselves, so that one route of Alertmanager serves both."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An expression that Prometheus computes once for all panels and alerts.

    Names follow the convention `level:metric:operations`; the level is the project, and labels show what is kept.
    """

    record: str
    expr: str


@dataclass(frozen=True, slots=True)
class Story:
    """A promtool test: series minute by minute in promtool's notation, and the alerts expected `at` a time.

    `told` holds the labels and the summary of each expected alert.
    """

    series: Mapping[str, str]
    at: str
    told: tuple[tuple[Mapping[str, str], str], ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: one rule, one story in which it fires, one in which it does not, one runbook.

    Parameters
    ----------
    name
        The alert's name without the prefix.
    severity
        `critical` calls the person on duty, `warning` waits for the next working day.
    wait
        How long the expression must hold before the alert fires.
    summary
        One sentence, in Prometheus's template language.
    fires, quiet
        The two stories; `quiet` is as close to `fires` as possible.
    labels
        Further labels.
    """

    name: str
    expr: str
    severity: str
    wait: str
    summary: str
    fires: Story
    quiet: Story
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The alert's name in Prometheus."""
        return PREFIX + self.name


def runbook(name: str, base: str = RUNBOOKS) -> str:
    """Return the address of an alert's runbook; no other code makes such addresses.

    >>> runbook("IsonomyStageNotReady")
    'docs/runbooks/stage_not_ready.md'
    >>> runbook("IsonomyRedisLostData", "https://arena.example/runbooks/")
    'https://arena.example/runbooks/redis_lost_data.md'
    """
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removeprefix(PREFIX)).lower()
    return f"{base.rstrip('/')}/{words}.md"


def grew(series: str, window: str) -> str:
    """Return an expression that is true if a counter increased or its series is new (a labelled counter starts at 1).

    `increase` alone misses the first increment of a new series.
    """
    return f"increase({series}[{window}]) > 0 or ({series} > 0 unless {series} offset {window})"


def flat(expression: str) -> str:
    r"""Put an expression on one line.

    >>> flat("sum(x)\n  > 1")
    'sum(x) > 1'
    """
    return " ".join(expression.split())
