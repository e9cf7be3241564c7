"""Alerts of an audit as a table for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from streams.audit.dates import iso
from streams.contracts.alert import Alert, Evidence, Status
from streams.contracts.names import shown


def alerts_table(alerts: list[Alert], width: int, top: int | None) -> Table:
    """Lay alerts out in at most `width` characters: of the feed and of classes first, then of models, newest first."""
    table = Table(box=None, header_style="dim", padding=(0, 1))
    headings = ["kind", "about", "since", "shown by", "expected", "got", "log10 e"]
    # What a narrow terminal can best do without goes first.
    for dispensable, needed in (("log10 e", 100), ("shown by", 88), ("kind", 76), ("expected", 60), ("got", 60)):
        if width < needed:
            headings.remove(dispensable)
    for heading in headings:
        numbers = heading in ("expected", "got", "log10 e")
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=heading != "about")
    newest = sorted(alerts, key=lambda alert: (alert.subject.field == "model", -alert.detected_at, alert.subject.name))
    for alert in newest[:top]:
        evidence = alert.evidence
        cells: dict[str, str | Text] = {
            "kind": alert.kind.value.replace("_", " ") + (" (over)" if alert.status is Status.RESOLVED else ""),
            "about": Text(shown(alert.subject.name or "the feed"), style="bold"),
            "since": iso(alert.starts_at),
            "shown by": iso(alert.detected_at),
            "expected": _number(_first(evidence, "expected", "expected_since", "expected_appearances")),
            "got": _number(_first(evidence, "observed", "appearances")),
            "log10 e": _number(evidence.get("log10_e"), 1),
        }
        table.add_row(*(cells[heading] for heading in headings))
    if top and len(newest) > top:
        table.caption = f"{top} of {len(newest)}"
    return table


def _first(evidence: Evidence, *names: str) -> object:
    """What stands under the first of the names that there is."""
    return next((evidence[name] for name in names if name in evidence), None)


def _number(value: object, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if isinstance(value, (int, float)) else ""
