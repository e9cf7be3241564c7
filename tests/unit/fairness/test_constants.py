"""The constants that decide which alerts fire, as literals: a change of one changes the alerts of a replayed ledger."""

import importlib

import msgspec
import numpy as np
import pytest

from streams.fairness.settings import FairnessSettings

CONSTANTS = {
    "detectors.base": {"NAMED": 50},
    "detectors.data_inequality": {"BACK": 0.95},
    "detectors.feed_stalled": {"EXPECTED": 3.0},
    "detectors.graph_fragile": {"DAY": 86_400.0, "BUSY": 100, "SINGLE": 10},
    "detectors.prompt_reuse": {"ONE_IN": 16, "BETS": [1.5, 2.0, 4.0], "FLOOR": 0.005},
    "detectors.rank_churn": {"BETS": [2.0, 4.0, 8.0], "LEAST": 0.01, "MOST": 0.45},
    "detectors.retirement_bias": {"RATIOS": [2.0, 4.0, 8.0]},
    "detectors.share_drift": {
        "BETS": [0.02, 0.1, 0.25, 0.5, 2.0, 4.0],
        "BACK": 0.7,
        "SELECTION": 0.01,
        "REMOVED": 0.2,
    },
    "detectors.silence": {"DAY_MS": 86_400_000, "DAYS": 7},
    "detectors.silent_removal": {"BETS": [0.02, 0.1], "GONE": 0.15, "BACK": 0.25},
    "detectors.unannounced_retirement": {"DAY": 86_400.0},
    "evidence_history": {"LATE": 128, "EARLY": 256, "EPISODES": 256},
    "snapshot": {"VERSION": 4},
    "stage": {"VIEW_SECONDS": 1.0, "IDLE_SECONDS": 5.0},
    "statistics.cusum": {"ALMOST_ONE": 0.999999999},
    "statistics.expected_share": {"NEVER": 1e-300},
    "arena.stretch": {"TICKS": 32},
    "arena.draws": {
        "GENERATION": 32_768,
        "SLOTS": 65_536,
        "VOTER_SECONDS": 1_800,
        "EDGES": [0, 32, 256, 1_024, 4_096],
        "USUAL": 4.0,
        "RING": 8_192,
        "BUCKETS": 8_192,
        "WINDOW": 10_000,
        "LOOK": 500,
        "SCALE": 1_024,
        "SIGNIFICANT": 6.0,
    },
    "arena.past_policies": {"KEPT": 64, "DAY": 86_400.0, "SKEW": 2.0, "BRIEF": 1.0},
    "arena.declared_pairs": {"TOLERANCE": 0.01},
    "arena.name_flood": {"BITS": 65_536, "VOTERS": 64, "NAMED": 5},
    "detectors.draws_unclear": {"VOTES_PER_DRAW": 1.1, "SHARE": 0.1, "MIXED_SHARE": 0.01},
    "detectors.policy_too_busy": {"HALF": 0.5},
    "detectors.name_flood": {"NAMES": 100, "CALM": 50},
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_constants_of_a_detector_are_these(name):
    module = importlib.import_module(f"streams.fairness.{name}")
    found = {constant: np.asarray(getattr(module, constant)).tolist() for constant in CONSTANTS[name]}
    assert found == CONSTANTS[name]


def test_the_defaults_of_the_settings_are_these():
    assert msgspec.structs.asdict(FairnessSettings()) | {"runbooks": ""} == {
        "false_pages": "one a year at 100,000 battles a day",
        "tick_battles": 100,
        "delta": 0.2,
        "warning_level": 1e6,
        "recovery_level": 1e3,
        "evidence_level": 1e3,
        "settle_seconds": 900.0,
        "notice_days": 14.0,
        "private_cap": 3,
        "retraction_votes": 300,
        "keep_days": 90.0,
        "max_provider_share": 0.25,
        "max_license_share": 0.8,
        "max_provider_gini": 0.85,
        "max_provider_hhi": 0.18,
        "review_battles": 10_000,
        "window_reviews": 10,
        "ratings_reviews": 20,
        "repeat_reviews": 10,
        "stale_days": 30.0,
        "undeclared_battles": 30,
        "max_undeclared": 1_000,
        "stall_seconds": 900.0,
        "stall_factor": 3.0,
        "zero_battles": 2_000,
        "kappa": 1e4,
        "runbooks": "",
    }


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("tick_battles", 1, 10_000),
        ("warning_level", 100, None),
        ("private_cap", 0, None),
        ("retraction_votes", 1, None),
        ("notice_days", 0, None),
        ("review_battles", 1, None),
        ("window_reviews", 1, 100),
        ("ratings_reviews", 1, None),
        ("repeat_reviews", 1, None),
        ("undeclared_battles", 1, None),
        ("max_undeclared", 0, None),
        ("stall_factor", 1, None),
        ("zero_battles", 1, None),
    ],
)
def test_a_setting_takes_its_bounds_and_nothing_beyond_them(name, least, most):
    def take(value):
        also = {"tick_battles": 1} if name == "review_battles" else {"review_battles": 10_000}
        return msgspec.convert(also | {name: value}, FairnessSettings)

    for bound, beyond in ((least, least - 1), (most, None if most is None else most + 1)):
        if bound is not None:
            assert getattr(take(bound), name) == bound
            with pytest.raises(msgspec.ValidationError, match=name):
                take(beyond)


@pytest.mark.parametrize("name", ["recovery_level", "evidence_level"])
def test_a_level_of_evidence_is_above_one(name):
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: 1}, FairnessSettings)
    assert getattr(msgspec.convert({name: 1.5}, FairnessSettings), name) == 1.5


@pytest.mark.parametrize(
    "name", ["max_provider_share", "max_license_share", "max_provider_gini", "max_provider_hhi", "keep_days", "kappa"]
)
def test_a_bound_is_above_zero(name):
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: 0}, FairnessSettings)
    assert getattr(msgspec.convert({name: 0.5}, FairnessSettings), name) == 0.5


@pytest.mark.parametrize("name", ["max_provider_share", "max_license_share", "max_provider_gini", "max_provider_hhi"])
def test_a_share_is_at_most_one(name):
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: 1.5}, FairnessSettings)
    assert getattr(msgspec.convert({name: 1}, FairnessSettings), name) == 1
