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
    "detectors.repeated_votes": {
        "BETS": [0.2, 0.5, 0.9],
        "FLOOR": 0.05,
        "LEARN": 20_000,
        "MOST_BOUND": 0.95,
        "ASKED": 2,
        "TRIALS": 3,
    },
    "detectors.retirement_bias": {"RATIOS": [2.0, 4.0, 8.0]},
    "arena.attribution": {
        "MOST_CAUSES": 8,
        "ROUNDS": 12,
        "MOVES": 0.1,
        "MOST": 0.5,
        "TELLS": 0.25,
        "WINDOWS": 3,
        "INEXACT": 0.1,
        "FITTED": 1e-3,
    },
    "arena.past_counts": {"LEVELS": 8, "KEPT": 3},
    "arena.share_evidence": {
        "LEARNED": 200_000,
        "SURE": 3.0,
        "UNFINISHED": 0.01,
        "REGROUPED": 0.1,
    },
    "statistics.share_sums": {"REMOVAL": 0.25, "GONE_BET": 0.02},
    "detectors.share_alarm": {"PART": -1, "GAP": 0.5},
    "detectors.share_drift": {
        "BACK": 0.7,
        "NEAR": 5.0,
        "SMALL": [0.5, 2.0],
        "SELECTION": 0.01,
        "REMOVED": 0.2,
    },
    "detectors.silence": {"DAY_MS": 86_400_000, "DAYS": 7},
    "detectors.silent_removal": {"MOST": 0.1, "GONE": 0.15, "DRIFTED": 0.25, "SURER": 5.0, "BACK": 0.25},
    "detectors.unannounced_retirement": {"DAY": 86_400.0},
    "detectors.vote_loss": {"FEW": 3, "FEW_PART": 0.1, "MOST_NAMES": 1_000},
    "detectors.voter_manipulation": {
        "BETS": [0.98, 0.9, 0.7],
        "TASTE": 0.4,
        "ERRORS": 3.0,
        "SEVERAL": 5,
        "MOST_FOUND": 1_000,
        "EARLY": [1, 2, 5, 10],
        "TRIALS": 4,
    },
    "arena.vote_memory": {"GENERATION": 32_768},
    "detectors.pairing_bias": {
        "MILD": [[0, -0.4], [0, 0.4], [2, 0.4], [2, 2.2], [3, 0.5], [3, 2.0]],
        "FARTHEST": 3.0,
    },
    "detectors.side_bias": {
        "BETS": [0.02, 0.2, 0.6, 1.0 / 0.6, 5.0, 50.0],
        "MILD": [1.0 / 1.5, 1.5],
        "GUESSES": [1.5, 4.0, 50.0],
        "MILD_GUESS": 1.45,
        "KEPT": 0.98,
    },
    "detectors.stratum_removal": {
        "BETS": [0.02, 0.1, 0.25, 0.5],
        "MILD": 0.55,
        "BACK": 0.7,
        "KEEPS": 0.75,
        "ENOUGH": 8.0,
    },
    "detectors.result_break": {
        "BETS": [0.08, 0.16, 0.32, 0.64],
        "MILD": 0.2,
        "TOLERANCE": 0.03,
        "BACK": 0.1,
    },
    "detectors.side_preference": {"LEARNING": 50_000, "ERRORS": 3.0, "MILD": [0.9, 1.0 / 0.9]},
    "detectors.whole_policy": {
        "RESERVE": 1.0 / 16.0,
        "MEMORY": [30.0, 100.0, 400.0],
        "SPREAD": 0.15,
        "NEAR": 5.0,
        "TOLD": 5,
    },
    "detectors.share_ratio": {"FAST_TICKS": 10, "KEPT": 0.5, "BEYOND": 4.0, "LEAST": 0.1, "MOST": 10.0},
    "statistics.cell_evidence": {"ENOUGH": 4},
    "arena.strata": {"LEAST": 0.05, "MOST": 12, "NAMES": 512},
    "evidence_history": {"LATE": 128, "EARLY": 256, "EPISODES": 256},
    "snapshot": {"VERSION": 7},
    "stage": {"VIEW_SECONDS": 1.0, "IDLE_SECONDS": 5.0},
    "statistics.learned_share": {
        "BETS": [1.5, 2.0, 4.0, 16.0, 64.0],
        "LEARN_UNITS": 20,
        "LEARN_TRIALS": 1_000,
        "FLOOR": 0.002,
        "QUIET": 3,
    },
    "statistics.sparse_cusum": {"MOST_SLOTS": 262_144, "LOAD": 0.7},
    "statistics.cusum": {"ALMOST_ONE": 0.999999999},
    "statistics.odds_bets": {
        "BETS": [0.02, 0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.88, 1.12, 1.25, 1.4, 1.7, 2.0, 3.0, 4.0],
        "CERTAIN": 0.999999999,
    },
    "statistics.shiryaev_roberts": {"LARGEST": 1e300, "STEEPEST": 1400.0},
    "statistics.expected_share": {"NEVER": 1e-300},
    "arena.stretch": {"TICKS": 128},
    "arena.draws": {
        "GENERATION": 32_768,
        "SLOTS": 65_536,
        "VOTER_SECONDS": 1_800,
        "BUSY": 60,
        "BUSY_SECONDS": 21_600,
    },
    "arena.bunches": {
        "EDGES": [0, 32, 256, 1_024, 4_096],
        "USUAL": 4.0,
        "RING": 8_192,
        "BUCKETS": 8_192,
        "WINDOW": 10_000,
        "LOOK": 500,
        "SCALE": 1_024,
        "SUPPOSED": 683 / 2_048,
        "SUPPOSED_REPEATS": 1.0,
        "SIGNIFICANT": 6.0,
        "BOTH_SIGNIFICANT": 4.5,
        "BOUND": 2.0,
        "NEARLY": 0.8,
        "SINGLE": 2 / 3,
        "UNINFORMED": 0.05,
        "FADE": 31 / 32,
        "CHANGED": 4.5,
        "HALF": 0.5,
    },
    "arena.lateness": {"DAY": 86_400.0, "DEPARTURES": 8, "FEW": 10, "STEADY": 0.6, "BRIEF": 1.0, "DOUBLING": 8},
    "arena.past_policies": {"KEPT": 64, "DAY": 86_400.0, "SKEW": 2.0, "BRIEF": 1.0},
    "arena.declared_pairs": {"TOLERANCE": 0.01},
    "arena.name_flood": {"BITS": 65_536, "VOTERS": 64, "NAMED": 5},
    "detectors.draws_unclear": {"VOTES_PER_DRAW": 1.1, "SHARE": 0.1, "MIXED_SHARE": 0.01},
    "detectors.policy_too_busy": {"HALF": 0.5, "QUARTER": 0.25, "SETTLINGS": 4.0},
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
        "group_delta": 0.05,
        "draws": "auto",
        "warning_level": 1e5,
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
