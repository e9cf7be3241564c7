"""Self-contained SVG plots: lines over dates, and bars; each with a title and a description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from streams.contracts.names import shown

WIDTH, HEIGHT = 480, 260
"""Narrow, so that text stays readable on a phone."""

LEFT, RIGHT, TOP, BOTTOM = 44, 104, 16, 36
NAMES, NUMBERS = 140, 60
"""Widths of the names and the numbers beside horizontal bars."""
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2", "10 4")

Line = Sequence[tuple[str, float]]
"""Pairs of date (as text) and value."""


def lines(title: str, about: str, series: Mapping[str, Line], *, percent: bool = False) -> str:
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


def bars(title: str, about: str, values: Mapping[str, float], *, percent: bool = False) -> str:
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
