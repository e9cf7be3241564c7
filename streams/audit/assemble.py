"""The audit from end to end: rows of snapshots in, the report out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from numbers import Real

import msgspec

from streams.audit.board.history import Row
from streams.audit.board.rounding import coarse
from streams.audit.facts import find_facts
from streams.audit.options import Options
from streams.audit.report.demands import demands_of
from streams.audit.report.document import Reading, Report
from streams.audit.report.figures import (
    counts_of,
    course_of,
    cutoff_of,
    depth_of,
    inequality_of,
    listings_of,
    method_of,
    period_of,
)
from streams.audit.report.findings import findings_of
from streams.audit.report.limits import limits_of
from streams.audit.report.lines import absence_lines, board_lines, gone_lines, model_lines, pause_lines, rename_lines
from streams.audit.report.summary import headline_of, refusal_of, refused, unsaid_of
from streams.contracts.alert import Alert, Kind
from streams.contracts.model import Model

LAST_DATE = 253_402_300_800.0
"""The end of the year 9999, epoch seconds: no calendar goes on, and milliseconds of any date since 1978 are more."""

BASIS = (
    "share of slots (each battle has two, so these add to 1) among the votes gained in the last period; not the share"
    " of battles, nor of battles that involve the group"
)


def audit_snapshots(
    rows: list[Row],
    *,
    source: str,
    registry: Iterable[Model] | None = None,
    options: Options | None = None,
    kind: str = "snapshots",
    cannot_say: Iterable[str] = (),
    reading: Reading | None = None,
    alerts: list[Alert] | None = None,
    lead: str | None = None,
    declared: dict[str, dict[str, float]] | None = None,
) -> Report:
    """Audit published snapshots.

    Parameters
    ----------
    rows
        At least one row, in any order.
    source
        Name of the file, for the report.
    registry
        Model records of the arena; None when there is no registry, and notices are unknown.
    options
        Options of the audit; the defaults when None.
    kind
        Source of the rows: `snapshots`, or `votes` counted into snapshots.
    cannot_say
        Further limits of this source, for the report.
    reading
        Account of the file's rows; None when the rows did not come from a file.
    alerts, lead, declared
        Alerts from the policy that a registry declares, which replace those from each model's own past; the first
        sentence about them; and declared beside observed shares. None without such a policy.

    Raises
    ------
    ValueError
        When there are no rows, or a date is not a number of epoch seconds.
    """
    _check(rows)
    options = options or Options()
    facts = find_facts(coarse(rows, options.precision), registry, options, kind)
    if alerts is not None:
        facts = replace(facts, alerts=alerts)
    unsaid = [*cannot_say, *limits_of(facts, reading)]
    report = Report(
        source=source,
        kind=kind,
        arena=facts.options.arena,
        period=period_of(facts),
        counts=counts_of(facts),
        models=model_lines(facts),
        shares={"provider": facts.provider_shares, "license": facts.license_shares},
        inequality=inequality_of(facts),
        churn=facts.churn,
        alerts=facts.alerts,
        cannot_say=unsaid,
        headline=[*headline_of(facts, lead), unsaid_of(unsaid)],
        findings=findings_of(facts),
        demands=demands_of(facts),
        remarks=facts.remarks,
        renames=rename_lines(facts),
        pauses=pause_lines(facts),
        gone=gone_lines(facts),
        absences=absence_lines(facts),
        depth=depth_of(facts),
        listings=listings_of(facts),
        cutoff=cutoff_of(facts),
        retirement=facts.retirement,
        shares_basis=BASIS,
        course=course_of(facts),
        boards=board_lines(facts),
        method=method_of(facts),
        declared=declared or {},
        reading=reading,
    )
    why = refusal_of(facts)
    return report if why is None else _withheld(report, why)


def _check(rows: list[Row]) -> None:
    if not rows:
        raise ValueError("there are no rows to audit: give at least one")
    for number, row in enumerate(rows):
        if isinstance(row.date, Real) and math.isfinite(row.date) and row.date < LAST_DATE:
            continue
        place = f"row {number} ({row.model}): the date {row.date!r}"
        if not isinstance(row.date, Real) or not math.isfinite(row.date):
            raise ValueError(f"{place} is not a number of epoch seconds (of a datetime: its timestamp())")
        if row.date >= LAST_DATE:
            raise ValueError(f"{place} is beyond the year 9999: are these milliseconds? Epoch seconds are wanted")


def _withheld(report: Report, why: str) -> Report:
    """Return the report without any claim: what was read, and why nothing is concluded from it."""
    counts = msgspec.structs.replace(
        report.counts, active=None, inactive=None, stopped=None, inactive_without_notice=None
    )
    return msgspec.structs.replace(
        report,
        headline=[why],
        counts=counts,
        models=[msgspec.structs.replace(each, state="unknown", since=None, found=None) for each in report.models],
        alerts=[each for each in report.alerts if each.kind is Kind.FEED_STALLED],
        shares={"provider": {}, "license": {}},
        inequality=dict.fromkeys(report.inequality),
        churn={},
        findings=refused(report.findings, why),
        demands=refused(report.demands, why),
        pauses=[],
        gone=[],
        cutoff={"votes_a_day": None, "inactive_by_cutoff": []},
        retirement={"classes": {}},
        course={"provider": [], "license": []},
        boards=[],
    )
