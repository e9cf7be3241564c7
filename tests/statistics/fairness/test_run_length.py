"""The promise: a false alarm comes on average no sooner than c ticks, wherever in the null the truth lies."""

import sys

import numpy as np
import pytest

from streams.fairness.statistics.cusum import Mark, Odds
from tests.statistics.fairness.replicas import SIX_BETS, Replicas

RUNS, PI = 1_000, 0.05


def restricted_mean(
    capsys: pytest.CaptureFixture[str], what: str, share: float, c: float, delta: float, most: int, bets=None
):
    """Mean of min(run, most) in ticks, with its Monte-Carlo error: never more than the mean run."""
    given = {} if bets is None else {"bets": bets}
    found = Replicas(11, RUNS, PI, delta=delta, **given).first_alarm(share, c, most)[0]
    runs = np.where(np.isnan(found), most, found)
    error = runs.std(ddof=1) / np.sqrt(RUNS)
    with capsys.disabled():
        alarmed = f"{np.isfinite(found).mean():.1%} within {most:,}"
        print(
            f"\n  {what}: mean run ≥ {runs.mean():,.0f} ± {error:.0f} ticks at c = {c:g} ({alarmed})", file=sys.stderr
        )
    return runs.mean(), error


@pytest.mark.statistics
@pytest.mark.parametrize(
    ("what", "share", "delta"),
    [
        ("as declared, no band", PI, 0.0),
        ("as declared, band 0.2", PI, 0.2),
        ("at the lower edge of the band", 0.8 * PI, 0.2),
        ("at the upper edge of the band", 1.2 * PI, 0.2),
    ],
)
@pytest.mark.parametrize("c", [30.0, 300.0])
def test_the_mean_run_is_at_least_c(
    what: str, share: float, delta: float, c: float, capsys: pytest.CaptureFixture[str]
) -> None:
    mean, error = restricted_mean(capsys, what, share, c, delta, most=int(6 * c))
    assert mean - 3 * error > c


@pytest.mark.statistics
def test_a_selection_of_fifteen_per_cent_within_the_band_alarms_no_more_often_than_promised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mean, error = restricted_mean(capsys, "15 % selection, band 0.2", 0.85 * PI, 300.0, 0.2, most=1_800)
    assert mean - 3 * error > 300


@pytest.mark.statistics
def test_policy_changes_within_every_tick_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Three policies a tick, two of them banked, and half the replicas begin anew at times: still c ticks or more."""
    c, most = 100.0, 600
    replicas = Replicas(13, RUNS, PI)
    odds = [Odds.of(np.full(RUNS, pi), SIX_BETS, 0.0) for pi in (0.05, 0.2, 0.01)]
    runs = np.full(RUNS, float(most))
    for tick in range(1, most + 1):
        mark = Mark(tick, 0.0, replicas.zeros, replicas.zeros)
        for stretch, (battles, pi) in enumerate(((30, 0.05), (50, 0.2), (20, 0.01))):
            hits = replicas.random.binomial(battles, pi, RUNS).astype(float)
            if stretch < 2:
                replicas.cusum.set_aside(odds[stretch], hits, battles)
                if tick % 50 == 0 and stretch == 0:
                    for subject in range(0, RUNS, 2):
                        replicas.cusum.reset(subject, mark)
            else:
                replicas.cusum.update(odds[stretch], hits, battles, mark)
        alarmed = replicas.cusum.log_e() >= np.log(c)
        runs[alarmed & (runs == most)] = tick
    error = runs.std(ddof=1) / np.sqrt(RUNS)
    with capsys.disabled():
        print(
            f"\n  policy changes within ticks: mean run ≥ {runs.mean():,.0f} ± {error:.0f} ticks at c = {c:g}",
            file=sys.stderr,
        )
    assert runs.mean() - 3 * error > c


@pytest.mark.statistics
def test_the_same_selection_without_a_band_breaks_the_promise(capsys: pytest.CaptureFixture[str]) -> None:
    # The control: these tests can fail.
    mean, error = restricted_mean(capsys, "40 % selection, no band", 0.6 * PI, 300.0, 0.0, most=1_800)
    assert mean + 3 * error < 300


@pytest.mark.statistics
def test_at_c_ten_thousand_the_mean_run_is_the_measured_one_and_hardly_any_ends_within_c_battles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Replicas(12, RUNS, 0.01).first_alarm(0.01, 1e4, 10_000)[0]
    runs = np.where(np.isnan(found), 10_000, found)
    exponential = 100 * runs.sum() / np.isfinite(found).sum()
    early = (found <= 100).mean()
    with capsys.disabled():
        print(
            f"\n  c = 1e4: mean run ≥ {100 * runs.mean():,.0f} battles, {exponential:,.0f} if exponential",
            file=sys.stderr,
        )
        print(
            f"  {early:.1%} within 10,000 battles, {np.isfinite(found).mean():.1%} within 10,000 ticks", file=sys.stderr
        )
    assert 100 * runs.mean() > 498_000
    assert early < 0.01


@pytest.mark.statistics
def test_a_false_recovery_comes_no_sooner_than_promised(capsys: pytest.CaptureFixture[str]) -> None:
    # Recovery is the same e-CUSUM with one bet: back at π, against the null of at most r_back·π.
    from streams.fairness.detectors.share_alarm import PAGED, ShareAlarms
    from streams.fairness.detectors.share_drift import BACK

    runs = 400
    state = ShareAlarms.start(6)
    state.resize(runs)
    state.held[:] = PAGED
    random, pi = np.random.default_rng(3), np.full(runs, PI)
    ended = np.full(runs, np.nan)
    for tick in range(1, 4_001):
        hits = random.binomial(100, BACK * PI, runs).astype(float)
        state.recover(pi, BACK, hits, 100, closes=True)
        ended[np.isnan(ended) & (state.recovery >= np.log(1_000))] = tick
    times = np.where(np.isnan(ended), 4_000, ended)
    error = times.std(ddof=1) / np.sqrt(runs)
    with capsys.disabled():
        print(
            f"\n  false recovery at r_back·π: mean ≥ {times.mean():,.0f} ± {error:.0f} ticks, promised 1,000",
            file=sys.stderr,
        )
    assert times.mean() - 3 * error > 1_000
