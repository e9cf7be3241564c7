"""How panels look: the colours of Grafana's dark theme, and the frame of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.textpath import TextPath

CANVAS, PANEL, BORDER, GRID = "#111217", "#181b1f", "#25282e", "#2a2d33"
TEXT, FAINT = "#ccccdc", "#8e8f99"
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "text": TEXT}
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff9830", "#f2495c", "#5794f2", "#b877d9", "#96d98d", "#ffb357", "#fade2a")
COLUMNS, UNIT, GAP = 24, 28, 4
"""Of Grafana's grid: how many, the height of one, and the space between two panels, pixels."""
WIDTH, DPI = 1500, 100


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the picture, in pixels from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def inner(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Leave so much on each side."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


class Picture:
    """A figure that is drawn on in pixels."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor=CANVAS)

    def axes(self, box: Box) -> Axes:
        """Make axes at a place."""
        left, bottom = box.x / WIDTH, 1 - (box.y + box.height) / self.height
        axes = self.figure.add_axes(
            (left, bottom, box.width / WIDTH, box.height / self.height), facecolor="none", zorder=2
        )
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(colors=FAINT, labelsize=8, length=0, pad=3)
        return axes

    def text(self, x: float, y: float, words: str, **given: Any) -> None:
        """Write at a place."""
        style = {"zorder": 3, "color": TEXT, "fontsize": 9, "va": "center", **given}
        self.figure.text(x / WIDTH, 1 - y / self.height, words.replace("$", r"\$"), **style)

    def width(self, words: str, size: float) -> float:
        """How wide words are, pixels."""
        return float(TextPath((0, 0), words.replace("$", r"\$"), size=size * DPI / 72).get_extents().width)

    def panel(self, box: Box, title: str) -> None:
        """Draw the frame and title of a panel."""
        patch = FancyBboxPatch(
            (box.x / WIDTH, 1 - (box.y + box.height) / self.height),
            box.width / WIDTH,
            box.height / self.height,
            boxstyle="round,pad=0,rounding_size=0.002",
            facecolor=PANEL,
            edgecolor=BORDER,
            linewidth=0.8,
            transform=self.figure.transFigure,
        )
        self.figure.add_artist(patch)
        self.text(box.x + 10, box.y + 15, short(title, int(box.width / 6.6)), fontweight="bold", fontsize=8.5)


def place(at: dict[str, int], top: float) -> Box:
    """Where a place of Grafana's grid is."""
    cell = (WIDTH - GAP) / COLUMNS
    return Box(GAP + at["x"] * cell, top + at["y"] * UNIT, at["w"] * cell - GAP, at["h"] * UNIT - GAP)


def threshold_colour(steps: Sequence[dict[str, Any]], value: float) -> str:
    """The colour that holds for a value."""
    found = steps[0]["color"] if steps else "text"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return NAMED[found]


def short(words: str, most: int) -> str:
    """Cut what is too long.

    >>> short("a long name", 6)
    'a lon…'
    """
    return words if len(words) <= most else words[: max(1, most - 1)] + "…"
