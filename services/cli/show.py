"""A board as a person reads it in a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.contracts.names import shown
from streams.contracts.view import Board, RatedModel

WIDTH = 24
"""Characters of the picture of the intervals."""


def board_table(board: Board, top: int | None = None, title: str | None = None, width: int = 120) -> Table:
    """Lay a board out as a table of at most `width` characters, with each interval drawn to a common scale."""
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
    # What a narrow terminal can best do without goes first.
    for dispensable, needed in (("Davidson", 118), ("Elo", 106), ("", 96)):
        if width < needed:
            columns.remove(dispensable)
    for heading in columns:
        table.add_column(heading, justify="left" if heading in ("model", "") else "right", no_wrap=True)
    scaled = [line for line in lines if not line.provisional] or lines
    low = min((line.lower for line in scaled), default=0.0)
    high = max((line.upper for line in scaled), default=1.0)
    for line in lines:
        cells: dict[str, str | Text] = {
            "rank": "–" if line.rank is None else str(line.rank),
            "model": Text(shown(line.model), style="dim" if line.provisional else ""),
            "rating": f"{line.rating:.1f}",
            "95 %": f"±{(line.upper - line.lower) / 2:.1f}",
            "": _whisker(line, low, high),
            "Davidson": "" if line.davidson is None else f"{line.davidson:.1f}",
            "Elo": f"{line.elo:.1f}",
            "votes": f"{line.votes:,}",
        }
        table.add_row(*(cells[heading] for heading in columns))
    return table


def console_of(stream: Any = None) -> Console:
    """A console that is wide where its output is not read on a terminal; brackets and colons are what they are."""
    console = Console(file=stream, markup=False, emoji=False)
    return console if console.is_terminal else Console(file=stream, markup=False, emoji=False, width=120)


def _whisker(line: RatedModel, low: float, high: float) -> Text:
    scale = (WIDTH - 1) / (high - low or 1.0)

    def place(value: float) -> int:
        return min(WIDTH - 1, max(0, round((value - low) * scale)))

    cells = [" "] * WIDTH
    for at in range(place(line.lower), place(line.upper) + 1):
        cells[at] = "─"
    cells[place(line.rating)] = "●"
    return Text("".join(cells), style="dim" if line.provisional else "cyan")


def _caption(board: Board, ranked: int, lines: int) -> str:
    solver = board.solver
    parts = [f"{lines} of {len(board.models)} models"] if lines < len(board.models) else []
    if solver.provisional:
        parts.append(f"{solver.provisional} provisional (–): not ranked, see `reason`")
    parts.append(f"{ranked} ranked, {solver.components} component{'s' if solver.components != 1 else ''}")
    parts.append(f"gradient {solver.gradient_norm:.0e}")
    return "; ".join(parts)
