"""Renames in votes: a name that ends as another begins is followed; another version, and a true stop, are not."""

from __future__ import annotations

import numpy as np
import pytest

from services.audit.tally import count_votes
from streams.audit.assemble import audit_snapshots
from streams.audit.report.document import Report
from streams.contracts.model import Model
from tests.unit.audit.boards import kinds

DAY = 86_400.0
NAMES = ["oak 8b", "birch 30b", "cedar-70b", "fir 4b", "gum 12b", "yew 2b", "elm 1.5b"]


def votes(
    seed: int,
    new: str | None,
    old: int = 2,
    at: float = 20.0,
    days: int = 40,
    count: int = 8_000,
    mixed: float = 0.0,
    lost: bool = False,
):
    """Votes of equal models; on a day `old` goes on as `new` (None: it stops; `lost`: and another begins elsewhere)."""
    random = np.random.default_rng(seed)
    names = [*NAMES, *([] if new is None else [new])]
    times = np.sort(random.uniform(0, days * DAY, count))
    first = random.integers(0, len(NAMES), count)
    second = (first + random.integers(1, len(NAMES), count)) % len(NAMES)
    after = times >= at * DAY + random.uniform(-mixed, mixed, count) * DAY
    if new is None:
        keep = ~(after & ((first == old) | (second == old)))
        first, second, times = first[keep], second[keep], times[keep]
    else:
        first, second = (np.where(after & (each == old), len(NAMES), each) for each in (first, second))
    return names, first, second, times


def audited(drawn, records: dict[str, Model] | None = None) -> Report:
    return audit_snapshots(count_votes(*drawn, records or {}), source="votes", kind="votes")


@pytest.mark.parametrize(
    "new", ["Cedar-70B", "cedar 70b", "CEDAR_70b", "cedar-70b-0131", "cedar-70b (2025-01-31)", "cedar-70b-instruct"]
)
@pytest.mark.parametrize("mixed", [0.0, 0.2])
def test_a_name_that_is_written_otherwise_or_gets_a_label_is_one_model(new: str, mixed: float) -> None:
    for seed in range(3):
        if mixed and new not in ("Cedar-70B", "cedar 70b", "CEDAR_70b"):
            continue  # both in use at once are one only when they differ in nothing but writing
        report = audited(votes(seed, new, mixed=mixed))
        assert not report.alerts
        assert [(each.model, each.renamed_to) for each in report.models if each.state == "renamed"] == [
            ("cedar-70b", new)
        ]
        assert (report.counts.models, report.counts.active, report.counts.renamed) == (7, 7, 1)
        total = next(each.votes for each in report.models if each.model == new)
        assert total == pytest.approx(2 * 8_000 / 7, rel=0.1)


def test_a_name_that_is_written_otherwise_now_and_then_is_one_model() -> None:
    names, first, second, times = votes(4, "Cedar-70B", at=-1)
    random = np.random.default_rng(0)
    back = random.random(len(times)) < 0.5
    first, second = (np.where(back & (each == len(NAMES)), 2, each) for each in (first, second))
    report = audited((names, first, second, times))
    assert not report.alerts
    assert report.counts.models == 7


@pytest.mark.parametrize("new", ["cedar-71b", "cedar-70b-2", "willow 9b"])
def test_another_version_takes_no_votes_over(new: str) -> None:
    report = audited(votes(5, new))
    assert [each.subject.model for each in report.alerts] == ["cedar-70b"]
    assert report.counts.renamed == 0
    assert report.counts.models == 8


def test_the_next_build_under_the_same_label_replaces_the_old_one() -> None:
    names, first, second, times = votes(6, "cedar chat (2025-02-10)")
    names[2] = "cedar chat (2025-01-02)"
    report = audited((names, first, second, times))
    assert not report.alerts
    assert [(each["model"], each["replaced"], each["successor"]) for each in report.gone] == [
        ("cedar chat (2025-01-02)", True, None)
    ]


def test_a_stop_is_a_stop_although_an_alike_name_began_long_before() -> None:
    names, first, second, times = votes(7, None)
    names = [*names[:3], "cedar-70b-mini", *names[4:]]
    report = audited((names, first, second, times))
    assert [each.subject.model for each in report.alerts] == ["cedar-70b"]
    assert "reset" not in kinds(report)


def test_names_that_met_in_a_battle_are_two() -> None:
    names, first, second, times = votes(8, "Cedar-70B")
    first, second = np.append(first, 2), np.append(second, len(NAMES))
    times = np.append(times, 39.5 * DAY)
    report = audited((names, first, second, times))
    assert report.counts.models == 8


def test_names_that_a_registry_tells_apart_are_two() -> None:
    from streams.contracts.model import Model

    fields = {"arena": "text", "provider": "firm", "license": "proprietary", "visibility": "public"}
    records = {
        name: Model(model=name, status="active", weight=1.0, tstamp=0.0, **fields)
        for name in ("cedar-70b", "Cedar-70B")
    }
    report = audited(votes(9, "Cedar-70B"), records)
    assert (report.counts.renamed, report.counts.models) == (0, 8)
