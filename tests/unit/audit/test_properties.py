"""What must not matter does not: the order of rows, the length of days, the names of models."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from streams.audit.board.history import Row
from streams.audit.report.document import Report
from tests.unit.audit.boards import START, audit, draw, until

slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def boards(make: st.DrawFn) -> list[Row]:
    """Boards on which things happen."""
    models = make(st.integers(2, 12))
    days = [0]
    for gap in make(st.lists(st.integers(1, 30), min_size=1, max_size=24)):
        days.append(days[-1] + gap)
    ends = make(st.dictionaries(st.integers(0, models - 1), st.integers(0, days[-1]), max_size=2))
    board = draw(
        make(st.integers(0, 1_000)),
        models=models,
        days=days,
        slots_a_day=make(st.sampled_from([50.0, 1_000.0, 20_000.0])),
        spread=make(st.sampled_from([0.0, 0.1, 0.5])),
        multiply={model: until(day, make(st.sampled_from([0.0, 0.05]))) for model, day in ends.items()},
    )
    totals = board.totals.copy()
    for _ in range(make(st.integers(0, 4))):
        model, at = make(st.integers(0, models - 1)), make(st.integers(0, len(days) - 1))
        what = make(st.sampled_from(["off", "zero", "gone", "late", "fall", "joins"]))
        if what == "off":
            totals[model, at : at + 3] = -1
        elif what == "zero":
            totals[:, at : at + 2] = 0
        elif what == "gone":
            totals[model, at:] = -1
        elif what == "joins":
            totals[model, :at] = -1
        elif what == "late" and at:
            totals[model, at] = totals[model, at - 1]
        elif what == "fall":
            totals[model, at:] -= totals[model, at] // 3
    rows = board.changed(totals).rows()
    return rows or board.rows()


def same(one: Report, other: Report) -> None:
    assert msgspec.json.encode(one) == msgspec.json.encode(other)


@slow
@given(boards(), st.integers())
def test_the_order_of_rows_does_not_matter(rows: list[Row], seed: int) -> None:
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    one, other = audit(mixed), audit(rows)
    # The order is evidence in one case: a last snapshot that ends before the models that stood last in the one before.
    assume(not any("may be cut off there" in remark.text for report in (one, other) for remark in report.remarks))
    same(one, other)


@slow
@given(boards(), st.sampled_from([2.0, 5.0]))
def test_the_length_of_days_does_not_matter_to_who_stopped(rows: list[Row], factor: float) -> None:
    stretched = [replace(row, date=START + factor * (row.date - START)) for row in rows]

    def stops(report: Report) -> list[tuple[Any, ...]]:
        return [
            (each.kind, each.subject, each.evidence.get("observed"), each.evidence.get("intervals"))
            for each in report.alerts
            if each.subject.model
        ]

    assert stops(audit(stretched)) == stops(audit(rows))


@slow
@given(boards())
def test_other_names_make_the_same_report(rows: list[Row]) -> None:
    # The names keep their order, and how like one another they are, for that tells a renamed model from another one.
    other = {row.model: row.model.replace("model-", "other-") for row in rows}
    back = {new: old for old, new in other.items()}
    told = audit([replace(row, model=other[row.model]) for row in rows])
    plain = audit(rows)
    assert [(back[each.model], each.state, each.since, each.found) for each in told.models] == [
        (each.model, each.state, each.since, each.found) for each in plain.models
    ]
    assert told.counts == plain.counts
    assert told.shares == plain.shares


@slow
@given(boards())
def test_every_report_is_whole(rows: list[Row]) -> None:
    report = audit(rows)
    counts = report.counts
    assert counts.models == counts.listed + counts.gone
    if counts.active is not None:
        unknown = sum(line.state == "listed" for line in report.models)
        assert counts.listed == (counts.active or 0) + (counts.inactive or 0) + unknown
    else:
        assert (counts.active, counts.inactive, counts.stopped) == (None, None, None)
    names = [each.model for each in report.models]
    assert len(names) == len({*names})
    assert {row.model for row in rows} >= {*names}
    for group in report.shares.values():
        assert not group or abs(sum(group.values()) - 1) < 1e-4
    assert len(report.findings) == 4
    assert len(report.demands) == 5
    accused = {each.subject.model for each in report.alerts if each.subject.model}
    assert accused <= {each.model for each in report.models if each.state in ("inactive", "gone")}
    assert msgspec.json.decode(msgspec.json.encode(report))
