"""The queries of a dashboard as Grafana sends them, with variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from deploy.grafana.frame import Document
from deploy.grafana.write import FOLDER


class PanelQuery(NamedTuple):
    """One query of one panel."""

    panel: str
    ref: str
    expr: str
    legend: str
    instant: bool


def load(name: str) -> Document:
    """Read a committed dashboard."""
    found: Document = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Fill in variables; raises `KeyError` for one that has no value.

    >>> fill('x{model=~"$model"}[$__range]', {"model": "a|b", "__range": "1h"})
    'x{model=~"a|b"}[1h]'
    """
    return re.sub(r"\$\{?(\w+)\}?", lambda match: variables[match[1]], text)


def queries(panel: Document, variables: Mapping[str, str]) -> Iterator[PanelQuery]:
    """Yield every query of a panel, with variables filled in; a row has none."""
    for target in panel.get("targets", ()):
        expr = fill(target["expr"], variables)
        legend = target.get("legendFormat", "")
        yield PanelQuery(panel["title"], target["refId"], expr, legend, bool(target.get("instant")))
