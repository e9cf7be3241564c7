"""What a rule is: recording rules, alerts with the two stories that prove them, and where an alert's runbook is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.contracts.alert import RUNBOOKS

PREFIX = "Isonomy"
PAGE, WARNING = "page", "warning"


@dataclass(frozen=True, slots=True)
class Recording:
    """An expression that is computed once for all who ask.

    Names follow the convention `level:metric:operations`; the level is the project, labels are what is kept.
    """

    record: str
    expr: str


@dataclass(frozen=True, slots=True)
class Story:
    """Series minute by minute, in promtool's notation, and what is said `at` a time.

    `told` are the alerts: labels and summary each.
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
        Without the prefix.
    severity
        `page` calls somebody, `warning` waits for the next day at work.
    wait
        For so long the expression must hold.
    summary
        One sentence, in Prometheus's template language.
    fires, quiet
        The two stories; the second is as near to the first as it can be.
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
        """Name in Prometheus."""
        return PREFIX + self.name


def runbook(name: str, base: str = RUNBOOKS) -> str:
    """Where the runbook of an alert is: the one place where its address is made.

    >>> runbook("IsonomyStageNotReady")
    'docs/runbooks/stage_not_ready.md'
    >>> runbook("IsonomyRedisLostData", "https://arena.example/runbooks/")
    'https://arena.example/runbooks/redis_lost_data.md'
    """
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removeprefix(PREFIX)).lower()
    return f"{base.rstrip('/')}/{words}.md"


def grew(series: str, window: str) -> str:
    """Make an expression that is true when a counter moved, be it from nothing: a labelled counter is born at 1.

    `increase` alone does not see the first step of a series that did not exist before.
    """
    return f"increase({series}[{window}]) > 0 or ({series} > 0 unless {series} offset {window})"


def flat(expression: str) -> str:
    r"""Put an expression on one line.

    >>> flat("sum(x)\n  > 1")
    'sum(x) > 1'
    """
    return " ".join(expression.split())
