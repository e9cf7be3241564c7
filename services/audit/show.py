"""Prints a report in the terminal, the main results first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.audit.alerts import alerts_table
from streams.audit.board.remarks import Remark
from streams.audit.report.document import AuditAnswer, Report
from streams.contracts.names import shown

BAR = 24
"""Characters of the longest bar."""

EACH, EXAMPLES = 3, 2
"""Up to `EACH` remarks of one kind are all shown; of more, `EXAMPLES` are shown as examples."""

VERDICTS = {"shown": "the data show it", "partly": "the data show a part", "cannot_say": "the data cannot say"}


def show_report(console: Console, report: Report, top: int | None = None) -> None:
    """Print a report; `top` limits the length of its tables."""
    for part in _parts(report, console.width, top):
        console.print(part)


def _parts(report: Report, width: int, top: int | None) -> Iterator[RenderableType]:
    period = report.period
    what = "published snapshots" if report.kind == "snapshots" else "votes"
    yield Text(f"Audit of {shown(report.source)}", style="bold")
    yield Text(
        f"{what}, {period.start} to {period.end}: {period.snapshots} snapshots, {report.counts.models} models",
        style="dim",
    )
    yield ""
    yield from _sentences(report.headline, "• ")
    if report.alerts:
        yield from _titled("Alerts", alerts_table(report, width, top))
    when = "at the end" if period.live_until == period.end else f"at the end, judged up to {period.live_until}"
    yield from _titled(f"Models {when}", _counts(report))
    if any(name != "unknown" for name in report.shares["provider"]):
        yield from _titled("Share of slots, by provider", _bars(report.shares["provider"], top or 12))
        yield from _titled("Share of slots, by licence class", _bars(report.shares["license"], None))
        yield from _sentences([f"This is the {report.shares_basis}."], "  ")
    if report.counts.active is None and period.snapshots > 1:
        yield from _titled("Listings, by provider", _listings(report.listings["provider"], top or 12))
    if report.cutoff["inactive_by_cutoff"] and period.snapshots > 1:
        swept = ", ".join(
            f"≤ {each['votes_a_day']:g}: {each['inactive']}" for each in report.cutoff["inactive_by_cutoff"]
        )
        yield from _titled("Inactive models by the cut-off, votes a day", Padding(Text(swept), (0, 2)))
    yield from _answers("Four findings", report.findings)
    yield from _answers("Five demands", report.demands)
    if report.pauses:
        lines = [
            f"{each['model']}: no votes from {each['from']} to {each['until']} (about {each['expected']:,.0f} expected)"
            for each in report.pauses
        ]
        yield from _titled("Off for a while, and back", *_sentences(lines[: top or None], "  • "))
    if report.remarks:
        yield from _titled("About the feed, not about models", *_sentences(remark_lines(report.remarks), "  • "))
    yield from _titled("What this cannot say", *_sentences(report.cannot_say, "  • "))


def remark_lines(remarks: Sequence[Remark]) -> list[str]:
    """A line for each remark; many remarks of one kind share a line with their number, dates and examples."""
    groups: dict[str, list[Remark]] = {}
    for each in remarks:
        groups.setdefault(each.kind.value, []).append(each)
    said = []
    for kind, group in groups.items():
        lines = [f"{each.date + ': ' if each.date else ''}{each.text}" for each in group]
        if len(group) <= EACH:
            said += lines
            continue
        dates = sorted(date for each in group for date in (each.date, each.until) if date)
        span = f", {dates[0]} to {dates[-1]}" if dates else ""
        examples = " ".join(lines[:EXAMPLES])
        said.append(
            f"{kind.replace('_', ' ').capitalize()}: {len(group):,} times{span}; all are in the JSON. {examples}"
        )
    return said


def _titled(title: str, *parts: RenderableType) -> Iterator[RenderableType]:
    yield ""
    yield Text(title, style="bold")
    yield from parts


def _sentences(sentences: Iterable[str], mark: str) -> Iterator[RenderableType]:
    """Sentences with a mark in front, wrapped with a hanging indent."""
    for each in sentences:
        line = Table.grid(padding=0)
        line.add_column(width=len(mark), no_wrap=True)
        line.add_column()
        line.add_row(mark, Text(shown(each)))
        yield line


def _counts(report: Report) -> Table:
    counts = report.counts
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    no_registry, no_votes = "unknown: no registry", "unknown: no total of votes"
    cutoff = report.cutoff["votes_a_day"]
    quiet = "" if cutoff is None else f"at most {cutoff:g} votes a day since {report.period.window}, or stopped"
    lines: list[tuple[str, int | None, str]] = [
        ("listed", counts.listed, ""),
        ("active", counts.active, ""),
        ("inactive", counts.inactive, quiet),
        ("gone from the board", counts.gone, ""),
        *([("beyond what is shown", counts.beyond, "below the deepest row")] if counts.beyond else []),
        ("stopped in the file", counts.stopped, "had votes, and have none any more"),
        ("inactive without notice", counts.inactive_without_notice, ""),
        ("deprecated", counts.deprecated, ""),
        ("retired", counts.retired, ""),
        ("former names followed", counts.renamed, ""),
    ]
    why = {"active": no_votes, "inactive": no_votes, "stopped in the file": no_votes}
    if counts.active is not None:
        why["stopped in the file"] = "unknown: no span could be judged"
    for name, count, note in lines:
        unknown = why.get(name, no_registry)
        table.add_row(f"  {name}", "–" if count is None else f"{count:,}", unknown if count is None else note)
    return table


def _listings(groups: dict[str, dict[str, int]], most: int) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("", max_width=28, no_wrap=True, overflow="ellipsis")
    names = ("listed", "arrived", "left", "returned")
    for name in names:
        table.add_column(name, justify="right")
    for group, counts in list(groups.items())[:most]:
        table.add_row(shown(group), *(f"{counts[name]:,}" for name in names))
    if len(groups) > most:
        rest = list(groups.values())[most:]
        table.add_row(f"{len(rest)} others", *(f"{sum(counts[name] for counts in rest):,}" for name in names))
    return table


def _bars(shares: dict[str, float], most: int | None) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(max_width=28, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right")
    table.add_column(style="cyan", no_wrap=True)
    largest = list(shares.items())[:most]
    scale = max((share for _, share in largest), default=0.0) or 1.0
    for name, share in largest:
        label = Text(f"  {shown(name)}".replace("_", " "))
        table.add_row(label, f"{share:.1%}", "█" * round(BAR * share / scale))
    rest = list(shares.items())[len(largest) :]
    if rest:
        table.add_row(f"  {len(rest)} others", f"{sum(share for _, share in rest):.1%}", "")
    return table


def _answers(title: str, answers: list[AuditAnswer]) -> Iterator[RenderableType]:
    yield ""
    yield Text(title, style="bold")
    for number, answer in enumerate(answers, 1):
        line = Text(f"  {number}. {answer.title}")
        line.append(f"  ({VERDICTS[answer.verdict]})", style="dim")
        yield line
        yield from _sentences(answer.says, "     ")
