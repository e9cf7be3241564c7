"""Words and groups for the alerts of an audit, and a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from streams.audit.board.dates import iso
from streams.audit.report.document import Report
from streams.contracts.alert import Alert, Evidence, Kind, Status
from streams.contracts.names import shown

ENDS = (Kind.SILENT_REMOVAL, Kind.UNANNOUNCED_RETIREMENT)
"""Kinds of alerts for a model that stopped or left."""

LINES = 12
"""Default number of lines of the table in the terminal."""


def words_of(kind: Kind, notices_known: bool) -> str:
    """A kind of alert in words; `without notice` only when notices are known."""
    if kind is Kind.SILENT_REMOVAL:
        return "ended without notice" if notices_known else "stopped or left"
    return kind.value.replace("_", " ")


def notices_known(report: Report) -> bool:
    """Whether there was a registry with the models."""
    return report.counts.deprecated is not None


def in_order(alerts: Sequence[Alert]) -> list[Alert]:
    """Alerts sorted: those of the feed and of classes first, then those of models, newest first within each."""
    return sorted(alerts, key=lambda each: (each.subject.field == "model", -each.detected_at, each.subject.name))


def ends_by_year(alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
    """Alerts of stopped or removed models by the year of their start, newest first."""
    groups: dict[str, list[Alert]] = {}
    for alert in sorted(alerts, key=lambda each: (-each.starts_at, each.subject.name)):
        if alert.kind in ENDS:
            groups.setdefault(iso(alert.starts_at)[:4], []).append(alert)
    return groups


def expected_of(alert: Alert) -> object:
    """Expected number of votes or appearances."""
    return _first(alert.evidence, "expected", "expected_since", "expected_appearances")


def observed_of(alert: Alert) -> object:
    """Observed number of votes or appearances."""
    return _first(alert.evidence, "observed", "appearances")


def alerts_table(report: Report, width: int, top: int | None) -> Table:
    """A table of the alerts; a narrower `width` drops columns."""
    table = Table(box=None, header_style="dim", padding=(0, 1))
    headings = ["kind", "about", "since", "shown by", "expected", "got", "log10 e"]
    # A narrow terminal drops the least important columns first.
    for dispensable, needed in (("log10 e", 100), ("shown by", 88), ("kind", 76), ("expected", 60), ("got", 60)):
        if width < needed:
            headings.remove(dispensable)
    for heading in headings:
        numbers = heading in ("expected", "got", "log10 e")
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=heading != "about")
    ordered, known = in_order(report.alerts), notices_known(report)
    for alert in ordered[: top or LINES]:
        cells: dict[str, str | Text] = {
            "kind": words_of(alert.kind, known) + (" (resolved)" if alert.status is Status.RESOLVED else ""),
            "about": Text(shown(alert.subject.name or "the feed"), style="bold"),
            "since": iso(alert.starts_at),
            "shown by": iso(alert.detected_at),
            "expected": _number(expected_of(alert)),
            "got": _number(observed_of(alert)),
            "log10 e": _number(alert.evidence.get("log10_e"), 1),
        }
        table.add_row(*(cells[heading] for heading in headings))
    rest = ordered[top or LINES :]
    if rest:
        years = ", ".join(f"{year}: {len(group)}" for year, group in ends_by_year(rest).items())
        more = f" ({years})" if years else ""
        table.caption = f"{len(rest)} more{more}: --top {len(ordered)}, or --format html"
    return table


def _first(evidence: Evidence, *names: str) -> object:
    """Value of the first of these names that the evidence has; None if none."""
    return next((evidence[name] for name in names if name in evidence), None)


def _number(value: object, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if isinstance(value, (int, float)) else ""
