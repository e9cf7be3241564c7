"""The plots of the page, all folded except the first; each has a table of its numbers, also for screen readers.

They are self-contained SVG: lines over dates, and bars; each with a title and a description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

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
            bar_plot("Share of slots by provider, last period", about, first, percent=True),
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
        yield from _plot(title, bar_plot(title, about, values), [(name, f"{n:.0f}") for name, n in values.items()])


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
        running = ((each["date"], each["running"]) for each in report.boards[1:])
        series["get votes"] = [(date, float(count)) for date, count in running if count is not None]
        about += f"; at the end {last['running']} of them were known to get votes"
    about += "."
    return line_plot("Models on the board", about, series)


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
    return bar_plot("When votes stopped", about, counts)


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
    stretches = report.course[group]
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
        f"{title}, over time", line_plot(f"{title}, over time", about, series, percent=True), [head, *lines]
    )


def _in_words(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items()) + "."


WIDTH, HEIGHT = 480, 260
"""Narrow, so that text stays readable on a phone."""

LEFT, RIGHT, TOP, BOTTOM = 44, 104, 16, 36
NAMES, NUMBERS = 140, 60
"""Widths of the names and the numbers beside horizontal bars."""
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2", "10 4")

Line = Sequence[tuple[str, float]]
"""Pairs of date (as text) and value."""


def line_plot(title: str, about: str, series: Mapping[str, Line], *, percent: bool = False) -> str:
    """Plot lines, each labelled at its end; lines differ in dashes as well as in colour."""
    points = {name: [(_moment(date), value) for date, value in line] for name, line in series.items() if line}
    every = [point for line in points.values() for point in line]
    if not every:
        return ""
    start, end = min(x for x, _ in every), max(x for x, _ in every)
    most = max(max(y for _, y in every), 1e-9)
    top = _round_up(most)

    def x_of(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((x - start) / (end - start) if end > start else 0.5)

    def y_of(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top

    parts = [_frame(top, percent), *(_tick(x_of(x), x) for x in np.linspace(start, end, 3 if end > start else 1))]
    labels = sorted((y_of(line[-1][1]), name) for name, line in points.items())
    places = _apart([y for y, _ in labels])
    for (_, name), place in zip(labels, places, strict=True):
        number = list(points).index(name)
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points[name])
        style = f'class="s{number % 6}" stroke-dasharray="{DASHES[number % 6]}"'
        parts.append(f'<polyline fill="none" stroke-width="2" {style} points="{path}"/>')
        label = escape(shown(name if len(name) < 16 else name[:14] + "…"))
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{place + 4:.1f}" class="t{number % 6}">{label}</text>')
    return _svg(title, about, parts, HEIGHT)


def bar_plot(title: str, about: str, values: Mapping[str, float], *, percent: bool = False) -> str:
    """Plot horizontal bars, one per line, with their numbers."""
    if not values:
        return ""
    most = max(max(values.values()), 1e-9)
    parts = []
    for at, (name, value) in enumerate(values.items()):
        y = TOP + 24 * at
        length = (WIDTH - NAMES - NUMBERS) * value / most
        label = escape(shown(name if len(name) < 21 else name[:19] + "…"))
        number = f"{value:.1%}" if percent else f"{value:,.0f}"
        parts.append(f'<text x="{NAMES - 8}" y="{y + 14}" text-anchor="end">{label}</text>')
        parts.append(f'<rect x="{NAMES}" y="{y + 2}" width="{max(length, 1):.1f}" height="16" class="b"/>')
        parts.append(f'<text x="{NAMES + 6 + length:.1f}" y="{y + 14}">{number}</text>')
    return _svg(title, about, parts, TOP + 24 * len(values) + 8)


def _svg(title: str, about: str, parts: Sequence[str], height: int) -> str:
    name = f"p{abs(_number(title))}"
    head = f'<title id="{name}t">{escape(title)}</title><desc id="{name}d">{escape(shown(about))}</desc>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{name}t {name}d"'
        f' preserveAspectRatio="xMidYMid meet">{head}{"".join(parts)}</svg>'
    )


def _number(text: str) -> int:
    """A checksum of a text that, unlike `hash`, is the same in every process."""
    return sum((at + 1) * ord(each) for at, each in enumerate(text))


def _moment(date: str) -> float:
    return float(np.datetime64(date.removesuffix("Z"), "s").astype(np.int64))


def _frame(top: float, percent: bool) -> str:
    parts = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
        value = f"{top * part:.0%}" if percent else f"{top * part:,.0f}" if top >= 4 else f"{top * part:.2g}"
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    return "".join(parts)


def _tick(x: float, moment: float) -> str:
    date = str(np.datetime64(int(moment), "s"))[:10]
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{date}</text>'


def _round_up(value: float) -> float:
    """Round up to 1, 2, 4, 5 or 10 times a power of ten, which give readable quarters.

    >>> [_round_up(value) for value in (0.27, 190.0, 0.9)]
    [0.4, 200.0, 1.0]
    """
    scale = 10.0 ** np.floor(np.log10(value))
    return float(next(scale * step for step in (1, 2, 4, 5, 10) if scale * step >= value * 0.999))


def _apart(places: Sequence[float], least: float = 15.0) -> list[float]:
    """Move labels down so that they do not overlap."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    over = (moved[-1] - (HEIGHT - BOTTOM)) if moved else 0.0
    return [place - over for place in moved] if over > 0 else moved
