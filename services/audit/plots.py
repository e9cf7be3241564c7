"""The plots of the page, all folded except the first; each has a table of its numbers, also for screen readers."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from services.audit import svg
from streams.audit.board.dates import iso
from streams.audit.report.document import Report
from streams.contracts.alert import Kind
from streams.contracts.names import shown

LINES = 6
"""Maximum number of lines in one plot."""

BARS = 12


def all_plots(report: Report) -> Iterator[str]:
    """All plots that the report has data for."""
    if len(report.boards) > 1:
        yield from _plot("Models on the board", _board(report), _board_numbers(report), opened=True)
        yield from _plot("When votes stopped", _stops(report), _stop_numbers(report))
    if any(name != "unknown" for name in report.shares["provider"]):
        first = dict(list(report.shares["provider"].items())[:BARS])
        about = f"Share of slots since {report.period.window}: " + _in_words(first)
        yield from _plot(
            "Share of slots by provider, last period",
            svg.bars("Share of slots by provider, last period", about, first, percent=True),
            [(name, f"{share:.2%}") for name, share in report.shares["provider"].items()],
        )
    for group, title in (("provider", "Share of slots by provider"), ("license", "Share of slots by licence class")):
        yield from _course(report, group, title)
    lines = report.cutoff["inactive_by_cutoff"]
    if lines and report.period.snapshots > 1:
        values = {f"≤ {each['votes_a_day']:g} a day": float(each["inactive"]) for each in lines}
        title = "Inactive models by the cut-off"
        about = "Listed models that gain no more than so many votes a day: " + ", ".join(
            f"{name} {value:.0f}" for name, value in values.items()
        )
        yield from _plot(title, svg.bars(title, about, values), [(name, f"{n:.0f}") for name, n in values.items()])


def _plot(title: str, drawn: str, numbers: list[tuple[str, ...]], *, opened: bool = False) -> Iterator[str]:
    if not drawn:
        return
    rows = "".join("<tr>" + "".join(f"<td>{escape(shown(cell))}</td>" for cell in row) + "</tr>" for row in numbers)
    yield (
        f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{drawn}"
        f"<details><summary>The numbers</summary>"
        f'<div class="wide"><table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table></div></details>'
        "</details>"
    )


def _board(report: Report) -> str:
    first, last = report.boards[0], report.boards[-1]
    series = {"listed": [(each["date"], float(each["listed"])) for each in report.boards]}
    about = f"Listed models went from {first['listed']} to {last['listed']}"
    if last["running"] is not None:
        # The first snapshot does not show which models get votes: that needs a gain.
        series["get votes"] = [(each["date"], float(each["running"])) for each in report.boards[1:]]
        about += f"; at the end {last['running']} of them were known to get votes"
    about += "."
    return svg.lines("Models on the board", about, series)


_COLUMNS = ("listed", "running", "stopped", "slots")


def _board_numbers(report: Report) -> list[tuple[str, ...]]:
    head = ("date", *_COLUMNS[:-1], "slots gained")
    return [
        head,
        *(
            (each["date"], *(_count(each[name]) for name in ("listed", "running", "stopped", "slots")))
            for each in report.boards
        ),
    ]


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _stops(report: Report) -> str:
    counts = _by_month(report)
    about = "Models whose votes stopped for good, by month: " + ", ".join(f"{m} {n:.0f}" for m, n in counts.items())
    return svg.bars("When votes stopped", about, counts)


def _by_month(report: Report) -> dict[str, float]:
    counts: dict[str, float] = {}
    for alert in report.alerts:
        if alert.kind in (Kind.SILENT_REMOVAL, Kind.UNANNOUNCED_RETIREMENT):
            month = iso(alert.starts_at)[:7]
            counts[month] = counts.get(month, 0.0) + 1
    return dict(sorted(counts.items()))


def _stop_numbers(report: Report) -> list[tuple[str, ...]]:
    return [("month", "models"), *((month, f"{count:.0f}") for month, count in _by_month(report).items())]


def _course(report: Report, group: str, title: str) -> Iterator[str]:
    stretches: list[dict[str, Any]] = report.course[group]
    if len(stretches) < 2 or [*stretches[-1]["shares"]] == ["unknown"]:
        return
    total: dict[str, float] = {}
    for stretch in stretches:
        for name, share in stretch["shares"].items():
            total[name] = total.get(name, 0.0) + share
    names = sorted(total, key=lambda name: (-total[name], name))[:LINES]
    series = {
        name.replace("_", " "): [(each["until"], float(each["shares"].get(name, 0.0))) for each in stretches]
        for name in names
    }
    about = "In the last stretch: " + _in_words({name: line[-1][1] for name, line in series.items()})
    head = ("until", *series)
    lines = [(each["until"], *(f"{each['shares'].get(name, 0):.1%}" for name in names)) for each in stretches]
    yield from _plot(
        f"{title}, over time", svg.lines(f"{title}, over time", about, series, percent=True), [head, *lines]
    )


def _in_words(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items()) + "."
