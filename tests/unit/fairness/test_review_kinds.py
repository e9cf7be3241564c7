"""Kinds that reviews decide: each fires in a minimal scenario and not in its healthy twin."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity, Subject
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.rank_churn import RankChurn, _chance
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.inequality import gini
from tests.unit.fairness.arena import Ledger, equal_arena


def with_settings(brisk: FairnessSettings, **changed: float) -> FairnessSettings:
    return msgspec.structs.replace(brisk, **changed)


@pytest.mark.parametrize("bound", [0.45, 0.55])
def test_a_provider_above_its_share_of_slots_is_told(brisk: FairnessSettings, bound: float) -> None:
    ledger = Ledger(settings=with_settings(brisk, max_provider_share=bound))
    for number in range(10):
        ledger.declare(f"model-{number}", provider="large" if number < 5 else f"small-{number}")
    ledger.battles(5_000)
    subjects = [alert.subject for alert in ledger.firing(Kind.DATA_INEQUALITY)]
    assert subjects == ([Subject(provider="large")] if bound < 0.5 else [])


def test_the_inequality_of_a_provider_names_both_quantities(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=with_settings(brisk, max_provider_share=0.45))
    for number in range(10):
        ledger.declare(f"model-{number}", provider="large" if number < 5 else f"small-{number}")
    ledger.battles(5_000)
    (alert,) = ledger.firing(Kind.DATA_INEQUALITY)
    assert alert.evidence["share_of_slots"] == pytest.approx(0.5, abs=0.02)
    assert alert.evidence["share_of_battles"] == pytest.approx(1 - 5 / 10 * 4 / 9, abs=0.02)


@pytest.mark.parametrize("changed", [{"max_provider_hhi": 0.3}, {"max_provider_gini": 0.3}])
def test_providers_that_are_too_unequal_as_a_whole_are_told_of_the_arena(
    brisk: FairnessSettings, changed: dict[str, float]
) -> None:
    ledger = Ledger(settings=with_settings(brisk, max_provider_share=1.0, **changed))
    for number in range(10):
        ledger.declare(f"model-{number}", provider="large" if number < 6 else f"small-{number}")
    ledger.battles(5_000)
    (alert,) = ledger.firing(Kind.DATA_INEQUALITY)
    assert (alert.subject, alert.severity) == (Subject(), Severity.INFO)
    assert alert.evidence["largest"] == "large"


def test_a_licence_class_above_its_share_is_told(brisk: FairnessSettings) -> None:
    ledger = equal_arena(10, settings=with_settings(brisk, max_license_share=0.8))
    ledger.declare("open", license="open_weight")
    ledger.battles(5_000)
    assert [alert.subject for alert in ledger.firing(Kind.DATA_INEQUALITY)] == [Subject(license="proprietary")]


def test_bounds_that_equal_shares_would_break_are_not_judged(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=with_settings(brisk, max_provider_share=0.3, max_license_share=0.8, max_provider_hhi=0.3))
    for number in range(6):
        ledger.declare(f"model-{number}", provider=f"lab-{number % 3}")
    ledger.battles(5_000)
    assert ledger.alerts == []


def test_gini_is_half_the_relative_mean_difference() -> None:
    values = np.random.default_rng(0).exponential(size=50)
    difference = np.abs(values[:, None] - values).mean()
    assert gini(values) == pytest.approx(difference / (2 * values.mean()))


def test_a_model_outside_the_registry_is_told(brisk: FairnessSettings) -> None:
    ledger = equal_arena(10, settings=brisk)
    ledger.battles(3_000)
    assert ledger.alerts == []
    ledger.sample("stranger", 0.2)
    ledger.battles(3_000)
    (alert,) = ledger.firing()
    assert (alert.kind, alert.subject.model) == (Kind.UNDECLARED_MODEL, "stranger")
    assert alert.evidence["cause"] == "unregistered"
    ledger.declare("stranger", 0.2)
    ledger.battles(3_000)
    assert ledger.firing() == []


def test_a_retired_model_that_is_still_drawn_is_told_but_not_for_battles_under_way(brisk: FairnessSettings) -> None:
    ledger = equal_arena(10, settings=brisk)
    ledger.battles(2_900)
    ledger.declare("model-004", status="retired", keep=True)
    ledger.battles(100)
    ledger.sample("model-004", 0.0)
    ledger.battles(3_000)
    assert ledger.told(Kind.UNDECLARED_MODEL) == []
    ledger.sample("model-004", 1.0)
    ledger.battles(1_000)
    assert [alert.evidence["cause"] for alert in ledger.firing(Kind.UNDECLARED_MODEL)] == ["retired"]


def test_without_a_registry_nobody_is_undeclared(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=brisk)
    for number in range(5):
        ledger.sample(f"model-{number}", 1.0)
    ledger.battles(5_000)
    assert ledger.alerts == []


def prompts(random: np.random.Generator, repeated: float):
    """Fresh prompts, with a part of them drawn from a small pool."""

    def make(n: int) -> tuple[list[str], NDArray[np.float64]]:
        fresh = [f"{word:x}" for word in random.integers(0, 2**62, n).tolist()]
        pool = random.random(n) < repeated
        picked = random.integers(0, 300, n)
        words = [f"pool-{pick}" if old else new for old, pick, new in zip(pool, picked, fresh, strict=True)]
        return ["", *words], np.arange(1, n + 1, dtype=np.int32)

    return make


@pytest.mark.parametrize(("later", "told"), [(0.05, False), (0.3, True)])
def test_more_repeated_prompts_than_before_are_told(brisk: FairnessSettings, later: float, told: bool) -> None:
    random = np.random.default_rng(1)
    ledger = equal_arena(10, settings=with_settings(brisk, review_battles=5_000))
    ledger.battles(40_000, prompts=prompts(random, 0.05))
    assert ledger.alerts == []
    ledger.battles(40_000, prompts=prompts(random, later))
    alerts = ledger.firing(Kind.PROMPT_REUSE)
    assert bool(alerts) == told
    for alert in alerts:
        assert (alert.subject, alert.severity) == (Subject(), Severity.INFO)
        assert alert.evidence["share"] > 2 * alert.evidence["baseline"]


def two_leaders(gap: float, error: float) -> Ratings:
    """Ratings of two models, the first ahead by `gap` points."""
    return Ratings(
        number=np.array([0, 1]),
        rating=np.array([1000.0 + gap / 2, 1000.0 - gap / 2]),
        error=np.full(2, error),
        ranked=np.ones(2, bool),
        votes=np.full(2, 1_000),
    )


@pytest.mark.parametrize(("gap", "told"), [(60.0, True), (6.0, False)])
def test_a_first_place_that_changes_beyond_its_intervals_is_told_and_within_them_is_not(
    brisk: FairnessSettings, gap: float, told: bool
) -> None:
    scene = equal_arena(2, settings=brisk).state.scene
    rule, state = RankChurn(), RankChurn().start()
    for look in range(40):
        rule.review(state, scene, two_leaders(gap if look % 10 else -gap, error=10.0))
    assert bool(rule.verdicts(state, scene)) == told


def test_churn_ends_when_the_first_place_stays(brisk: FairnessSettings) -> None:
    scene = equal_arena(2, settings=brisk).state.scene
    rule, state = RankChurn(), RankChurn().start()
    for look in range(10):
        rule.review(state, scene, two_leaders(60.0 if look % 2 else -60.0, error=10.0))
    (verdict,) = rule.verdicts(state, scene)
    assert (verdict.severity, verdict.evidence["changes"]) == (Severity.INFO, 9)
    assert "explain 0.09, evidence" in rule.summary("text", verdict)
    for _ in range(1_000):
        rule.review(state, scene, two_leaders(60.0, error=10.0))
    assert rule.verdicts(state, scene) == []


def test_churn_from_the_first_look_on_begins_there_and_not_at_the_epoch(brisk: FairnessSettings) -> None:
    scene = equal_arena(2, settings=brisk).state.scene
    rule, state = RankChurn(), RankChurn().start()
    first = scene.now.time
    for look in range(10):
        rule.review(state, scene, two_leaders(60.0 if look % 2 else -60.0, error=10.0))
    assert first > 0
    assert [verdict.starts_at for verdict in rule.verdicts(state, scene)] == [first]


def test_a_newcomer_at_the_top_is_no_churn(brisk: FairnessSettings) -> None:
    scene = equal_arena(30, settings=brisk).state.scene
    rule, state = RankChurn(), RankChurn().start()
    for best in range(2, 30):
        number = np.arange(best)
        rating = np.where(number == best - 1, 1200.0, 1000.0)
        votes = np.full(best, 1_000)
        rule.review(state, scene, Ratings(number, rating, np.full(best, 10.0), np.ones(best, bool), votes))
    assert rule.verdicts(state, scene) == []


def test_equal_leaders_who_take_turns_are_no_churn(brisk: FairnessSettings) -> None:
    ledger = equal_arena(6, settings=brisk)
    ledger.battles(60_000)
    assert ledger.told(Kind.RANK_CHURN) == []


def test_a_ranked_model_with_old_votes_only_is_told(brisk: FairnessSettings) -> None:
    ledger = Ledger(settings=brisk)
    for number in range(6):
        ledger.declare(f"model-{number}", status="deprecated")
    ledger.battles(3_000, days=1)
    ledger.sample("model-2", 0.0)
    ledger.battles(3_000, days=29)
    assert ledger.told(Kind.GRAPH_FRAGILE) == []
    ledger.battles(2_000, days=5)
    (alert,) = ledger.firing(Kind.GRAPH_FRAGILE)
    assert (alert.subject, alert.severity) == (Subject(model="model-2"), Severity.WARNING)
    ledger.declare("model-2", status="retired")
    ledger.battles(2_000, days=1)
    assert not ledger.firing(Kind.GRAPH_FRAGILE)


@pytest.mark.parametrize(
    ("ratings", "errors", "chance"),
    [
        ((1000.0, 1000.0), (0.0, 0.0), 0.5),  # even, and nothing says which is first
        ((1001.0, 1000.0), (0.0, 0.0), 0.0),
        ((1001.0, 1000.0, 1001.0), (0.0, 0.0, 0.0), 0.5),
        ((1010.0, 1000.0), (0.0, 10.0), 0.1587),
    ],
)
def test_the_chance_of_a_change_is_a_number_when_ratings_have_no_error(
    ratings: tuple[float, float] | tuple[float, float, float],
    errors: tuple[float, float] | tuple[float, float, float],
    chance: float,
) -> None:
    n = len(ratings)
    found = _chance(
        Ratings(np.arange(n), np.array(ratings), np.array(errors), np.ones(n, bool), np.ones(n, np.int64)),
        np.arange(n),
        0,
    )
    assert found == pytest.approx(chance, abs=1e-4)


def test_halves_that_no_longer_meet_are_told_of_the_arena(brisk: FairnessSettings) -> None:
    ledger = equal_arena(8, settings=brisk)
    ledger.battles(4_000, days=1)
    assert ledger.told(Kind.GRAPH_FRAGILE) == []
    both = np.arange(8)
    for _ in range(90):
        for half in (both[:4], both[4:]):
            ledger.weights[:] = 0.0
            ledger.weights[half] = 1.0
            ledger.battles(100, days=0.5)
    (alert,) = ledger.firing(Kind.GRAPH_FRAGILE)
    assert (alert.subject, alert.evidence["apart"]) == (Subject(), 4)


def test_an_alert_that_lasts_is_repeated_with_new_evidence_at_reviews_only(brisk: FairnessSettings) -> None:
    ledger = equal_arena(20, settings=brisk)
    ledger.sample("model-004", 0.0)
    ledger.battles(20_000)
    told = ledger.told(Kind.SILENT_REMOVAL)
    assert len({alert.id for alert in told}) == 1
    assert len(told) == 1 + 19 // 3
    assert [each.evidence["battles"] for each in told[1:]] == sorted({each.evidence["battles"] for each in told[1:]})
    assert all(each.evidence["battles"] % 1_000 == 0 for each in told[1:])
