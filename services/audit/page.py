"""A report as a self-contained HTML page: the main results first, the rest folded; light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from services.audit import plots
from services.audit.alerts import ENDS, ends_by_year, expected_of, in_order, notices_known, observed_of, words_of
from services.audit.show import VERDICTS, remark_lines
from streams.audit.account import account
from streams.audit.board.dates import iso
from streams.audit.report.document import AuditAnswer, Report
from streams.contracts.alert import Alert
from streams.contracts.names import shown

OPEN = 8
"""Number of models that stopped or left shown unfolded."""


def page(report: Report) -> str:
    """The HTML of a report."""
    title = f"Audit of {_text(report.source)}"
    sections = [
        ("ends", "Who stopped or left", _ends(report)),
        ("alerts", "Other alerts", _others(report)),
        ("findings", "Four findings", "".join(_answer(*each) for each in enumerate(report.findings, 1))),
        ("demands", "Five demands", "".join(_answer(*each) for each in enumerate(report.demands, 1))),
        ("course", "Over time, and who got how much", "".join(plots.all_plots(report))),
        ("models", "Models one by one", _models(report)),
        ("feed", "About the feed, not about models", _remarks(report)),
        ("limits", "What this cannot say", folded(_how_many(report.cannot_say, "limit"), _list(report.cannot_say))),
        ("reading", "How it was read and judged", _method(report)),
    ]
    shown_sections = [each for each in sections if each[2]]
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in shown_sections)
    body = [
        f"<h1>{title}</h1>",
        f'<p class="dim">{_about(report)}</p>',
        f'<div class="head">{_list(report.headline)}</div>',
        _cards(report),
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>',
        *(f'<h2 id="{name}">{heading}</h2>{inner}' for name, heading, inner in shown_sections),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head>\n<body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main></body></html>\n"
    )


def table(caption: str, rows: Sequence[Mapping[str, object]]) -> str:
    """An HTML table of rows with the same keys; numbers are right-aligned."""
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


def folded(summary: str, inner: str, *, opened: bool = False) -> str:
    """A collapsible section; empty when `inner` is empty."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{_text(summary)}</summary>{inner}</details>" if inner else ""


def _about(report: Report) -> str:
    period = report.period
    what = "Published snapshots" if report.kind == "snapshots" else "Votes"
    return f"{what}, {period.start} to {period.end}; {period.snapshots} snapshots; judged up to {period.live_until}."


def _cards(report: Report) -> str:
    counts = report.counts
    cards = (
        ("models", counts.models),
        ("listed at the end", counts.listed),
        ("active", counts.active),
        ("inactive", counts.inactive),
        ("gone", counts.gone),
        *([("beyond what is shown", counts.beyond)] if counts.beyond else []),
        ("inactive without notice", counts.inactive_without_notice),
    )
    lines = "".join(f"<li><b>{'unknown' if count is None else f'{count:,}'}</b>{name}</li>" for name, count in cards)
    return f'<ul class="cards">{lines}</ul>'


def _ends(report: Report) -> str:
    ends = [each for each in in_order(report.alerts) if each.kind in ENDS]
    if not ends:
        return ""
    newest = sorted(ends, key=lambda each: (-each.starts_at, each.subject.name))
    known = notices_known(report)
    notice = "" if known else " Whether there was a notice is not known here."
    told = table(
        f"The newest {min(OPEN, len(ends))} of {len(ends)}.{notice}", [_end(each, known) for each in newest[:OPEN]]
    )
    if len(ends) <= OPEN:
        return told
    return told + "".join(
        folded(f"{year}: {_how_many(group, 'model')}", table(f"Since {year}", [_end(each, known) for each in group]))
        for year, group in ends_by_year(ends).items()
    )


def _end(alert: Alert, known: bool) -> dict[str, object]:
    line = {
        "model": alert.subject.name,
        "since": iso(alert.starts_at),
        "shown by": iso(alert.detected_at),
        "expected": expected_of(alert),
        "came": observed_of(alert),
        "log10 e": alert.evidence.get("log10_e"),
    }
    return line | {"notice": words_of(alert.kind, known)} if known else line


def _others(report: Report) -> str:
    groups: dict[str, list[Alert]] = {}
    for alert in in_order(report.alerts):
        if alert.kind not in ENDS:
            groups.setdefault(words_of(alert.kind, notices_known(report)), []).append(alert)
    parts = []
    for words, group in groups.items():
        rows = [
            {
                "about": alert.subject.name or "the feed",
                "severity": alert.severity.value,
                "status": alert.status.value,
                "since": iso(alert.starts_at),
                "what": alert.summary,
            }
            for alert in group
        ]
        parts.append(folded(f"{words}: {len(group)}", table(words, rows), opened=len(group) <= 2))
    return "".join(parts)


def _answer(number: int, answer: AuditAnswer) -> str:
    """An answer: the first sentence, the others folded below it."""
    tag = f'<span class="tag">({VERDICTS[answer.verdict]})</span>'
    first, *rest = answer.says
    more = folded(_how_many(rest, "more sentence"), _list(rest)) if rest else ""
    return f"<h3>{number}. {_text(answer.title)} {tag}</h3><p>{_text(first)}</p>{more}"


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
    groups: tuple[tuple[str, str, Sequence[Mapping[str, object]]], ...] = (
        ("name", "Every model", rows),
        ("pause", "Off for a while, and back", report.pauses),
        ("model", "Gone from the board", report.gone),
        ("absence", "Off the board, in passing or for longer", report.absences),
        *(
            ("group", f"Listings, by {words}", _listings(report.listings.get(kind, {})))
            for kind, words in (("provider", "provider"), ("license", "licence class"))
        ),
        ("name", "Changes of name", report.renames),
    )
    return "".join(folded(f"{title}: {_how_many(lines, word)}", table(title, lines)) for word, title, lines in groups)


def _listings(groups: dict[str, dict[str, int]]) -> list[dict[str, object]]:
    """Table rows with the listed models, arrivals, departures and returns of each group."""
    return [{"who": name, **counts} for name, counts in groups.items()]


def _remarks(report: Report) -> str:
    return folded(_how_many(report.remarks, "remark"), _list(remark_lines(report.remarks)))


def _method(report: Report) -> str:
    parts = []
    reading = report.reading
    if reading is not None:
        lines = [*account(reading), f"1234.5 is written {reading.number_format}; dates: {reading.date_format}"]
        parts.append(folded("How the file was read", _list(lines), opened=bool(reading.left_out or reading.ignored)))
    method = [{"": name.replace("_", " "), "value": value} for name, value in report.method.items()]
    parts.append(folded("How it was judged", table("Method", method)))
    return "".join(parts)


def _how_many(things: Sequence[object], word: str) -> str:
    return f"{len(things):,} {word}{'' if len(things) == 1 else 's'}"


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


CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --back: #fff; --card: #f6f8fa; --line: #d0d7de;
  --c0: #0072b2; --c1: #b5500b; --c2: #00785a; --c3: #a8457f; --c4: #6a6a00; --c5: #5a4fcf; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --dim: #9aa4af; --back: #0d1117; --card: #161b22; --line: #30363d;
    --c0: #58b4ee; --c1: #f29a54; --c2: #3fc59c; --c3: #e58fc0; --c4: #d9cf4a; --c5: #a79df5; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; color: var(--ink); background: var(--back);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; } p, li { max-width: 46rem; } small, .dim { color: var(--dim); }
.head { background: var(--card); border-left: 4px solid var(--bad); padding: .5rem 1rem; margin: 1rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .5rem;
  padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .75rem; }
.cards b { display: block; font-size: 1.5rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; }
caption { text-align: left; color: var(--dim); }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; max-width: 42rem; height: auto; display: block; } svg text { font-size: 13px; fill: var(--ink); }
svg .g { stroke: var(--line); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none; }
nav li { max-width: none; } a { color: var(--c0); } h2 { scroll-margin-top: 1rem; }
main > p, h3 + p { margin: .25rem 0; }
details details { margin-left: .5rem; } details > ul { padding-left: 1.25rem; }
svg .b { fill: var(--c0); } details { margin: .25rem 0 1rem; } summary { cursor: pointer; color: var(--dim); }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); }
.s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); }
svg .t0 { fill: var(--c0); } svg .t1 { fill: var(--c1); } svg .t2 { fill: var(--c2); } svg .t3 { fill: var(--c3); }
svg .t4 { fill: var(--c4); } svg .t5 { fill: var(--c5); } .tag { color: var(--dim); font-weight: normal; }
"""
