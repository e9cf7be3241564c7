"""The figures of the report: period, counts, inequality, cut-off, course, method, and the few sentences on top."""

from __future__ import annotations

from typing import Any

from streams.audit.counting import many
from streams.audit.dates import days, in_days, iso
from streams.audit.evidence import ALARM, AWAY, RETURN, STILL, STOPPED
from streams.audit.facts import Facts
from streams.audit.inequality import gini, herfindahl, largest
from streams.audit.report import Counts, Period
from streams.audit.shares import course
from streams.audit.states import ACTIVE, GONE, INACTIVE, SWEEP
from streams.contracts.alert import Kind


def period_of(facts: Facts) -> Period:
    """What time the report is about."""
    dates, states = facts.models.dates, facts.states
    return Period(
        start=iso(facts.start),
        end=iso(facts.end),
        live_until=iso(dates[states.live]),
        window=iso(dates[states.start]),
        snapshots=len(dates),
        days=round(days(facts.start, facts.end), 3),
    )


def counts_of(facts: Facts) -> Counts:
    """How many models there are of each state."""
    states, models = facts.states, facts.models
    count = {state: states.state.count(state) for state in (ACTIVE, INACTIVE, GONE)}
    deprecated = retired = unannounced = None
    if facts.registry:
        said = [notice.status if notice else None for notice in facts.notices]
        deprecated, retired = said.count("deprecated"), said.count("retired")
        unannounced = sum(
            state != ACTIVE and (notice is None or notice.announced is None)
            for state, notice in zip(states.state, facts.notices, strict=True)
        )
    return Counts(
        models=len(models.names),
        listed=count[ACTIVE] + count[INACTIVE],
        active=count[ACTIVE],
        inactive=count[INACTIVE],
        gone=count[GONE],
        renamed=len({each.old for each in facts.renames} - {*models.names}),
        stopped=sum(stop is not None for stop in states.stop),
        joined=int((models.first > 0).sum()),
        deprecated=deprecated,
        retired=retired,
        inactive_without_notice=unannounced,
    )


def inequality_of(facts: Facts) -> dict[str, float]:
    """Inequality of the providers' shares of slots, in the last period and in all of it."""
    values = list(facts.provider_shares.values())
    return {
        "gini": round(gini(values), 4),
        "hhi": round(herfindahl(values), 4),
        "top_1": round(largest(values, 1), 4),
        "top_3": round(largest(values, 3), 4),
        "top_5": round(largest(values, 5), 4),
        "providers": len(values),
        "gini_whole_period": round(gini(list(facts.provider_shares_before.values())), 4),
        "hhi_whole_period": round(herfindahl(list(facts.provider_shares_before.values())), 4),
    }


def cutoff_of(facts: Facts) -> dict[str, Any]:
    """The cut-off of inactivity, and how the number of inactive models moves with it."""
    states = facts.states
    sweep = sorted({*SWEEP, states.cutoff})
    return {
        "votes_a_day": round(states.cutoff, 4),
        "inactive_by_cutoff": [{"votes_a_day": round(each, 4), "inactive": n} for each, n in _swept(facts, sweep)],
    }


def _swept(facts: Facts, sweep: list[float]) -> list[tuple[float, int]]:
    return [(each, facts.states.inactive_at(each, facts.models)) for each in sweep]


def course_of(facts: Facts) -> dict[str, list[dict[str, Any]]]:
    """Shares of slots over time, by provider and by licence class."""
    models, live = facts.models, facts.states.live
    told = {}
    for name, groups in (("provider", models.providers), ("license", models.classes)):
        stretches = course(facts.gains, models.dates, groups, live)
        told[name] = [{"from": start, "until": end, "shares": shares} for start, end, shares in stretches]
    return told


def headline_of(facts: Facts) -> list[str]:
    """The few sentences that matter most."""
    states, models = facts.states, facts.models
    inactive, gone = states.state.count(INACTIVE), states.state.count(GONE)
    listed = states.state.count(ACTIVE) + inactive
    said = []
    said += [alert.summary for alert in facts.alerts if alert.kind is Kind.FEED_STALLED]
    if len(models.dates) < 2:
        return [*said, f"One snapshot of {many(len(models.names), 'model')}: what they gain cannot be seen yet."]
    silent = sum(alert.kind is Kind.SILENT_REMOVAL for alert in facts.alerts)
    without = "without any notice in the registry" if facts.registry else "notices unknown"
    ends = "stopped getting votes for good, or left the board while gaining"
    said.append(f"{many(silent, 'model')} {ends} ({without}).")
    said.append(
        f"{inactive} of {listed} listed models are inactive at the end: at most {states.cutoff:.3g} votes a day over"
        f" the last {in_days(days(models.dates[states.start], models.dates[states.live]))}. {gone} left the board."
    )
    if any(name != "unknown" for name in facts.provider_shares):
        top = list(facts.provider_shares.items())[:3]
        said.append("Most slots: " + ", ".join(f"{name} {share:.1%}" for name, share in top) + ".")
    said += [alert.summary for alert in facts.alerts if alert.kind is Kind.RETIREMENT_BIAS]
    return said


def method_of(facts: Facts) -> dict[str, Any]:
    """How stops were judged, in words and numbers."""
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
        "spans_judged": watched.looks,
        "false_stops_expected_at_most": round(watched.looks / ALARM, 4),
    }
