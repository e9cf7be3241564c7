"""Share drift, silent removal and the stalled feed: each fires in a minimal scenario and not in its healthy twin."""

import numpy as np
import pytest

from streams.contracts.alert import Kind, Severity, Status, Subject
from streams.fairness.detectors.share_alarm import PAGED, ShareAlarms
from tests.unit.fairness.arena import START, Ledger, equal_arena

EXPOSURE = {Kind.SHARE_DRIFT, Kind.SILENT_REMOVAL, Kind.FEED_STALLED}


def of_exposure(ledger):
    return [alert for alert in ledger.alerts if alert.kind in EXPOSURE]


def test_a_healthy_arena_says_nothing(brisk):
    ledger = equal_arena(20, settings=brisk)
    ledger.battles(30_000)
    assert ledger.alerts == []


def test_a_removed_model_is_named_with_its_onset_and_numbers():
    ledger = equal_arena(20)
    ledger.battles(30_050)  # by then a vote without ids counts as a draw
    ledger.sample("model-004", 0.0)
    gone = ledger.clock
    ledger.battles(3_000)
    (alert,) = ledger.firing(Kind.SILENT_REMOVAL)
    assert (alert.subject, alert.severity) == (Subject(model="model-004"), Severity.CRITICAL)
    assert abs(alert.starts_at - gone) < 300 * 0.864
    assert alert.detected_at - gone < 400 * 0.864  # π = 0.1: ln c/KL is 180 battles
    assert alert.evidence["appearances"] <= 3
    assert alert.evidence["log10_e"] >= alert.evidence["log10_page"]
    assert "model-004 (lab-4, proprietary) is declared active in arena text and is gone" in alert.summary


def test_a_removal_is_told_once_and_nobody_else_is_accused():
    ledger = equal_arena(20)
    ledger.battles(5_000)
    for name in ("model-003", "model-008"):
        ledger.sample(name, 0.0)
    ledger.battles(20_000)
    assert {alert.subject.name for alert in of_exposure(ledger)} == {"model-003", "model-008"}
    assert {alert.kind for alert in ledger.firing()} == {Kind.SILENT_REMOVAL}


def test_a_model_that_returns_ends_its_alert_and_a_second_removal_is_another():
    ledger = equal_arena(20)
    for weight in (1.0, 0.0, 1.0, 0.0):
        ledger.sample("model-004", weight)
        ledger.battles(4_000)
    told = ledger.told(Kind.SILENT_REMOVAL)
    assert [alert.status for alert in told] == [Status.FIRING, Status.RESOLVED, Status.FIRING]
    assert told[0].id == told[1].id != told[2].id
    assert told[0].fingerprint == told[2].fingerprint
    assert told[1].ends_at is not None


def test_recovery_is_seen_as_soon_after_a_long_absence_as_after_a_short_one():
    lasted = []
    for absence in (2_000, 60_000):
        ledger = equal_arena(20)
        ledger.battles(30_000)  # by then a vote without ids counts as a draw
        ledger.sample("model-004", 0.0)
        ledger.battles(absence)
        back = ledger.clock
        ledger.sample("model-004", 1.0)
        ledger.battles(2_000)
        lasted.append((ledger.told(Kind.SILENT_REMOVAL)[-1].ends_at - back) / 0.864)
    assert max(lasted) < 500


def test_a_few_stray_battles_do_not_end_a_removal():
    ledger = equal_arena(20)
    ledger.sample("model-004", 0.0)
    ledger.battles(2_000)
    for _ in range(10):  # some 3 % of its share
        ledger.sample("model-004", 1.0)
        ledger.battles(60)
        ledger.sample("model-004", 0.0)
        ledger.battles(1_940)
    assert [alert.status for alert in ledger.told(Kind.SILENT_REMOVAL)] == [Status.FIRING]


def test_a_notice_that_declares_the_removal_ends_it():
    ledger = equal_arena(20)
    ledger.battles(2_000)
    ledger.sample("model-004", 0.0)
    ledger.battles(2_000)
    ledger.declare("model-004", status="retired")
    assert ledger.told(Kind.SILENT_REMOVAL)[-1].status is Status.RESOLVED
    ledger.battles(20_000)
    assert not {alert.kind for alert in ledger.firing()} & EXPOSURE


@pytest.mark.parametrize(("factor", "direction"), [(0.5, "drop"), (1.6, "rise")])
def test_a_share_that_drifts_is_a_warning_and_then_a_page(factor, direction):
    ledger = equal_arena(20)
    ledger.battles(5_000)
    ledger.sample("model-004", factor)
    ledger.battles(15_000)
    told = [alert for alert in ledger.told(Kind.SHARE_DRIFT) if alert.subject.model == "model-004"]
    assert [alert.severity for alert in told] == [Severity.WARNING, Severity.CRITICAL]
    assert len({alert.id for alert in told}) == 1
    assert told[0].detected_at == told[1].detected_at
    assert told[0].evidence["direction"] == direction
    assert told[0].evidence["observed_share"] == pytest.approx(0.1 * factor, rel=0.35)


def test_a_drift_of_a_provider_that_is_a_class_is_told_once_and_not_of_its_models(brisk):
    ledger = equal_arena(40, settings=brisk)
    for number in range(8):
        ledger.declare(f"model-{number:03}", license="open_weight", provider="lab-x")
    ledger.battles(5_000)
    for number in range(8):
        ledger.sample(f"model-{number:03}", 0.4)
    ledger.battles(10_000)
    alert = ledger.alerts[-1]
    assert {each.id for each in of_exposure(ledger)} == {alert.id}
    assert alert.evidence["part_count"] >= 9  # the eight models, and the provider or the class
    assert alert.subject in (Subject(provider="lab-x"), Subject(license="open_weight"))
    assert alert.severity is Severity.CRITICAL


def test_what_is_usual_of_a_model_is_not_learned_from_battles_that_an_alert_explains(brisk):
    ledger = equal_arena(40, settings=brisk)
    for number in range(8):
        ledger.declare(f"model-{number:03}", provider="lab-x")
    ledger.battles(5_000)
    for number in range(8):
        ledger.sample(f"model-{number:03}", 1.6)
    ledger.battles(10_000)
    assert [alert.subject for alert in ledger.firing(Kind.SHARE_DRIFT)] == [Subject(provider="lab-x")]
    facts = ledger.state.scene.facts
    parts = [facts.roster.models[f"model-{number:03}"] for number in range(8)]
    others = [facts.roster.models[f"model-{number:03}"] for number in range(8, 40)]
    usual = facts.shares.usual
    known = usual.battles.copy()
    ledger.battles(5_000)
    assert usual.battles[parts].tolist() == known[parts].tolist()
    assert (usual.battles[others] == known[others] + 5_000).all()
    for number in range(8):
        ledger.sample(f"model-{number:03}", 1.0)
    ledger.battles(10_000)
    assert not ledger.firing(Kind.SHARE_DRIFT)
    assert (usual.battles[parts] > known[parts]).all()


def test_a_deprecated_model_with_a_weight_is_still_judged_but_not_called_removed():
    ledger = equal_arena(20)
    ledger.declare("model-004", status="deprecated")
    ledger.sample("model-004", 0.0)
    ledger.battles(5_000)
    assert [alert.subject.model for alert in ledger.firing(Kind.SHARE_DRIFT)] == ["model-004"]
    assert not ledger.firing(Kind.SILENT_REMOVAL)


def test_a_new_model_launched_at_the_wrong_share_is_seen():
    ledger = equal_arena(20)
    ledger.battles(20_000)
    ledger.declare("newcomer", 1.0)
    ledger.sample("newcomer", 0.1)
    ledger.battles(5_000)
    assert [alert.subject.model for alert in ledger.firing() if alert.kind in EXPOSURE] == ["newcomer"]


def test_selection_of_forty_per_cent_is_a_drift_that_says_selection_can_be_the_cause():
    ledger = equal_arena(20)
    finish = np.ones(20)
    finish[4] = 0.6
    ledger.battles(60_000, finish=finish, report_none=False)
    (alert, *_) = ledger.told(Kind.SHARE_DRIFT)
    assert alert.subject.model == "model-004"
    assert "selection can be the cause" in alert.summary


def test_selection_of_forty_per_cent_is_silent_when_unfinished_battles_are_reported():
    ledger = equal_arena(20)
    finish = np.ones(20)
    finish[4] = 0.6
    ledger.battles(60_000, finish=finish)
    assert of_exposure(ledger) == []


def test_an_arena_without_a_registry_is_not_judged():
    ledger = equal_arena(0)
    for number in range(10):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(5_000)
    ledger.sample("model-3", 0.0)
    ledger.battles(20_000)
    assert ledger.alerts == []


def test_an_arena_that_declares_its_models_late_is_judged_from_there_on():
    """Also in the middle of a tick; earlier battles are no evidence for or against a model."""
    ledger = Ledger(seed=17)
    names = [f"model-{number:02}" for number in range(12)]
    for name in names:
        ledger.sample(name, 5.0 if name == "model-03" else 1.0)
    ledger.battles(4_030)
    for name in names:
        ledger.declare(name)
    declared = ledger.rows
    sums = ledger.state.scene.facts.shares.declared
    judged = [ledger.state.scene.facts.roster.models[name] for name in names]
    assert (sums.since_row[:, judged] == declared).all()
    assert not sums.r[:, judged].any()
    ledger.battles(20_000)
    assert ledger.alerts == []
    gone = ledger.clock
    ledger.sample("model-07", 0.0)
    ledger.battles(5_000)
    [alert] = [alert for alert in ledger.alerts if alert.kind is Kind.SILENT_REMOVAL]
    assert alert.subject.model == "model-07"
    assert abs(alert.starts_at - gone) < 200 * 0.864


def test_most_models_stopping_together_are_one_stalled_feed():
    ledger = equal_arena(20)
    ledger.battles(5_000)
    stopped = ledger.clock
    for number in range(12):
        ledger.sample(f"model-{number:03}", 0.0)
    ledger.battles(10_000)
    (alert,) = of_exposure(ledger)
    assert (alert.kind, alert.subject, alert.severity) == (Kind.FEED_STALLED, Subject(), Severity.CRITICAL)
    assert alert.evidence["missing_models"] == 12
    assert abs(alert.starts_at - stopped) < 100 * 0.864
    for number in range(12):
        ledger.sample(f"model-{number:03}", 1.0)
    ledger.battles(20_000)
    assert [alert.status for alert in of_exposure(ledger)] == [Status.FIRING, Status.RESOLVED]


def test_a_single_removal_in_a_small_arena_is_no_stalled_feed():
    ledger = equal_arena(8)
    ledger.battles(1_000)
    ledger.sample("model-004", 0.0)
    ledger.battles(500)
    assert [alert.subject.model for alert in ledger.firing(Kind.SILENT_REMOVAL)] == ["model-004"]
    assert not ledger.told(Kind.FEED_STALLED)


@pytest.mark.parametrize(("models", "stop"), [(8, 5), (100, 60), (300, 200)])
def test_a_fleet_of_any_size_that_stops_is_one_alert(models, stop):
    ledger = equal_arena(models)
    ledger.battles(20_050)
    for number in range(stop):
        ledger.sample(f"model-{number:03}", 0.0)
    ledger.battles(20_000)
    assert [alert.evidence["missing_models"] for alert in of_exposure(ledger)] == [stop]


def test_a_minority_stopping_together_are_removals():
    ledger = equal_arena(20)
    ledger.battles(5_000)
    for number in range(8):
        ledger.sample(f"model-{number:03}", 0.0)
    ledger.battles(10_000)
    assert len(ledger.firing(Kind.SILENT_REMOVAL)) == 8
    assert not ledger.told(Kind.FEED_STALLED)


def test_a_feed_that_turns_to_zeros_is_a_stalled_feed(brisk):
    ledger = equal_arena(20, settings=brisk)
    ledger.battles(5_000, none=0.5)
    assert ledger.alerts == []
    since = ledger.clock
    ledger.battles(2_000, zeros=True)
    (alert,) = ledger.alerts
    assert (alert.kind, alert.evidence["cause"]) == (Kind.FEED_STALLED, "zeros")
    assert alert.starts_at == pytest.approx(since, abs=100 * 0.864)
    ledger.battles(1_000)
    assert ledger.alerts[-1].status is Status.RESOLVED
    assert START < alert.starts_at < alert.detected_at < ledger.alerts[-1].ends_at


def test_a_provider_of_one_model_is_told_as_that_model_only():
    ledger = equal_arena(0)
    for number in range(20):
        ledger.declare(f"model-{number:03}")
    ledger.battles(2_000)
    ledger.sample("model-004", 0.3)
    ledger.battles(10_000)
    assert {alert.subject for alert in of_exposure(ledger)} == {Subject(model="model-004")}


def test_battles_under_a_past_policy_say_nothing_about_a_model_that_was_not_in_it():
    alarms = ShareAlarms()
    alarms.resize(2)
    alarms.held[:], alarms.usual[:], alarms.back[:] = PAGED, 1.0, 0.7
    alarms.recover(np.array([0.0, 0.5]), np.array([0.0, 40.0]), 80.0, np.zeros(2), closes=False)
    assert alarms.recovery_bank[0] == 0.0
    assert alarms.recovery_bank[1] > 0.0
