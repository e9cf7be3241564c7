"""Format a board as a table for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.contracts.names import shown
from streams.contracts.view import Board, RatedModel

WIDTH = 24
"""Width of the drawn intervals, in characters."""
LOPSIDED = 0.1
"""An interval is written as ± if its middle is at most this fraction of its half width away from the rating."""


def board_table(board: Board, top: int | None = None, title: str | None = None, width: int = 120) -> Table:
    """Format a board as a table of at most `width` characters, with the intervals drawn to a common scale."""
    ranked = [line for line in board.models if not line.provisional]
    lines = board.models[:top] if top else board.models
    table = Table(
        title=Text(shown(title or f"{board.arena} · {board.board} · {board.votes:,} votes")),
        caption=_caption(board, len(ranked), len(lines)),
        title_justify="left",
        caption_justify="left",
        header_style="bold",
    )
    columns = ["rank", "model", "rating", "95 %", "", "Davidson", "Elo", "votes"]
    # On a narrow terminal, drop the least important columns first.
    for dispensable, needed in (("Davidson", 118), ("Elo", 106), ("", 96)):
        if width < needed:
            columns.remove(dispensable)
    for heading in columns:
        table.add_column(heading, justify="left" if heading in ("model", "") else "right", no_wrap=True)
    scaled = [line for line in lines if not line.provisional] or lines
    low = min((line.rating if line.lower is None else line.lower for line in scaled), default=0.0)
    high = max((line.rating if line.upper is None else line.upper for line in scaled), default=1.0)
    for line in lines:
        cells: dict[str, str | Text] = {
            "rank": "–" if line.rank is None else str(line.rank),
            "model": Text(shown(line.model), style="dim" if line.provisional else ""),
            "rating": f"{line.rating:.1f}",
            "95 %": interval_text(line),
            "": _whisker(line, low, high),
            "Davidson": "" if line.davidson is None else f"{line.davidson:.1f}",
            "Elo": f"{line.elo:.1f}",
            "votes": f"{line.votes:,}",
        }
        table.add_row(*(cells[heading] for heading in columns))
    return table


def interval_text(line: RatedModel) -> str:
    """Format the interval: ± half width, both ends if the rating is not in the middle, or the one end that exists.

    >>> line = RatedModel("ash-2", None, 1100.0, 1010.4, None, None, 1000.0, 1, 1, provisional=True)
    >>> interval_text(line)
    '≥ 1,010'
    """
    lower, upper = line.lower, line.upper
    if lower is None or upper is None:
        return "unknown" if lower is upper else f"≤ {upper:,.0f}" if lower is None else f"≥ {lower:,.0f}"
    half = (upper - lower) / 2
    middle = abs((upper + lower) / 2 - line.rating) <= max(LOPSIDED * half, 0.05)
    return f"±{half:.1f}" if middle else f"{lower:,.0f} to {upper:,.0f}"


def console_of(stream: TextIO | None = None) -> Console:
    """Make a console, 120 characters wide if the output is no terminal; it prints markup and emoji codes literally."""
    console = Console(file=stream, markup=False, emoji=False)
    return console if console.is_terminal else Console(file=stream, markup=False, emoji=False, width=120)


def _whisker(line: RatedModel, low: float, high: float) -> Text:
    scale = (WIDTH - 1) / (high - low or 1.0)

    def place(value: float) -> int:
        return min(WIDTH - 1, max(0, round((value - low) * scale)))

    cells = [" "] * WIDTH
    first = 0 if line.lower is None else place(line.lower)
    last = WIDTH - 1 if line.upper is None else place(line.upper)
    cells[first : last + 1] = "─" * (last + 1 - first)
    cells[place(line.rating)] = "●"
    return Text("".join(cells), style="dim" if line.provisional else "cyan")


def _caption(board: Board, ranked: int, lines: int) -> str:
    solver, gauge = board.solver, board.gauge
    parts = [f"{lines} of {len(board.models)} models"] if lines < len(board.models) else []
    if solver.provisional:
        why = Counter(line.reason or "unknown" for line in board.models if line.provisional)
        told = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(why.items()))
        parts.append(f"{solver.provisional} provisional (–): not ranked ({told})")
    parts.append(f"{ranked} ranked, {solver.components} component{'s' if solver.components != 1 else ''}")
    parts.append(f"gradient {solver.gradient_norm:.0e}")
    if solver.least_votes is not None:
        parts.append(f"ranked from {solver.least_votes:g} votes against ranked models")
    if solver.davidson_withheld == "no_maximum":
        parts.append("no Davidson ratings: their likelihood has no maximum")
    elif solver.davidson_withheld == "not_converged":
        parts.append("no Davidson ratings: their maximum was not reached")
    if gauge and gauge.applied:
        single = len(gauge.anchors) == 1
        what = shown(gauge.anchors[0]) if single else f"the mean of {len(gauge.anchors)} anchors"
        parts.append(f"{what} is at {gauge.rating:g}, intervals are of the difference to it")
    elif gauge:
        parts.append(f"not anchored: {', '.join(map(shown, gauge.unranked))} is not ranked here")
    return "; ".join(parts)
