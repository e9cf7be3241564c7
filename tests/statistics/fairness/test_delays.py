"""How many battles pass between a change and its alarm, beside the CUSUM of an oracle that knows the new share."""

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.statistics.fairness.replicas import PAGE, TICK, Replicas

LEVELS = (1e6, 1e8, 1e10)
RUNS = 400


def involved(slots: float) -> float:
    """Share of battles with a group of many small models that has this share of slots."""
    return 1 - (1 - slots) ** 2


CASES = {
    "4 % to 0": (0.04, 0.0),
    "1 % to 0.1 %": (0.01, 0.001),
    "4 % to 3 %": (0.04, 0.03),
    "4 % to 6 %": (0.04, 0.06),
    "a provider, 20 to 25 % of battles": (0.20, 0.25),
    "a class, 45 to 35 % of battles": (0.45, 0.35),
    "a class, 72 to 84 % of battles": (0.72, 0.84),
    "a class cut by 40 %, 53 to 41 % of slots": (involved(0.534), involved(0.409)),
}


def report(capsys: pytest.CaptureFixture[str], what: str, found: NDArray[np.float64], beside: str = ""):
    mean, error = found.mean(), found.std(ddof=1) / np.sqrt(found.size)
    with capsys.disabled():
        print(f"\n  {what}: {mean:,.0f} ± {error:,.0f} battles {beside}", file=sys.stderr)
    return mean, error


def delays(replicas: Replicas, after: float, level: float = PAGE, most: int = 2_000) -> NDArray[np.float64]:
    replicas.healthy(replicas.pi, 5_000)
    return replicas.first_alarm(after, level, most)[0] * TICK


def oracle(seed: int, before: float, after: float, level: float = PAGE) -> NDArray[np.float64]:
    """Delays of the CUSUM of log likelihood ratios of the true change, at the same level."""
    random, log_c, found = np.random.default_rng(seed), np.zeros(RUNS), np.full(RUNS, np.nan)
    miss = np.log1p(-after) - np.log1p(-before)
    hit = np.log(max(after, 1e-300)) - np.log(before)
    for tick in range(-50, 2_000):
        hits = random.binomial(TICK, before if tick < 0 else after, RUNS)
        log_c = np.maximum(log_c, 0) + hits * hit + (TICK - hits) * miss
        if tick >= 0:
            found[np.isnan(found) & (log_c >= np.log(level))] = (tick + 1) * TICK
    return found


@pytest.mark.statistics
@pytest.mark.parametrize("what", CASES)
def test_a_page_comes_within_a_quarter_more_than_that_of_an_oracle(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = CASES[what]
    best = oracle(1, before, after).mean()
    mean, error = report(capsys, what, delays(Replicas(2, RUNS, before), after), f"(oracle {best:,.0f})")
    assert mean - 3 * error < 1.25 * best
    assert mean < 1.25 * best


@pytest.mark.statistics
@pytest.mark.parametrize(
    ("what", "delta", "most"),
    [("4 % to 3 %", 0.2, 20_000), ("4 % to 6 %", 0.2, 6_000), ("a provider, 20 to 25 % of battles", 0.058, 5_000)],
)
def test_with_a_tolerance_the_learned_share_finds_small_changes(
    what: str, delta: float, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = CASES[what]
    mean, _ = report(capsys, f"learned, {what}", delays(Replicas(3, RUNS, before, delta, usual=1.0), after))
    assert mean < most


@pytest.mark.statistics
@pytest.mark.parametrize("usual", [None, 1.0])
def test_a_slow_ramp_to_a_tenth_over_a_million_battles_is_found_on_its_way(
    usual: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    replicas = Replicas(4, RUNS, 0.04, 0.0 if usual is None else 0.2, usual=usual)
    replicas.healthy(0.04, 20_000)
    found = np.full(RUNS, np.nan)
    for tick in range(2_500):
        share = 0.04 * (1 - 0.9 * (tick + 0.5) * TICK / 1e6)
        found[(replicas.step(share) >= np.log(PAGE)) & np.isnan(found)] = (tick + 1) * TICK
    mean, _ = report(capsys, f"ramp, learned {usual}", found)
    assert mean < 190_000


@pytest.mark.statistics
def test_a_launch_at_a_wrong_share_and_a_later_change_are_both_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """Both nulls have half of the budget: what voters select is learned, and the tolerance still has an end."""
    launched = delays(Replicas(5, RUNS, 0.04, 0.2), 0.028)
    report(capsys, "launched at 70 % of its share, nothing learned yet", launched)
    selected = Replicas(6, RUNS, 0.04, 0.2, usual=0.85)
    usual = 0.85 * 0.04 / (0.96 + 0.85 * 0.04)
    assert np.isnan(selected.first_alarm(usual, PAGE, 500)).all()
    changed = selected.first_alarm(0.7 * usual, PAGE, 2_000)[0] * TICK
    report(capsys, "usually at 85 %, then at 70 % of that", changed)
    assert np.isfinite(launched).all()
    assert np.isfinite(changed).all()


@pytest.mark.statistics
@pytest.mark.parametrize("after", [0.0, 0.001])
def test_drops_are_found_within_1_3_times_what_information_theory_allows(
    after: float, capsys: pytest.CaptureFixture[str]
) -> None:
    replicas = Replicas(7, RUNS, 0.01)
    replicas.healthy(0.01, 5_000)
    gain = 0.0 if not after else after * np.log(after / 0.01)
    kl = gain + (1 - after) * np.log((1 - after) / 0.99)
    for at_level, level in zip(replicas.first_alarm(after, LEVELS, 1_500) * TICK, LEVELS, strict=True):
        multiple = at_level.mean() / (np.log(level) / kl)
        report(capsys, f"1 % → {after:.1%}, c = {level:.0e}", at_level, f"{multiple:.2f} × ln c/KL")
        assert multiple < 1.3


@pytest.mark.statistics
def test_a_change_after_a_hundred_thousand_healthy_battles_is_found_as_fast_as_one_at_the_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    soon = Replicas(1, RUNS, 0.01).first_alarm(0.0, 1e8, 100)[0] * TICK
    replicas = Replicas(2, RUNS, 0.01)
    replicas.healthy(0.01, 100_000)
    mean, error = report(capsys, "late", replicas.first_alarm(0.0, 1e8, 100)[0] * TICK, f"(soon {soon.mean():,.0f})")
    assert mean <= soon.mean() + 4 * error


@pytest.mark.statistics
def test_the_onset_is_estimated_within_a_few_appearances(capsys: pytest.CaptureFixture[str]) -> None:
    replicas = Replicas(7, RUNS, 0.01)
    sums = replicas.nulls[0].sums
    for row in range(125):
        replicas.mark = replicas.mark._replace(row=(row + 1) * TICK)
        log_e = replicas.step(0.01 if row < 100 else 0.0)
    assert (log_e >= np.log(1e8)).mean() > 0.9
    onsets = sums.since_row[sums.r.argmax(axis=0), np.arange(RUNS)] - 100 * TICK
    with capsys.disabled():
        most = np.quantile(np.abs(onsets), 0.95)
        print(f"\n  onset error: median {np.median(np.abs(onsets)):.0f} battles, 95 % {most:.0f}", file=sys.stderr)
    assert np.median(np.abs(onsets)) <= 200
