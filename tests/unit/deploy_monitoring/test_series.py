"""The published views as Prometheus series."""

import math
from collections.abc import Iterable

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.board.view_metrics import Published, PublishedSeries, read, shown_models
from streams.contracts.alert import Alert, Kind, Severity, Status, Subject
from streams.contracts.fairness_view import AlertsView
from streams.contracts.published_series import MOST_ALERTS, PUBLISHED_SERIES
from streams.contracts.view import Board, Position, RatedModel, Solver
from streams.fairness.settings import FairnessSettings
from streams.fairness.view import alerts_view, fairness_view
from tests.unit.fairness.arena import Ledger, equal_arena

WHERE = Position(5, {"votes/0": 9})


def rated(model: str, votes: int, *, provisional: bool = False) -> RatedModel:
    return RatedModel(
        model, None if provisional else 1, 1000.0 + votes, 990.0, 1010.0, None, 1000.0, votes, votes + 1, provisional
    )


def board(*lines: RatedModel, arena: str = "text") -> bytes:
    votes = sum(line.votes for line in lines) // 2
    solver = Solver(1, 3, 0.0, sum(line.provisional for line in lines))
    return msgspec.json.encode(Board(arena, "overall", votes, votes + 1, 1.7e9, WHERE, solver, list(lines)))


def alert(number: int, severity: Severity, **subject: str) -> Alert:
    return Alert(
        id=f"{number}-1",
        fingerprint=str(number),
        arena="text",
        kind=Kind.SHARE_DRIFT,
        severity=severity,
        status=Status.FIRING,
        subject=Subject(**(subject or {"model": f"m{number}"})),
        starts_at=1000.0 + number,
        detected_at=2000.0,
        summary="",
        evidence={},
        runbook_url="",
        version=1,
    )


def firing(*alerts: Alert) -> bytes:
    return msgspec.json.encode(AlertsView("text", 1.7e9, WHERE, list(alerts)))


@pytest.fixture(scope="module")
def removed() -> Published:
    """An arena of twelve from which `model-003` was taken in silence, as its fold publishes it."""
    ledger = equal_arena(12, settings=FairnessSettings(review_battles=500, window_reviews=4))
    ledger.battles(4_000)
    ledger.sample("model-003", 0.0)
    ledger.battles(2_000)
    lines = [rated(f"model-{number:03}", 100 + number) for number in range(12)]
    fairness, alerts = fairness_view(ledger.state), alerts_view(ledger.state)
    return Published("text", board(*lines), msgspec.json.encode(fairness), msgspec.json.encode(alerts))


def scrape(*published: Published, most: int = 1_000) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(PublishedSeries(lambda: published, most))
    return registry


def models_of(registry: CollectorRegistry, name: str) -> set[str]:
    return {s.labels["model"] for family in registry.collect() for s in family.samples if s.name == name}


def test_every_series_of_the_contract_is_served_and_no_other(removed: Published) -> None:
    text = generate_latest(scrape(removed)).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    served = {(sample.name, tuple(sorted(sample.labels))) for sample in samples}
    assert served == {(each.name, tuple(sorted(each.labels))) for each in PUBLISHED_SERIES}
    assert all(math.isfinite(sample.value) for sample in samples)


def test_a_removed_model_stands_out_by_evidence_beyond_the_page_level(removed: Published) -> None:
    registry = scrape(removed)

    def value(series: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"isonomy_{series}", {"arena": "text", **labels})

    page = value("arena_page_level_log10")
    assert page is not None
    evidence = {
        model: value("model_removal_evidence_log10", model=model) for model in (f"model-{n:03}" for n in range(12))
    }
    assert {model for model, found in evidence.items() if found is not None and found >= page} == {"model-003"}
    assert value("model_share_ratio", model="model-003") == 0.0
    assert value("model_declared_share_ratio", model="model-003") == pytest.approx(1 / 6, abs=1e-6)
    assert value("model_state", model="model-003", state="removed") == 1
    assert value("arena_models", state="removed") == 1
    assert value("arena_models", state="inactive_without_notice") == 1
    assert value("arena_alerts_firing", kind="silent_removal", severity="critical") == 1
    assert value("arena_alerts_firing", kind="undeclared_model", severity="critical") == 0
    assert value("arena_judged", kind="undeclared_model") == 1
    told = {"kind": "silent_removal", "severity": "critical", "about": "model", "name": "model-003"}
    assert (value("arena_alert_starts_at_seconds", **told) or 0) > 0


def test_what_is_not_judged_has_no_zero(removed: Published) -> None:
    registry = scrape(removed)

    def value(series: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"isonomy_{series}", {"arena": "text", **labels})

    # No prompt hashes, and too few looks at the ratings: that nothing fires says nothing.
    for kind in ("prompt_reuse", "rank_churn"):
        assert value("arena_judged", kind=kind) == 0
        assert value("arena_alerts_firing", kind=kind, severity="critical") is None


def test_an_arena_without_a_registry_has_no_shares_levels_or_evidence_of_0() -> None:
    ledger = Ledger(settings=FairnessSettings(review_battles=500, window_reviews=4))
    for number in range(4):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(2_000)
    fairness, alerts = fairness_view(ledger.state), alerts_view(ledger.state)
    registry = scrape(Published("text", None, msgspec.json.encode(fairness), msgspec.json.encode(alerts)))
    served = {sample.name for family in registry.collect() for sample in family.samples}
    assert "isonomy_model_share_ratio" in served
    for name in (
        "model_declared_share_ratio", "model_evidence_log10", "model_removal_evidence_log10",
        "arena_page_level_log10", "arena_policy_evidence_log10", "arena_gini_ratio",
    ):  # fmt: skip
        assert f"isonomy_{name}" not in served
    without = {"arena": "text", "state": "inactive_without_notice"}
    assert registry.get_sample_value("isonomy_arena_models", without) is None
    assert registry.get_sample_value("isonomy_arena_declares", {"arena": "text"}) == 0
    unregistered = {"arena": "text", "kind": "silent_removal"}
    assert registry.get_sample_value("isonomy_arena_judged", unregistered) == 0
    assert registry.get_sample_value("isonomy_arena_alerts_firing", {**unregistered, "severity": "critical"}) is None


def test_a_provisional_model_has_a_rating_and_no_rank() -> None:
    lines = board(rated("a", 10), rated("b", 5, provisional=True))
    registry = scrape(Published("text", lines, None, None))
    assert models_of(registry, "isonomy_model_rating") == {"a", "b"}
    assert models_of(registry, "isonomy_model_rank") == {"a"}
    standing = {"arena": "text", "standing": "provisional"}
    assert registry.get_sample_value("isonomy_arena_rated_models", standing) == 1


def test_beyond_the_limit_the_models_with_fewest_votes_are_left_out_and_counted() -> None:
    lines = board(*(rated(f"m{n}", n) for n in range(10)))
    registry = scrape(Published("text", lines, None, None), most=3)
    assert models_of(registry, "isonomy_model_rating") == {"m9", "m8", "m7"}
    assert registry.get_sample_value("isonomy_arena_left_out", {"arena": "text", "what": "models"}) == 7


def test_how_much_is_left_out_of_what_is_not_there_is_unknown() -> None:
    def left(published: Published) -> dict[str, float]:
        found = [s for f in scrape(published).collect() for s in f.samples if s.name == "isonomy_arena_left_out"]
        return {sample.labels["what"]: sample.value for sample in found}

    assert left(Published("text", None, None, None)) == {}
    assert left(Published("text", board(rated("m", 1)), None, None)) == {"models": 0}
    assert left(Published("text", None, None, firing())) == {"alerts": 0}


def test_a_wronged_model_is_never_the_one_left_out(removed: Published) -> None:
    few = board(*(rated(f"model-{n:03}", 1 if n == 3 else 100) for n in range(12)))
    kept, models = shown_models(read(removed._replace(board=few)), 4)
    assert models == 12
    assert "model-003" in kept
    assert len(kept) == 4


def test_alerts_beyond_the_limit_are_the_least_grave_and_counted() -> None:
    warnings = [alert(number, Severity.WARNING) for number in range(MOST_ALERTS)]
    registry = scrape(Published("text", None, None, firing(*warnings, alert(999, Severity.CRITICAL))))
    onsets = [s for f in registry.collect() for s in f.samples if s.name == "isonomy_arena_alert_starts_at_seconds"]
    assert len(onsets) == MOST_ALERTS
    assert sum(sample.labels["severity"] == "critical" for sample in onsets) == 1
    assert registry.get_sample_value("isonomy_arena_left_out", {"arena": "text", "what": "alerts"}) == 1
    counted = {"arena": "text", "kind": "share_drift", "severity": "warning"}
    assert registry.get_sample_value("isonomy_arena_alerts_firing", counted) == MOST_ALERTS


def test_subjects_of_every_sort_are_told_apart() -> None:
    about = (Subject(model="x"), Subject(provider="x"), Subject(license="x"), Subject())
    alerts = [alert(n, Severity.WARNING, **msgspec.to_builtins(subject)) for n, subject in enumerate(about[:3])]
    alerts.append(msgspec.structs.replace(alert(3, Severity.WARNING), subject=Subject()))
    registry = scrape(Published("text", None, None, firing(*alerts)))
    onsets = [s for f in registry.collect() for s in f.samples if s.name == "isonomy_arena_alert_starts_at_seconds"]
    found = {(sample.labels["about"], sample.labels["name"]) for sample in onsets}
    assert found == {("model", "x"), ("provider", "x"), ("license", "x"), ("arena", "")}


@pytest.mark.parametrize("name", ['a"b', "new\nline", "back\\slash", "<img onerror=1>", "\u202eevil", "x" * 128])
def test_hostile_names_survive_the_text_format(name: str) -> None:
    text = generate_latest(scrape(Published("text", board(rated(name, 3)), None, None))).decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    assert {s.labels["model"] for s in samples if s.name == "isonomy_model_rating"} == {name}


def test_a_view_that_cannot_be_read_is_counted_and_hides_nothing_else() -> None:
    registry = scrape(Published("text", board(rated("a", 3)), b'{"arena": "text"}', None))
    assert registry.get_sample_value("isonomy_arena_unreadable_views", {"arena": "text"}) == 1
    assert models_of(registry, "isonomy_model_rating") == {"a"}


def test_a_number_that_is_none_of_ours_blinds_no_other_arena() -> None:
    huge = board(rated("a", 3)).replace(b'"votes":', b'"votes":1' + b"0" * 400 + b',"of":')
    registry = scrape(Published("huge", huge, None, None), Published("text", board(rated("b", 3)), None, None))
    assert b"isonomy_arena_votes" in generate_latest(registry)
    assert models_of(registry, "isonomy_model_rating") == {"a", "b"}


def test_registering_reads_no_views() -> None:
    def views() -> Iterable[Published]:
        raise AssertionError("read too early")

    CollectorRegistry().register(PublishedSeries(views))
