"""The promise: a false alarm comes on average no sooner than c ticks, wherever in the null the truth lies."""

import sys

import numpy as np
import pytest

from streams.fairness.statistics.odds_bets import OddsBets
from tests.statistics.fairness.replicas import ALL_BETS, Replicas

RUNS, PI = 1_000, 0.05


def share_of(multiple: float) -> float:
    """The share with this multiple of the odds of π."""
    return multiple * PI / (1 - PI + multiple * PI)


def restricted_mean(
    capsys: pytest.CaptureFixture[str],
    what: str,
    share: float,
    c: float,
    delta: float,
    most: int,
    usual: float | None = None,
):
    """Mean of min(run, most) in ticks, with its Monte-Carlo error: never more than the mean run."""
    found = Replicas(11, RUNS, PI, delta=delta, usual=usual).first_alarm(share, c, most)[0]
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
    ("what", "multiple", "delta", "usual"),
    [
        ("as declared, no band", 1.0, 0.0, None),
        ("as declared, band 0.2", 1.0, 0.2, None),
        ("at the lower edge of the band", 0.8, 0.2, None),
        ("at the upper edge of the band", 1.2, 0.2, None),
        ("as learned", 0.9, 0.2, 0.9),
        ("as learned, at the edge of the band", 0.8, 0.2, 0.8),
        ("two standard errors below what was learned", 0.9 * np.exp(-2 / np.sqrt(2e5 * 0.045 * 0.955)), 0.2, 0.9),
    ],
)
@pytest.mark.parametrize("c", [30.0, 300.0])
def test_the_mean_run_is_at_least_c(
    what: str, multiple: float, delta: float, usual: float | None, c: float, capsys: pytest.CaptureFixture[str]
) -> None:
    mean, error = restricted_mean(capsys, what, share_of(multiple), c, delta, int(6 * c), usual)
    assert mean - 3 * error > c


@pytest.mark.statistics
def test_a_selection_of_fifteen_per_cent_within_the_band_alarms_no_more_often_than_promised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mean, error = restricted_mean(capsys, "15 % selection, band 0.2", share_of(0.85), 300.0, 0.2, most=1_800)
    assert mean - 3 * error > 300


@pytest.mark.statistics
def test_policy_changes_within_every_tick_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Three policies a tick, two of them banked, and half the replicas begin anew at times: still c ticks or more."""
    c, most = 100.0, 600
    replicas = Replicas(13, RUNS, PI)
    sums = replicas.nulls[0].sums
    odds = [OddsBets.of(np.full(RUNS, pi), ALL_BETS) for pi in (0.05, 0.2, 0.01)]
    runs = np.full(RUNS, float(most))
    for tick in range(1, most + 1):
        for stretch, (battles, pi) in enumerate(((30, 0.05), (50, 0.2), (20, 0.01))):
            hits = replicas.random.binomial(battles, pi, RUNS).astype(float)
            if stretch < 2:
                sums.set_aside(odds[stretch], hits, battles)
            else:
                m = sums.update(odds[stretch], hits, battles, replicas.mark)
            if tick % 50 == 0 and stretch == 0:
                for subject in range(0, RUNS, 2):
                    sums.reset(subject, replicas.mark)
        alarmed = m >= c
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
    mean, error = restricted_mean(capsys, "40 % selection, no band", share_of(0.6), 300.0, 0.0, most=1_800)
    assert mean + 3 * error < 300


@pytest.mark.statistics
def test_a_false_recovery_comes_no_sooner_than_promised(capsys: pytest.CaptureFixture[str]) -> None:
    # Recovery is an e-CUSUM with one bet: back at the declared odds, against the null of at most r_back times these.
    from streams.fairness.detectors.share_alarm import PAGED, ShareAlarms
    from streams.fairness.detectors.share_drift import BACK

    runs = 400
    state = ShareAlarms()
    state.resize(runs)
    state.held[:], state.usual[:], state.back[:] = PAGED, 1.0, BACK
    random, pi = np.random.default_rng(3), np.full(runs, PI)
    ended = np.full(runs, np.nan)
    for tick in range(1, 4_001):
        hits = random.binomial(100, share_of(BACK), runs).astype(float)
        state.recover(pi, hits, 100, np.zeros(runs), closes=True)
        ended[np.isnan(ended) & (state.recovery >= np.log(1_000))] = tick
    times = np.where(np.isnan(ended), 4_000, ended)
    error = times.std(ddof=1) / np.sqrt(runs)
    with capsys.disabled():
        print(
            f"\n  false recovery at r_back: mean ≥ {times.mean():,.0f} ± {error:.0f} ticks, promised 1,000",
            file=sys.stderr,
        )
    assert times.mean() - 3 * error > 1_000


@pytest.mark.statistics
@pytest.mark.parametrize("multiple", [0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 1.25, 1.4, 1.7, 2.0])
def test_a_share_that_raises_an_alert_does_not_resolve_it(multiple: float, capsys: pytest.CaptureFixture[str]) -> None:
    """r_back of each run is that of the bet that won in it; a share that lasts for 1,500 ticks resolves few alerts."""
    from streams.fairness.detectors.share_alarm import PAGED, ShareAlarms, nearest
    from streams.fairness.detectors.share_drift import BACK

    runs, share = 300, share_of(multiple)
    replicas, level = Replicas(5, runs, PI), np.log(3e7)
    sums, back = replicas.nulls[0].sums, np.zeros(runs)
    while not back.all():
        fresh = (replicas.step(share) >= level) & (back == 0)
        r = sums.bets[np.argmax(sums.weights[:, None] * sums.r[:, fresh], axis=0)]
        back[fresh] = [nearest(each, BACK) for each in r.tolist()]
    state = ShareAlarms()
    state.resize(runs)
    state.held[:], state.usual[:], state.back[:] = PAGED, 1.0, back
    resolved, pi = np.zeros(runs, bool), np.full(runs, PI)
    for _ in range(1_500):
        state.recover(pi, replicas.random.binomial(100, share, runs).astype(float), 100, np.zeros(runs), closes=True)
        resolved |= state.recovery >= np.log(1_000)
    with capsys.disabled():
        print(f"\n  {multiple:g} of the odds: {resolved.mean():.1%} resolved by chance", file=sys.stderr)
    assert resolved.mean() <= 0.05
