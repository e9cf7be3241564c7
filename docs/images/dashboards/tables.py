"""Draws a table panel: its answers joined by their labels, then named, ordered and sorted as the panel says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from docs.images.dashboards.answers import Curve, Span
from docs.images.dashboards.look import FAINT, GRID, NAMED, TEXT, Box, Picture, short, threshold_colour
from docs.images.dashboards.units import written

Row = dict[str, str | float]
_LINE = 23


def grid(picture: Picture, box: Box, panel: Mapping[str, Any], curves: Sequence[Curve], span: Span) -> None:
    """As many rows as there is room for."""
    heads, rows = joined(panel, curves)
    special = {
        each["matcher"]["options"]: {property_["id"]: property_["value"] for property_ in each["properties"]}
        for each in panel["fieldConfig"]["overrides"]
    }
    room = int((box.height - 62) / _LINE)
    shares = [1.6 if head in ("Model", "Name", "Kind", "Since") else 1.0 for head in heads]
    edges = [box.x + 12 + (box.width - 24) * sum(shares[:place]) / sum(shares) for place in range(len(heads) + 1)]
    for place, head in enumerate(heads):
        right = head in special
        x = edges[place + 1] - 10 if right else edges[place]
        most = int((edges[place + 1] - edges[place]) / 6)
        picture.text(
            x, box.y + 42, short(head, most), fontsize=8.5, color=NAMED["blue"], ha="right" if right else "left"
        )
    for line, row in enumerate(rows[:room]):
        y = box.y + 66 + line * _LINE
        axes = picture.axes(Box(box.x + 8, y - _LINE / 2, box.width - 16, 1))
        axes.set_axis_off()
        axes.axhline(0, color=GRID, linewidth=1)
        for place, head in enumerate(heads):
            how, value = special.get(head, {}), row.get(head, "")
            colour = TEXT
            if isinstance(value, float):
                if "thresholds" in how and math.isfinite(value):
                    colour = threshold_colour(how["thresholds"]["steps"], value)
                words = written(value, how.get("unit", "short"), how.get("decimals"))
            else:
                words = value
                colour = NAMED["red"] if value in ("critical", "removed") else TEXT
            right = head in special
            most = int((edges[place + 1] - edges[place]) / 6)
            x = edges[place + 1] - 10 if right else edges[place]
            picture.text(x, y, short(words, most), fontsize=8.5, color=colour, ha="right" if right else "left")
    if len(rows) > room:
        picture.text(box.x + box.width - 12, box.y + 15, f"{len(rows)} rows", fontsize=8, color=FAINT, ha="right")


def joined(panel: Mapping[str, Any], curves: Sequence[Curve]) -> tuple[list[str], list[Row]]:
    """Titles and rows of the table, after the panel's own transformations."""
    (organize,) = (each["options"] for each in panel["transformations"] if each["id"] == "organize")
    (sort,) = (each["options"]["sort"][0] for each in panel["transformations"] if each["id"] == "sortBy")
    names: dict[str, str] = organize["renameByName"]
    heads = [names[name] for name in sorted(names, key=lambda name: organize["indexByName"][name])]
    rows: dict[tuple[tuple[str, str], ...], Row] = {}
    for curve in curves:
        key = tuple(sorted((label, value) for label, value in curve.labels.items() if label in names))
        row = rows.setdefault(key, {names[label]: value for label, value in key})
        row[names[f"Value #{curve.ref}"]] = curve.last

    def order(row: Row) -> tuple[bool, Any]:
        value = row.get(sort["field"], math.nan)
        missing = isinstance(value, float) and math.isnan(value)
        return (missing is not sort["desc"], value)

    return heads, sorted(rows.values(), key=order, reverse=sort["desc"])
