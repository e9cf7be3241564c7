"""Rows of the result (a figure, its bound and the verdict), as a table for the terminal and as markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound of a figure; `least` and `most` are inclusive."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether the value is within the bound."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        parts = [f"≥ {number(self.least)}"] if self.least is not None else []
        return ", ".join(parts + ([f"≤ {number(self.most)}"] if self.most is not None else []))


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Parameters
    ----------
    line
        Letter of the acceptance line.
    what
        What was measured.
    value
        The figure; None when it could not be measured, and `note` says why.
    unit
        Unit of the figure.
    bound
        Bound of the figure; None for a figure without a bound.
    note
        Spread over the rounds, and other remarks.
    """

    line: str
    what: str
    value: float | None
    unit: str
    bound: Bound | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, `FAILED` (not measured), or empty without a bound."""
        if self.value is None:
            return "FAILED"
        if self.bound is None:
            return ""
        return "ok" if self.bound.holds(self.value) else "MISSED"

    def cells(self) -> list[str]:
        """The row as text."""
        value = "-" if self.value is None else f"{number(self.value)} {self.unit}".strip()
        return [self.line, self.what, value, str(self.bound or ""), self.verdict, self.note]


HEADINGS = ("line", "what", "figure", "bound", "", "note")
_STYLES = {"ok": "green", "MISSED": "bold red", "FAILED": "bold red"}


def number(value: float) -> str:
    """Three significant digits, thousands separated.

    >>> number(1234567.0), number(98.76), number(0.5432), number(12.0)
    ('1,230,000', '98.8', '0.543', '12')
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 or rounded == int(rounded) else f"{rounded:g}"


def over_rounds(
    line: str,
    what: str,
    values: Sequence[float],
    unit: str,
    bound: Bound | None = None,
    note: str = "",
    middle: Callable[[Sequence[float]], float] = statistics.median,
) -> Row:
    """A row with the median of the rounds; the note has their spread."""
    spread = f"{number(min(values))} to {number(max(values))} in {len(values)} rounds" if len(values) > 1 else ""
    return Row(line, what, middle(values), unit, bound, "; ".join(filter(None, [spread, note])))


def table(rows: Iterable[Row]) -> Table:
    """The rows as a table for the terminal."""
    result = Table(*HEADINGS)
    for row in rows:
        result.add_row(*row.cells(), style=_STYLES.get(row.verdict))
    return result


def markdown(rows: Sequence[Row], facts: Sequence[tuple[str, str]], command: str) -> str:
    """The page `docs/benchmarks.md`."""
    lines = [
        "# Benchmarks",
        "",
        f"Written by `{command}`.",
        "All figures are of real processes on loopback. A ratio is to the peer in the same run, taken in turns, and is",
        "the median of the rounds. What each line starts and counts is in `tests/bench/`.",
        "",
        "| machine | |",
        "| --- | --- |",
        *(f"| {name} | {_cell(fact)} |" for name, fact in facts),
        "",
        "| line | what | figure | bound | | note |",
        "| --- | --- | --: | --- | --- | --- |",
        *("| " + " | ".join(map(_cell, row.cells())) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
