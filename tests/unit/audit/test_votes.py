"""Audits of votes: counted into snapshots, and by the policy that a registry declares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.audit.run import AuditRequest, run_audit
from services.audit.snapshots import Wanted
from services.audit.votes import count_votes
from services.sources import SourceError
from streams.audit.options import Options
from streams.audit.report.document import Report

DAY = 86_400.0
START = 1_720_000_000.0
NAMES = [f"m{each}" for each in range(20)]


def ask(path: Path, registry: Path | None = None, **changes: Any) -> Report:
    asked = {"kind": "auto", "wanted": Wanted(), "arena": None, "options": Options()}
    return run_audit(AuditRequest(str(path), registry=registry, **(asked | changes)))[0]


def record(name: str, day: float = -1.0, **fields: Any):
    number = NAMES.index(name)
    return {
        "arena": "text",
        "model": name,
        "provider": f"firm {number % 5}",
        "license": ("proprietary", "open_weight", "open_source")[number % 3],
        "visibility": "public",
        "status": "active",
        "weight": 1.0,
        "tstamp": START + day * DAY,
    } | fields


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60,000 votes over 30 days; m3 is dropped in silence on day 15, m4 retires on day 20, as announced on day 2."""
    folder = tmp_path_factory.mktemp("votes")
    random = np.random.default_rng(0)
    count = 60_000
    days = np.arange(count) * (30 / count)
    weights = np.ones((count, 20))
    weights[days >= 15, 3] = 0
    weights[days >= 20, 4] = 0
    keys = random.random((count, 20)) ** (1 / np.maximum(weights, 1e-12))  # the two largest are drawn by weight
    pairs = np.argsort(-keys, axis=1)[:, :2]
    with (folder / "v.jsonl").open("w") as file:
        for number, ((a, b), day) in enumerate(zip(pairs.tolist(), days.tolist(), strict=True)):
            winner = ("model_a", "model_b", "tie")[number % 3]
            vote = {"id": f"v{number}", "model_a": NAMES[a], "model_b": NAMES[b], "winner": winner}
            file.write(json.dumps(vote | {"tstamp": START + day * DAY}) + "\n")
    records = [record(name) for name in NAMES]
    records += [record("m4", 2.0, status="deprecated"), record("m4", 20.0, status="retired", weight=0.0)]
    (folder / "r.jsonl").write_text("\n".join(map(json.dumps, records)))
    return folder


def test_without_a_registry_stops_are_found_by_each_models_own_past(arena: Path) -> None:
    report = ask(arena / "v.jsonl")
    assert report.kind == "votes"
    assert {each.subject.model for each in report.alerts} == {"m3", "m4"}
    assert all(each.severity.value == "warning" for each in report.alerts)
    assert report.cannot_say[0].startswith("Declared policy: without a registry nothing is declared")
    assert (report.counts.models, report.counts.inactive) == (20, 2)
    assert report.declared == {}


def test_with_a_registry_the_streams_fold_judges_by_the_policy(arena: Path) -> None:
    report = ask(arena / "v.jsonl", arena / "r.jsonl")
    firing = {(each.kind.value, each.subject.model) for each in report.alerts if each.status.value == "firing"}
    assert firing == {("silent_removal", "m3")}
    (alert,) = [each for each in report.alerts if each.kind.value == "silent_removal"]
    assert abs(alert.starts_at - (START + 15 * DAY)) < 0.2 * DAY
    assert alert.detected_at - alert.starts_at < DAY
    assert report.declared["m3"]["declared"] == pytest.approx(2 / 19, rel=1e-3)
    assert report.counts.retired == 1
    assert report.counts.inactive_without_notice == 1
    assert set(report.shares["provider"]) == {f"firm {each}" for each in range(5)}


def test_votes_without_times_are_refused(arena: Path) -> None:
    lines = (arena / "v.jsonl").read_text().splitlines()[:2_000]
    plain = [{name: vote[name] for name in ("model_a", "model_b", "winner")} for vote in map(json.loads, lines)]
    path = arena / "plain.jsonl"
    path.write_text("\n".join(map(json.dumps, plain)))
    with pytest.raises(SourceError, match=r"plain\.jsonl: the votes have no times\. .* needs a column of times"):
        ask(path)


def test_an_arena_must_be_chosen_among_several(arena: Path, tmp_path: Path) -> None:
    votes = [json.loads(line) for line in (arena / "v.jsonl").read_text().splitlines()[:1_000]]
    path = tmp_path / "two.jsonl"
    path.write_text("\n".join(json.dumps(vote | {"arena": ("text", "code")[n % 2]}) for n, vote in enumerate(votes)))
    with pytest.raises(SourceError, match="several arenas, choose one with --arena: code, text"):
        ask(path)
    assert ask(path, arena="code").arena == "code"
    with pytest.raises(SourceError, match="no vote of arena 'vision'"):
        ask(path, arena="vision")
    with pytest.raises(SourceError, match="the registry has no model of arena 'code'"):
        ask(path, arena / "r.jsonl", arena="code")


def test_counted_votes_are_totals_that_begin_at_zero() -> None:
    first, second = np.array([0, 0, 1, 0]), np.array([1, 1, 2, 2])
    rows = count_votes(["a", "b", "c"], first, second, np.array([0.0, 10.0, 70.0, 119.0]), {})
    totals = {name: [row.votes for row in rows if row.model == name] for name in "abc"}
    assert totals == {"a": [0, 2, 3], "b": [0, 2, 3], "c": [0, 2]}
    assert sorted({row.date for row in rows}) == [0.0, 60.0, 119.0]


def test_votes_of_one_moment_are_one_snapshot() -> None:
    rows = count_votes(["a", "b"], np.array([0]), np.array([1]), np.array([5.0]), {})
    assert {row.votes for row in rows} == {0.0, 1.0}
