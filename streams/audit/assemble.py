"""The audit from end to end: rows of snapshots in, the report out."""

from __future__ import annotations

from collections.abc import Iterable

from streams.audit.demands import demands_of
from streams.audit.facts import find_facts
from streams.audit.figures import (
    counts_of,
    course_of,
    cutoff_of,
    depth_of,
    headline_of,
    inequality_of,
    listings_of,
    method_of,
    period_of,
)
from streams.audit.findings import findings_of
from streams.audit.history import Row
from streams.audit.limits import limits_of
from streams.audit.lines import absence_lines, board_lines, gone_lines, model_lines, pause_lines, rename_lines
from streams.audit.options import Options
from streams.audit.report import Report
from streams.contracts.model import Model

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
) -> Report:
    """Audit published snapshots.

    Parameters
    ----------
    rows
        At least one row, in any order.
    source
        Name of the file, for the report.
    registry
        Model records of the arena; None when there are none, and notices are unknown.
    options
        Choices; the defaults when None.
    kind
        What the rows were made of: `snapshots`, or `votes` counted into snapshots.
    cannot_say
        More that cannot be said about this source.
    """
    facts = find_facts(rows, registry, options or Options(), kind)
    return Report(
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
        cannot_say=[*cannot_say, *limits_of(facts)],
        headline=headline_of(facts),
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
    )
