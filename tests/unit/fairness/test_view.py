import numpy as np
import pytest

from streams.contracts.alert import Kind
from streams.contracts.fairness_view import Exposure, FairnessView, Line
from streams.contracts.judged import Unjudged
from streams.fairness.settings import FairnessSettings
from streams.fairness.view import NO_POLICY, alerts_view, fairness_view
from tests.unit.fairness.arena import Ledger, equal_arena


def line(view: FairnessView, name: str) -> Line:
    return next(each for each in view.models if each.model == name)


def test_shares_are_named_and_add_up(brisk: FairnessSettings) -> None:
    ledger = equal_arena(10, settings=brisk)
    ledger.battles(5_000)
    view = fairness_view(ledger.state)
    assert sum(each.declared_share_of_battles for each in view.models) == pytest.approx(2)
    assert sum(each.share_of_battles for each in view.models) == pytest.approx(2)
    assert sum(each.share_of_slots for each in view.models) == pytest.approx(1)
    assert sum(each.share_of_slots for each in view.providers) == pytest.approx(1)
    (proprietary,) = view.licenses
    assert (proprietary.share_of_battles, proprietary.share_of_slots) == (1.0, 1.0)
    assert (view.battles, view.votes, view.window_battles) == (5_000, 5_000, 3_000)
    assert view.note is None


def test_an_arena_without_a_registry_shows_shares_and_says_that_nothing_is_judged(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=brisk)
    for number in range(10):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(5_000)
    view = fairness_view(ledger.state)
    assert (view.declares, view.note) == (False, NO_POLICY)
    assert line(view, "model-3").share_of_battles == pytest.approx(0.2, abs=0.03)
    third = line(view, "model-3")
    assert (third.declared_share_of_battles, third.log10_e, third.log10_e_removal, third.without_notice) == (None,) * 4
    assert (view.levels, view.policy, view.removals, view.inequality.gini) == (None,) * 4
    assert (view.counts.inactive_without_notice, view.counts.private, view.counts.retired) == (None,) * 3
    assert (view.counts.models, view.counts.active, view.counts.inactive) == (10, 10, 0)


def test_what_is_inactive_is_unknown_until_a_window_could_show_it(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=brisk)
    for number in range(10):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(1_000)
    ledger.sample("model-3", 0.0)
    ledger.battles(1_500)
    view = fairness_view(ledger.state)
    assert (view.counts.inactive, {line.inactive for line in view.models}) == (None, {None})
    ledger.battles(4_000)
    view = fairness_view(ledger.state)
    assert (view.counts.inactive, line(view, "model-3").state, line(view, "model-3").inactive) == (1, "inactive", True)
    declared = equal_arena(12, settings=brisk)
    declared.declare("model-001", status="retired")
    declared.battles(1_500)
    view = fairness_view(declared.state)
    assert (view.counts.inactive, view.providers[0].counts.inactive is None) == (1, False)


def test_evidence_is_unknown_before_the_first_look(brisk: FairnessSettings) -> None:
    ledger = equal_arena(12, settings=brisk)
    ledger.battles(brisk.tick_battles - 1)
    view = fairness_view(ledger.state)
    assert {line.log10_e for line in view.models} == {line.log10_e_removal for line in view.models} == {None}
    assert {group.log10_e for group in view.providers} == {None}
    ledger.battles(1)
    view = fairness_view(ledger.state)
    assert None not in {line.log10_e for line in view.models} | {line.log10_e_removal for line in view.models}
    assert None not in {group.log10_e for group in view.providers}


def test_inactive_and_inactive_without_notice_are_two_numbers(brisk: FairnessSettings) -> None:
    ledger = equal_arena(12, settings=brisk)
    ledger.battles(1_000, days=1)
    ledger.declare("model-000", status="deprecated")
    ledger.battles(1_000, days=20)
    ledger.declare("model-000", status="retired")  # with notice
    ledger.declare("model-001", status="retired")  # without
    ledger.declare("model-002", status="deprecated")
    ledger.sample("model-003", 0.0)  # in silence
    ledger.declare("variant", 0.0, visibility="private", provider="lab-0")
    ledger.battles(5_000, days=1)
    view = fairness_view(ledger.state)
    counts = view.counts
    assert (counts.models, counts.active, counts.deprecated, counts.retired) == (13, 8, 1, 3)
    assert (counts.inactive, counts.inactive_without_notice) == (4, 2)
    assert view.removals == ["model-003"]
    assert line(view, "model-003").log10_e_removal > view.levels.log10_page
    assert line(view, "model-001").since is not None
    lab = next(group for group in view.providers if group.name == "lab-0")
    assert (lab.counts.models, lab.counts.retired, lab.counts.private) == (4, 2, 0)


def test_private_variants_are_counted_per_provider(brisk: FairnessSettings) -> None:
    ledger = equal_arena(5, settings=brisk)
    for number in range(3):
        ledger.declare(f"variant-{number}", visibility="private", provider="lab-0")
    view = fairness_view(ledger.state)
    assert {group.name: group.counts.private for group in view.providers}["lab-0"] == 3
    assert view.counts.private == 3


def test_levels_say_what_is_promised() -> None:
    ledger = equal_arena(20)
    levels = fairness_view(ledger.state).levels
    shares = 20 + 5 + 1  # drifts of models, providers and the class; removals claim nothing more
    assert levels.detectors == shares + 20 + 20 + 1 + 1  # pairings; sides of models and the arena; votes for a side
    assert levels.log10_page == pytest.approx(np.log10(levels.detectors * 3.65e5), abs=1e-4)
    assert levels.battles_between_pages == 3.65e7


def test_the_alerts_that_fire_are_laid_out_with_the_latest_first() -> None:
    ledger = equal_arena(20)
    ledger.battles(2_000)
    for name in ("model-004", "model-009"):
        ledger.sample(name, 0.0)
        ledger.battles(2_000)
    view = alerts_view(ledger.state)
    assert [alert.subject.model for alert in view.alerts] == ["model-009", "model-004"]
    assert view.position.watermark == {"models/0": 19, "votes/0": 5_999}


def test_how_battles_are_told_from_votes_is_said(brisk: FairnessSettings) -> None:
    ledger = equal_arena(20, settings=brisk)
    assert fairness_view(ledger.state).exposure == Exposure(1.0, None, None)
    ledger.battles(900)
    ledger.declare("late")
    ledger.battles(1_100)
    assert fairness_view(ledger.state).exposure.unclear_share == 1.0
    assert fairness_view(ledger.state).exposure.judged_share == pytest.approx(0.058, abs=0.002)


def judges(ledger: Ledger):
    return {each.kind: each for each in fairness_view(ledger.state).judged}


def test_of_every_kind_it_is_said_whether_it_is_judged(brisk: FairnessSettings) -> None:
    assert list(judges(Ledger(settings=brisk))) == list(Kind)


def test_before_the_first_battle_nothing_of_the_battles_is_judged(brisk: FairnessSettings) -> None:
    found = judges(equal_arena(4, settings=brisk))
    judged = {kind for kind, each in found.items() if each.judged}
    assert judged == {Kind.UNANNOUNCED_RETIREMENT}
    assert found[Kind.SHARE_DRIFT].reason is Unjudged.NO_BATTLES


def test_without_a_registry_only_what_needs_none_is_judged(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=brisk)
    for number in range(4):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(5_000)
    found = judges(ledger)
    assert {kind for kind, each in found.items() if each.judged} == {
        Kind.FEED_STALLED, Kind.GRAPH_FRAGILE, Kind.RANK_CHURN, Kind.NAME_FLOOD,
    }  # fmt: skip
    assert found[Kind.PROMPT_REUSE].reason is Unjudged.NO_PROMPTS
    for kind in (Kind.SILENT_REMOVAL, Kind.SHARE_DRIFT, Kind.BEST_OF_N, Kind.DATA_INEQUALITY, Kind.RETIREMENT_BIAS):
        assert (found[kind].reason, found[kind].subjects) == (Unjudged.NO_REGISTRY, None)
        assert found[kind].note == "the arena declares no models"


def test_what_is_judged_is_told_with_how_many_and_since_when(brisk: FairnessSettings) -> None:
    ledger = equal_arena(10, settings=brisk)
    ledger.battles(1_000)
    ledger.declare("late")
    ledger.battles(5_000)
    found = judges(ledger)
    removal, drift = found[Kind.SILENT_REMOVAL], found[Kind.SHARE_DRIFT]
    assert (removal.judged, removal.subjects, removal.since_battle) == (True, 11, 1_000)
    assert drift.subjects == np.count_nonzero(ledger.state.scene.play.pi_play) > 11
    assert drift.since == ledger.state.scene.epoch.since_time
    assert found[Kind.PRIVATE_VARIANTS].reason is Unjudged.NO_PRIVATE_MODELS
    assert found[Kind.RETIREMENT_BIAS].reason is Unjudged.ONE_CLASS
    ledger.declare("secret", visibility="private")
    assert judges(ledger)[Kind.PRIVATE_VARIANTS].judged


def test_while_votes_are_missing_nobody_is_judged_by_what_is_missing(brisk: FairnessSettings) -> None:
    ledger = equal_arena(10, settings=brisk)
    ledger.battles(2_000)
    ledger.battles(2_000, zeros=True)
    assert ledger.state.scene.facts.outage
    assert judges(ledger)[Kind.SHARE_DRIFT].reason is Unjudged.FEED_STALLED
