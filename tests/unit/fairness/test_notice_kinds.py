"""Kinds that notices decide: each fires in a minimal scenario and not in its healthy twin."""

import pytest

from streams.contracts.alert import Kind, Severity, Status, Subject
from streams.fairness.settings import FairnessSettings
from tests.unit.fairness.arena import Ledger, equal_arena


@pytest.fixture
def ledger(brisk: FairnessSettings) -> Ledger:
    ledger = equal_arena(8, settings=brisk)
    ledger.battles(1_000, days=1)
    return ledger


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ({"status": "retired"}, "retired"),
        ({"weight": 0.0}, "weight_0"),
        ({"gone": True}, "unregistered"),
        ({"weight": 0.0, "status": "deprecated"}, "deprecated_weight_0"),
    ],
)
def test_an_end_without_notice_is_told(
    ledger: Ledger, change: dict[str, str] | dict[str, float] | dict[str, bool] | dict[str, object], how: str
) -> None:
    ledger.declare("model-003", **change)
    (alert,) = ledger.firing(Kind.UNANNOUNCED_RETIREMENT)
    assert (alert.subject, alert.severity) == (Subject(model="model-003"), Severity.CRITICAL)
    assert alert.evidence["how"] == how
    assert "14 days of notice are owed" in alert.summary


def test_an_end_after_the_notice_period_is_not_told(ledger: Ledger) -> None:
    ledger.declare("model-003", status="deprecated")
    ledger.battles(1_000, days=14.1)
    ledger.declare("model-003", status="retired")
    assert ledger.told(Kind.UNANNOUNCED_RETIREMENT) == []


def test_an_end_within_the_notice_period_is_told_with_the_days_given(ledger: Ledger) -> None:
    ledger.declare("model-003", status="deprecated")
    ledger.battles(1_000, days=3)
    ledger.declare("model-003", status="retired")
    (alert,) = ledger.firing(Kind.UNANNOUNCED_RETIREMENT)
    assert alert.evidence["days_given"] == pytest.approx(3, abs=0.01)


def test_a_date_that_is_claimed_later_does_not_count(ledger: Ledger) -> None:
    ledger.declare("model-003", status="deprecated", announced_at=ledger.clock - 30 * 86_400)
    ledger.declare("model-003", status="retired")
    (alert,) = ledger.firing(Kind.UNANNOUNCED_RETIREMENT)
    assert alert.evidence["days_given"] == 0.0


def test_a_registry_that_begins_within_a_notice_period_may_say_so(ledger: Ledger) -> None:
    ledger.declare("elder", status="deprecated", announced_at=ledger.clock - 30 * 86_400)
    ledger.battles(500)
    ledger.declare("elder", status="retired")
    assert ledger.told(Kind.UNANNOUNCED_RETIREMENT) == []


def test_a_deprecation_that_was_taken_back_is_no_notice(ledger: Ledger) -> None:
    ledger.declare("model-003", status="deprecated")
    ledger.battles(1_000, days=10)
    ledger.declare("model-003", status="active")
    ledger.battles(1_000, days=10)
    ledger.declare("model-003", status="retired")
    assert ledger.firing(Kind.UNANNOUNCED_RETIREMENT)


def test_a_model_that_comes_back_ends_the_alert(ledger: Ledger) -> None:
    ledger.declare("model-003", status="retired")
    ledger.declare("model-003", status="active")
    assert [each.status for each in ledger.told(Kind.UNANNOUNCED_RETIREMENT)] == [Status.FIRING, Status.RESOLVED]


def test_a_past_event_is_closed_after_the_days_that_it_is_kept(ledger: Ledger) -> None:
    ledger.declare("model-003", status="retired")
    ledger.battles(1_000, days=89)
    assert ledger.firing(Kind.UNANNOUNCED_RETIREMENT)
    ledger.battles(1_000, days=2)
    assert not ledger.firing(Kind.UNANNOUNCED_RETIREMENT)


def test_an_entry_that_was_never_shown_is_a_correction(ledger: Ledger) -> None:
    ledger.declare("typo")
    ledger.declare("typo", gone=True)
    assert ledger.told(Kind.UNANNOUNCED_RETIREMENT) == []


def variants(ledger: Ledger, count: int, **fields: str) -> None:
    for number in range(count):
        ledger.declare(f"variant-{number}", provider="lab-x", visibility="private", **fields)


def test_more_private_variants_than_allowed_are_told_with_their_names(ledger: Ledger) -> None:
    variants(ledger, 3)
    assert ledger.told(Kind.PRIVATE_VARIANTS) == []
    ledger.declare("variant-3", provider="lab-x", visibility="private")
    (alert,) = ledger.firing(Kind.PRIVATE_VARIANTS)
    assert alert.subject == Subject(provider="lab-x")
    assert alert.evidence["models"] == [f"variant-{number}" for number in range(4)]
    ledger.declare("variant-0", 0.0)
    assert not ledger.firing(Kind.PRIVATE_VARIANTS)


@pytest.mark.parametrize(("kind", "count"), [(Kind.PRIVATE_VARIANTS, 119), (Kind.BEST_OF_N, 120)])
def test_of_very_many_variants_some_are_named_and_all_are_counted(ledger: Ledger, kind: Kind, count: int) -> None:
    variants(ledger, 120)
    ledger.battles(2_000)
    ledger.declare("variant-0", visibility="public")
    ledger.battles(4_000)
    alert = ledger.told(kind)[-1]
    assert len(alert.evidence["models"]) == 50
    assert alert.evidence["variants"] == count
    assert f"and {count - 5} more" in alert.summary


def test_a_score_that_was_never_shown_may_not_vanish(ledger: Ledger) -> None:
    variants(ledger, 2)
    ledger.battles(2_000)
    ledger.declare("variant-1", gone=True)
    (alert,) = ledger.firing(Kind.SCORE_RETRACTION)
    assert (alert.subject, alert.severity) == (Subject(model="variant-1"), Severity.WARNING)
    assert alert.evidence["votes"] == pytest.approx(400, rel=0.2)
    assert (alert.evidence["withdrawn"], alert.evidence["tested"]) == (1, 2)


def test_a_score_of_few_votes_may(ledger: Ledger) -> None:
    variants(ledger, 2)
    ledger.battles(500)
    ledger.declare("variant-1", gone=True)
    assert ledger.told(Kind.SCORE_RETRACTION) == []


def test_publishing_a_withdrawn_score_ends_the_alert(ledger: Ledger) -> None:
    variants(ledger, 2)
    ledger.battles(2_000)
    ledger.declare("variant-1", status="retired")
    ledger.declare("variant-1", status="retired", visibility="public")
    assert [each.status for each in ledger.told(Kind.SCORE_RETRACTION)] == [Status.FIRING, Status.RESOLVED]


def test_a_public_model_that_retires_retracts_no_score(ledger: Ledger) -> None:
    ledger.battles(2_000)
    ledger.declare("model-002", status="retired")
    assert ledger.told(Kind.SCORE_RETRACTION) == []


def test_the_best_of_ten_is_published_with_what_luck_alone_gains(ledger: Ledger) -> None:
    variants(ledger, 10)
    ledger.battles(4_000)
    ledger.declare("variant-6", visibility="public")
    (alert,) = ledger.firing(Kind.BEST_OF_N)
    assert (alert.subject, alert.severity) == (Subject(model="variant-6"), Severity.INFO)
    assert alert.evidence["variants"] == 10
    sigma, spread = alert.evidence["sigma"], alert.evidence["spread"]
    gain = 1.5388 * sigma**2 / (sigma**2 + spread**2) ** 0.5
    assert alert.evidence["expected_gain"] == pytest.approx(gain, rel=1e-3)
    assert 5 < alert.evidence["sigma"] < 30


def test_the_best_under_a_name_of_its_own_is_found_by_its_family(ledger: Ledger) -> None:
    variants(ledger, 5, family="llama")
    ledger.battles(2_000)
    ledger.declare("llama-final", provider="lab-x", family="llama")
    assert ledger.firing(Kind.BEST_OF_N)[0].evidence["variants"] == 5


def test_a_model_tested_alone_is_no_best_of_n(ledger: Ledger) -> None:
    variants(ledger, 1)
    ledger.battles(2_000)
    ledger.declare("variant-0", visibility="public")
    ledger.declare("stranger", provider="lab-y", family="llama")
    assert ledger.told(Kind.BEST_OF_N) == []


def half_open(brisk: FairnessSettings) -> Ledger:
    ledger = Ledger(settings=brisk)
    for number in range(40):
        ledger.declare(f"model-{number:02}", license="open_weight" if number % 2 else "proprietary")
    ledger.battles(2_000)
    return ledger


def test_departures_of_one_class_only_are_told(brisk: FairnessSettings) -> None:
    ledger = half_open(brisk)
    for number in range(1, 40, 2):
        ledger.declare(f"model-{number:02}", status="retired")
    (alert,) = ledger.firing(Kind.RETIREMENT_BIAS)
    assert alert.subject == Subject(license="open_weight")
    assert alert.evidence["left"] > 10
    assert alert.evidence["others_left"] == 0


def test_departures_of_both_classes_are_not(brisk: FairnessSettings) -> None:
    ledger = half_open(brisk)
    for number in range(1, 31):
        ledger.declare(f"model-{number:02}", status="retired")
    assert ledger.told(Kind.RETIREMENT_BIAS) == []


def test_silent_removals_count_as_departures(brisk: FairnessSettings) -> None:
    ledger = half_open(brisk)
    for number in range(1, 31, 2):
        ledger.sample(f"model-{number:02}", 0.0)
        ledger.battles(1_500)
    assert len(ledger.firing(Kind.SILENT_REMOVAL)) == 15
    assert [alert.subject.license for alert in ledger.firing(Kind.RETIREMENT_BIAS)] == ["open_weight"]
