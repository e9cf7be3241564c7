"""Write the table: one line for each scenario, and one column for each kind that fired anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from streams.contracts.alert import Kind
from tests.planted.expected import DEFECTS, ELSEWHERE, EVERY, HEALTHY, UNSEEN, Expected
from tests.planted.play import SEVERITIES, Fired, Run

Runs = Mapping[str, Sequence[Run]]

LATE = 1.5
"""A defect is found late after more than this many times its aim."""

BEGIN, END = "<!-- {}: written by make planted -->", "<!-- end of {} -->"


def number(value: float) -> str:
    """Three significant digits, thousands separated.

    >>> number(12345.6), number(-87.0), number(0.0), number(1.4)
    ('12,300', '-87', '0', '1.4')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:g}"


def mean(values: Sequence[float]) -> str:
    """Mean with its standard error, which one value does not have.

    >>> mean([100.0]), mean([90.0, 110.0])
    ('100', '100 ± 10')
    """
    middle = sum(values) / len(values)
    if len(values) < 2:
        return number(middle)
    spread = math.sqrt(sum((each - middle) ** 2 for each in values) / (len(values) - 1) / len(values))
    return f"{number(middle)} ± {number(spread)}"


def verdict(expected: Expected, runs: Sequence[Run]) -> str:
    """`ok`, or what is wrong: not found, found late, told more than once, or something else told besides."""
    wrong = []
    for kinds in expected.must:
        missing = sum(run.first(kinds) is None for run in runs)
        if missing:
            in_some = f" in {missing} of {len(runs)}" if len(runs) > 1 else ""
            wrong.append(f"{' or '.join(kinds)} not found{in_some}")
    delays = _delays(expected.must[0], runs) if expected.must else []
    if delays and expected.aim and sum(delays) / len(delays) > LATE * expected.aim:
        wrong.append("late")
    if expected.once and any(sum(each.kind in expected.must[0] for each in run.fired) > 1 for run in runs):
        wrong.append("more than one alert")
    if any(_besides(expected, run) for run in runs):
        wrong.append("something else told")
    return "; ".join(wrong) or "ok"


def _delays(kinds: tuple[str, ...], runs: Sequence[Run]) -> list[float]:
    return [first.after for run in runs if (first := run.first(kinds)) is not None]


def _besides(expected: Expected, run: Run) -> list[Fired]:
    meant = {kind for kinds in expected.must for kind in kinds} | expected.may
    return [each for each in run.fired if each.kind not in meant]


def _told(kinds: Sequence[str], runs: Sequence[Run]) -> str:
    """For each of these kinds that fired: battles until it fired and until it paged, number of alerts, severity."""
    said = []
    for kind in kinds:
        alerts = [[each for each in run.fired if each.kind == kind] for run in runs]
        firsts = [min(each.after for each in found) for found in alerts if found]
        if not firsts:
            continue
        pages = [min(paged) for found in alerts if (paged := [each.paged for each in found if each.paged is not None])]
        worst = max((each.severity for found in alerts for each in found), key=SEVERITIES.index)
        many = sum(map(len, alerts)) / len(runs)
        page = f", page {mean(pages)}" if pages and pages != firsts else ""
        times = "" if many == 1 else f" × {number(many)}"
        said.append(f"`{kind}`{times}: {mean(firsts)}{page} ({worst})")
    return "<br>".join(said) or "–"


def table(names: Sequence[str], runs: Runs) -> list[str]:
    """The lines of one table."""
    lines = [
        "| scenario | expected | found: battles after the defect (severity) | aim | besides | |",
        "|---|---|---|--:|---|---|",
    ]
    for name in names:
        expected, played = EVERY[name], runs[name]
        wanted = "<br>".join(" or ".join(f"`{kind}`" for kind in kinds) for kinds in expected.must) or "nothing"
        meant = list(dict.fromkeys([kind for kinds in expected.must for kind in kinds] + sorted(expected.may)))
        besides = sorted({each.kind for run in played for each in _besides(expected, run)})
        aim = "" if expected.aim is None else f"{expected.aim:,}"
        cells = [f"`{name}`", wanted, _told(meant, played), aim, _told(besides, played), verdict(expected, played)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def matrix(names: Sequence[str], runs: Runs) -> list[str]:
    """Alerts of each kind in each scenario, per run; kinds that fired nowhere have no column."""
    fired = {each.kind for name in names for run in runs[name] for each in run.fired}
    kinds = [kind.value for kind in Kind if kind.value in fired]
    lines = [f"| scenario | {' | '.join(f'[{kind}]({kind}.md)' for kind in kinds)} |", "|---|" + "--:|" * len(kinds)]
    for name in names:
        counts = [sum(run.count(kind) for run in runs[name]) / len(runs[name]) for kind in kinds]
        lines.append(f"| `{name}` | {' | '.join(number(count) if count else '' for count in counts)} |")
    return lines


def whole(runs: Runs, count: int) -> list[str]:
    """The long form: all scenarios."""
    told = (
        "one run each, seed 1"
        if count == 1
        else f"{count} runs each, seeds 1 to {count}: means ± their standard errors"
    )
    return [
        f"Made with {told}.",
        "",
        "### What an arena does to a model",
        "",
        *table(list(DEFECTS), runs),
        "",
        "### Healthy arenas",
        "",
        *table(list(HEALTHY), runs),
        "",
        "### What cannot be seen",
        "",
        *(f"- `{name}`: {expected.unseen}" for name, expected in UNSEEN.items()),
        "",
        *table(list(UNSEEN), runs),
        "",
        *(f"- `{name}`: {why}" for name, why in ELSEWHERE.items()),
        "",
        "### Which kinds fire in which scenario",
        "",
        "Alerts per run.",
        "",
        *matrix(list(EVERY), runs),
    ]


def part(text: str, name: str) -> str:
    """The part of a page between its two marks.

    >>> part("a" + chr(10) + BEGIN.format("x") + chr(10) * 2 + "b" + chr(10) * 2 + END.format("x"), "x")
    'b'
    """
    return text.split(BEGIN.format(name))[1].split(END.format(name))[0].strip()


def replaced(text: str, name: str, lines: Sequence[str]) -> str:
    """The page with this part written anew."""
    before, rest = text.split(BEGIN.format(name))
    after = rest.split(END.format(name))[1]
    return before + BEGIN.format(name) + "\n\n" + "\n".join(lines) + "\n\n" + END.format(name) + after
