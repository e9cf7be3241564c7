"""The figures of the report: period, counts, inequality, cut-off, course and method."""

from __future__ import annotations

import numpy as np

from streams.audit.board.dates import days, iso
from streams.audit.board.shares import course
from streams.audit.facts import AuditFacts
from streams.audit.report.document import Counts, CourseStretch, CutoffLine, DepthLine, Period
from streams.audit.stops.evidence import ALARM, AWAY, RETURN, STILL, STOPPED
from streams.audit.stops.states import ACTIVE, BEYOND, GONE, INACTIVE, LISTED, SWEEP
from streams.fairness.statistics.inequality import gini, herfindahl, largest


def period_of(facts: AuditFacts) -> Period:
    """Return the time that the report covers."""
    dates, states = facts.models.dates, facts.states
    return Period(
        start=iso(facts.start),
        end=iso(facts.end),
        live_until=iso(dates[states.live]),
        window=iso(dates[states.start]),
        snapshots=len(dates),
        days=round(days(facts.start, facts.end), 3),
    )


def counts_of(facts: AuditFacts) -> Counts:
    """Count the models by state."""
    states, models, known = facts.states, facts.models, facts.gains.known
    count = {state: states.state.count(state) for state in (ACTIVE, INACTIVE, LISTED, GONE, BEYOND)}
    deprecated = retired = unannounced = None
    if facts.registry:
        said = [notice.status if notice else None for notice in facts.notices]
        deprecated, retired = said.count("deprecated"), said.count("retired")
        unannounced = sum(
            state in (INACTIVE, GONE) and (notice is None or notice.announced is None)
            for state, notice in zip(states.state, facts.notices, strict=True)
        )
    return Counts(
        models=len(models.names),
        listed=count[ACTIVE] + count[INACTIVE] + count[LISTED],
        active=count[ACTIVE] if known else None,
        inactive=count[INACTIVE] if known else None,
        gone=count[GONE],
        beyond=count[BEYOND],
        renamed=len({each.old for each in facts.renames} - {*models.names}),
        stopped=sum(stop is not None for stop in states.stop) if facts.watched.looks else None,
        joined=int(((models.first > 0) & ~facts.depth.emerged).sum()),
        deprecated=deprecated,
        retired=retired,
        inactive_without_notice=unannounced,
    )


def depth_of(facts: AuditFacts) -> DepthLine:
    """How many rows the snapshots show, and whether they seem to be the top of a longer board; null where unknown."""
    rows = facts.depth.rows
    return {
        "cut": facts.depth.cut if facts.depth.judged else None,
        "rows": {"least": int(rows.min()), "middle": float(np.median(rows)), "most": int(rows.max())},
        "beyond": facts.states.state.count(BEYOND),
    }


def listings_of(facts: AuditFacts) -> dict[str, dict[str, dict[str, int]]]:
    """Models listed at the end, and arrivals, departures and returns within the file, by provider and licence class."""
    models, departure = facts.models, facts.states.departure
    back = [each.model for each in facts.absences.ended]
    told: dict[str, dict[str, dict[str, int]]] = {}
    for kind, groups in (("provider", models.providers), ("license", models.classes)):
        counts: dict[str, dict[str, int]] = {}
        for model, group in enumerate(groups):
            line = counts.setdefault(group, {"listed": 0, "arrived": 0, "left": 0, "returned": 0})
            line["listed"] += int(models.listed[model, -1])
            line["arrived"] += int(models.first[model] > 0 and not facts.depth.emerged[model])
            line["left"] += int(departure[model] is not None)
            line["returned"] += back.count(model)
        told[kind] = dict(sorted(counts.items(), key=lambda item: (-item[1]["listed"], item[0])))
    return told


def inequality_of(facts: AuditFacts) -> dict[str, float | None]:
    """Inequality of the providers' shares of slots, in the last period and in all of it; null where none are known."""
    if not facts.provider_shares:
        names = ("gini", "hhi", "top_1", "top_3", "top_5", "providers", "gini_whole_period", "hhi_whole_period")
        return dict.fromkeys(names)
    values, before = (
        np.array(list(shares.values())) / sum(shares.values())  # they are rounded
        for shares in (facts.provider_shares, facts.provider_shares_before)
    )
    return {
        "gini": round(gini(values), 4),
        "hhi": round(herfindahl(values), 4),
        "top_1": round(largest(values, 1), 4),
        "top_3": round(largest(values, 3), 4),
        "top_5": round(largest(values, 5), 4),
        "providers": len(values),
        "gini_whole_period": round(gini(before), 4),
        "hhi_whole_period": round(herfindahl(before), 4),
    }


def cutoff_of(facts: AuditFacts) -> CutoffLine:
    """The cut-off of inactivity, and how the number of inactive models depends on it."""
    states = facts.states
    sweep = sorted({*SWEEP, states.cutoff})
    return {
        "votes_a_day": round(states.cutoff, 4) if facts.gains.known else None,
        "inactive_by_cutoff": [{"votes_a_day": round(each, 4), "inactive": n} for each, n in _swept(facts, sweep)],
    }


def _swept(facts: AuditFacts, sweep: list[float]) -> list[tuple[float, int]]:
    return [(each, facts.states.inactive_at(each)) for each in sweep] if facts.gains.known else []


def course_of(facts: AuditFacts) -> dict[str, list[CourseStretch]]:
    """Shares of slots over time, by provider and by licence class."""
    models, live = facts.models, facts.states.live
    told: dict[str, list[CourseStretch]] = {}
    for name, groups in (("provider", models.providers), ("license", models.classes)):
        stretches = course(facts.gains, models.dates, groups, live)
        told[name] = [{"from": start, "until": end, "shares": shares} for start, end, shares in stretches]
    return told


def method_of(facts: AuditFacts) -> dict[str, object]:
    """The test for stops, in words and numbers; counts of tested spans are null where none could be tested."""
    watched = facts.watched
    return {
        "clock": "what the other running models gained between snapshots, not days",
        "test": (
            "mixture e-CUSUM of negative binomial counts against at least half of the model's own recent share; page"
            " docs/methods/audit.md"
        ),
        "bets": [float(each) for each in STOPPED],
        "null_share": STILL,
        "alarm_e": ALARM,
        "return_e": RETURN,
        "stopped_below": AWAY,
        "spread": round(watched.spread, 5),
        "spans_judged": watched.looks or None,
        "false_stops_expected_at_most": round(watched.looks / ALARM, 4) if watched.looks else None,
    }
