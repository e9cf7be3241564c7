"""Draws curves, single numbers, bars and bands as Grafana would, with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from docs.images.dashboards.answers import Curve, Span
from docs.images.dashboards.look import FAINT, GRID, NAMED, PALETTE, TEXT, Box, Picture, short, threshold_colour
from docs.images.dashboards.units import scale_of, written

Panel = Mapping[str, Any]
_LEGEND_ROW, _LEGEND_SIZE, _NAME = 16, 8, 34


def number(picture: Picture, box: Box, panel: Panel, curves: Sequence[Curve], span: Span) -> None:
    """One number and its recent course."""
    defaults = panel["fieldConfig"]["defaults"]
    value = curves[0].last if curves else math.nan
    colour = threshold_colour(defaults["thresholds"]["steps"], value)
    words = written(value, defaults.get("unit", "short"), defaults.get("decimals")) if curves else defaults["noValue"]
    picture.text(box.x + box.width / 2, box.y + 54, words, color=colour, fontsize=20, ha="center", fontweight="bold")
    if curves and len(curves[0].values) > 1:
        axes = picture.axes(Box(box.x + 1, box.y + box.height - 34, box.width - 2, 33))
        axes.set_axis_off()
        axes.set_xlim(span.start, span.end)
        values = np.array(curves[0].values)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        room = (high - low) or 1.0
        axes.set_ylim(low - 0.15 * room, high + 0.25 * room)
        axes.plot(curves[0].times, values, color=colour, linewidth=1.1)
        axes.fill_between(curves[0].times, values, low - 0.15 * room, color=colour, alpha=0.18, linewidth=0)


def lines(picture: Picture, box: Box, panel: Panel, curves: Sequence[Curve], span: Span) -> None:
    """Curves over time, stacked where the panel says so, with their legend below."""
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults.get("custom", {})
    special = {each["matcher"]["options"]: _properties(each) for each in panel["fieldConfig"]["overrides"]}
    curves = sorted(curves, key=lambda curve: (curve.ref, curve.name)) if len(curves) > 12 else curves
    colours, next_colour = {}, iter(PALETTE * 10)
    for curve in curves:
        fixed = special.get(curve.name, {}).get("color")
        colours[curve.name] = NAMED[fixed["fixedColor"]] if fixed else next(next_colour)
    shown = list(dict.fromkeys(curve.name for curve in curves))
    rows = _legend_rows(picture, shown, box.width - 24)
    inner = box.inner(60, 32, 14, 26 + _LEGEND_ROW * len(rows))
    axes = picture.axes(inner)
    _time_axis(axes, span, inner.width)
    axes.grid(True, color=GRID, linewidth=0.7)
    unit, decimals = defaults.get("unit", "short"), defaults.get("decimals")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit, decimals)))
    if custom.get("stacking", {}).get("mode") == "normal":
        _stacked(axes, curves, colours)
    else:
        _single(axes, curves, colours, special)
    _value_axis(axes, curves, defaults)
    _legend(picture, box, rows, colours, special)


def bars(picture: Picture, box: Box, panel: Panel, curves: Sequence[Curve], span: Span) -> None:
    """One horizontal bar for each series."""
    defaults = panel["fieldConfig"]["defaults"]
    ordered = sorted(curves, key=lambda curve: -curve.last)
    most = max([curve.last for curve in ordered if math.isfinite(curve.last)], default=1.0) or 1.0
    height = (box.height - 42) / max(1, len(ordered))
    for row, curve in enumerate(ordered):
        y = box.y + 34 + (row + 0.5) * height
        picture.text(box.x + 12, y, short(curve.name, 20), fontsize=8.5)
        colour = threshold_colour(defaults["thresholds"]["steps"], curve.last)
        left, width = box.x + 140, box.width - 205
        axes = picture.axes(Box(left, y - 0.32 * height, width, 0.64 * height))
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.barh(0.5, 1, height=1, color=GRID)
        axes.barh(0.5, max(0.0, curve.last) / most, height=1, color=colour)
        words = written(curve.last, defaults.get("unit", "short"), defaults.get("decimals"))
        picture.text(box.x + box.width - 12, y, words, fontsize=8.5, ha="right", color=colour)


def bands(picture: Picture, box: Box, panel: Panel, curves: Sequence[Curve], span: Span) -> None:
    """One band over time for each series; its colour is what its value means."""
    meaning = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    inner = box.inner(158, 32, 14, 28)
    axes = picture.axes(inner)
    _time_axis(axes, span, inner.width)
    axes.set_yticks(range(len(curves)), [short(curve.name, 24) for curve in curves])
    axes.set_ylim(len(curves) - 0.5, -0.5)
    for row, curve in enumerate(curves):
        start = 0
        for place in range(1, len(curve.values) + 1):
            if place == len(curve.values) or curve.values[place] != curve.values[start]:
                end = curve.times[place] if place < len(curve.times) else min(span.end, curve.times[-1] + span.step)
                known = meaning.get(f"{curve.values[start]:g}")
                colour = NAMED[known["color"]] if known else FAINT
                faint = known is not None and known["color"] == "text"
                axes.broken_barh(
                    [(curve.times[start], end - curve.times[start])],
                    (row - 0.38, 0.76),
                    color=FAINT if faint else colour,
                    alpha=0.2 if faint else 0.85,
                    linewidth=0,
                )
                start = place


def _stacked(axes: Axes, curves: Sequence[Curve], colours: Mapping[str, str]) -> None:
    times = sorted({time for curve in curves for time in curve.times})
    below = np.zeros(len(times))
    for curve in curves:
        at = dict(zip(curve.times, curve.values, strict=True))
        values = np.array([at.get(time, math.nan) for time in times])
        top = below + np.nan_to_num(values)
        axes.fill_between(times, below, top, color=colours[curve.name], alpha=0.28, linewidth=0, where=top > below)
        axes.plot(times, np.where(np.isfinite(values), top, math.nan), color=colours[curve.name], linewidth=1.2)
        below = top


def _single(
    axes: Axes, curves: Sequence[Curve], colours: Mapping[str, str], special: Mapping[str, Mapping[str, Any]]
) -> None:
    by_name = {curve.name: curve for curve in curves}
    for curve in curves:
        how = special.get(curve.name, {})
        lower = by_name.get(how.get("custom.fillBelowTo", ""))
        if lower is not None and lower.times == curve.times:
            axes.fill_between(curve.times, lower.values, curve.values, color=PALETTE[5], alpha=0.25, linewidth=0)
        if how.get("custom.lineWidth") == 0:
            continue
        dashes = (0, (5, 3)) if "custom.lineStyle" in how else "solid"
        axes.plot(curve.times, curve.values, color=colours[curve.name], linewidth=1.4, linestyle=dashes)


def _properties(override: Mapping[str, Any]) -> dict[str, Any]:
    return {each["id"]: each["value"] for each in override["properties"]}


def _value_axis(axes: Axes, curves: Sequence[Curve], defaults: Mapping[str, Any]) -> None:
    """From the panel's minimum, or as far as it takes; ticks at round numbers of the unit that is written."""
    low, high = axes.get_ylim()
    values = [value for curve in curves for value in curve.values if math.isfinite(value)]
    if "min" in defaults and min(values, default=0.0) >= defaults["min"]:
        low = defaults["min"]
        high = high if max(values, default=0.0) > low else low + 1
    high += 0.05 * (high - low)
    axes.set_ylim(low, high)
    scale = scale_of(high, defaults.get("unit", "short"))
    ticks = [scale * tick for tick in MaxNLocator(5, min_n_ticks=3).tick_values(low / scale, high / scale)]
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])


def _time_axis(axes: Axes, span: Span, width: float) -> None:
    axes.set_xlim(span.start, span.end)
    ticks = MaxNLocator(max(2, min(6, int(width / 80)))).tick_values(span.start, span.end)
    room = 30 * (span.end - span.start) / width  # half of a time, written
    axes.set_xticks([tick for tick in ticks if span.start <= tick <= span.end - room])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"))


def _legend_rows(picture: Picture, names: Sequence[str], width: float) -> list[list[str]]:
    """Names laid out in at most three rows; what does not fit is counted."""
    rows: list[list[str]] = [[]]
    used = 0.0
    for place, name in enumerate(names):
        need = _entry(picture, name)
        if used + need > width:
            if len(rows) == 3:
                rows[-1][-1:] = [f"and {len(names) - place + 1} more"]
                break
            rows.append([])
            used = 0.0
        rows[-1].append(name)
        used += need
    return rows


def _entry(picture: Picture, name: str) -> float:
    """Room that a name takes in the legend, its mark and the space after it included."""
    return 30 + picture.width(short(name, _NAME), _LEGEND_SIZE)


def _legend(
    picture: Picture,
    box: Box,
    rows: Sequence[Sequence[str]],
    colours: Mapping[str, str],
    special: Mapping[str, Mapping[str, Any]],
) -> None:
    for number, row in enumerate(rows):
        y = box.y + box.height - 12 - _LEGEND_ROW * (len(rows) - 1 - number)
        x = box.x + 14.0
        for name in row:
            hidden = special.get(name, {}).get("custom.lineWidth") == 0
            colour = PALETTE[5] if hidden else colours.get(name, FAINT)
            if name in colours:
                picture.text(x, y, "▬", color=colour, fontsize=_LEGEND_SIZE)
            picture.text(x + 15, y, short(name, _NAME), color=TEXT, fontsize=_LEGEND_SIZE)
            x += _entry(picture, name)
