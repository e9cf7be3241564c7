"""A report as one page of HTML that needs nothing else: plots, tables, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from services.audit import plots
from services.audit.show import VERDICTS
from services.audit.style import CSS
from streams.audit.dates import iso
from streams.audit.report import Answer, Report
from streams.contracts.names import shown


def page(report: Report) -> str:
    """Write the page."""
    title = f"Audit of {_text(report.source)}"
    body = [
        f"<h1>{title}</h1>",
        f'<p class="dim">{_about(report)}</p>',
        f'<div class="head">{_list(report.headline)}</div>',
        _cards(report),
        *plots.all_plots(report),
        _alerts(report),
        "<h2>Four findings</h2>",
        *(_answer(number, answer) for number, answer in enumerate(report.findings, 1)),
        "<h2>Five demands</h2>",
        *(_answer(number, answer) for number, answer in enumerate(report.demands, 1)),
        _models(report),
        _named("Off for a while, and back", report.pauses),
        _named("Gone from the board", report.gone),
        _named("Changes of name", report.renames),
        _remarks(report),
        "<h2>What this cannot say</h2>",
        _list(report.cannot_say),
        "<h2>How it was judged</h2>",
        table("Method", [{"": name.replace("_", " "), "value": value} for name, value in report.method.items()]),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head>\n<body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main></body></html>\n"
    )


def table(caption: str, rows: Sequence[dict[str, Any]]) -> str:
    """A table of rows with the same keys; numbers stand to the right."""
    if not rows:
        return ""
    names = list(rows[0])
    numeric = {name for name in names if all(isinstance(row[name], (int, float)) for row in rows)}

    def cell(tag: str, name: str, value: object) -> str:
        kind = ' class="n"' if name in numeric else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{kind}{scope}>{_text(_shown(value))}</{tag}>"

    head = "".join(cell("th", name, name.replace("_", " ")) for name in names)
    lines = "".join("<tr>" + "".join(cell("td", name, row[name]) for name in names) + "</tr>" for row in rows)
    return (
        f'<div class="wide"><table><caption>{_text(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _about(report: Report) -> str:
    period = report.period
    what = "Published snapshots" if report.kind == "snapshots" else "Votes"
    return f"{what}, {period.start} to {period.end}; {period.snapshots} snapshots; judged up to {period.live_until}."


def _cards(report: Report) -> str:
    counts = report.counts
    cards = (
        ("models", counts.models),
        ("active", counts.active),
        ("inactive", counts.inactive),
        ("gone", counts.gone),
        *([("beyond what is shown", counts.beyond)] if counts.beyond else []),
        ("inactive without notice", counts.inactive_without_notice),
        ("former names", counts.renamed),
    )
    lines = "".join(f"<li><b>{'unknown' if count is None else f'{count:,}'}</b>{name}</li>" for name, count in cards)
    return f'<ul class="cards">{lines}</ul>'


def _alerts(report: Report) -> str:
    if not report.alerts:
        return "<h2>Alerts</h2><p>None.</p>"
    rows = [
        {
            "about": alert.subject.name or "the feed",
            "kind": alert.kind.value.replace("_", " "),
            "severity": alert.severity.value,
            "status": alert.status.value,
            "since": iso(alert.starts_at),
            "shown by": iso(alert.detected_at),
            "what": alert.summary,
        }
        for alert in report.alerts
    ]
    return "<h2>Alerts</h2>" + table(f"{len(rows)} alerts", rows)


def _answer(number: int, answer: Answer) -> str:
    tag = f'<span class="tag">({VERDICTS[answer.verdict]})</span>'
    return f"<h3>{number}. {_text(answer.title)} {tag}</h3>{_list(answer.says)}"


def _models(report: Report) -> str:
    rows = [
        {
            "model": each.model if each.renamed_to is None else f"{each.model} → {each.renamed_to}",
            "provider": each.provider,
            "licence": each.license or "–",
            "state": each.state,
            "since": each.since or "–",
            "last seen": each.last_seen,
            "votes": "–" if each.votes is None else f"{each.votes:,}",
            "a day": "–" if each.votes_a_day is None else f"{each.votes_a_day:,.1f}",
            "notice": each.notice or "–",
        }
        for each in report.models
    ]
    inner = table(f"{len(rows)} names", rows)
    return f"<h2>Every model</h2><details><summary>{len(rows)} names</summary>{inner}</details>"


def _named(title: str, rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    inner = table(title, rows)
    return f"<h2>{title}</h2><details><summary>{len(rows)} lines</summary>{inner}</details>"


def _remarks(report: Report) -> str:
    lines = [f"{each.date + ': ' if each.date else ''}{each.text}" for each in report.remarks]
    return f"<h2>About the feed, not about models</h2>{_list(lines)}" if lines else ""


def _list(sentences: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(each)}</li>" for each in sentences) + "</ul>"


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _text(text: str) -> str:
    return escape(shown(text))
