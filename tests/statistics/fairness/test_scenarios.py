"""The shipped scenarios through the fold: who did it is named, who did not is not, and the text says the numbers.

Longer, by environment: ISONOMY_ILLUSION_SEEDS (1), ISONOMY_HEALTHY_SEEDS (2) and ISONOMY_HEALTHY_BATTLES (500,000); the
acceptance is 20 seeds of 2,000,000 battles.
"""

import os
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from services.simulate import Deed, Simulation, Truth, load_scenario, simulate
from streams.contracts.alert import Alert, Kind, Severity, Status
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.silence_alert import tell_silence
from streams.ledger.codec import Block

pytestmark = [pytest.mark.statistics, pytest.mark.timeout(7_200)]

ILLUSION_SEEDS = int(os.environ.get("ISONOMY_ILLUSION_SEEDS", "1"))
HEALTHY_SEEDS = int(os.environ.get("ISONOMY_HEALTHY_SEEDS", "2"))
HEALTHY_BATTLES = int(os.environ.get("ISONOMY_HEALTHY_BATTLES", "500000"))

EXPOSURE = {Kind.SHARE_DRIFT, Kind.SILENT_REMOVAL, Kind.FEED_STALLED}
BAND = 0.8
"""Lower edge of the default tolerance, as a part of π: the largest null that a removal is told from."""


@dataclass
class Played:
    """A scenario, folded to its end."""

    truth: Truth
    alerts: list[Alert]
    state: ArenaFairness
    battles_a_second: float

    def told(self, kind: Kind, status: Status = Status.FIRING) -> list[Alert]:
        """The first statement of each alert of a kind."""
        found: dict[str, Alert] = {}
        for alert in self.alerts:
            if alert.kind is kind and alert.status is status:
                found.setdefault(alert.id, alert)
        return list(found.values())

    @property
    def exposure(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.kind in EXPOSURE]

    @property
    def pages(self) -> list[Alert]:
        return [alert for alert in self.exposure if alert.severity is Severity.CRITICAL]


def play(name: str, seed: int = 1, battles: int | None = None) -> Played:
    simulation = simulate(load_scenario(name), seed, battles)
    state, alerts = start(simulation), list[Alert]()
    for record in simulation:
        alerts += fold(state, record)
    return Played(simulation.truth, alerts, state, simulation.world.scenario.clock.per_day / 86_400)


@cache
def illusion(seed: int) -> Played:
    """The longest scenario, which two tests look at."""
    return play("the-illusion", seed)


def start(simulation: Simulation) -> ArenaFairness:
    return ArenaFairness.start(simulation.world.arena, FairnessSettings())


# --- removals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 1 + ILLUSION_SEEDS))
def test_of_the_illusion_every_silent_removal_is_found_soon_and_nobody_else_is_accused(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    played = illusion(seed)
    removed = {event.models[0]: event for event in played.truth.events if event.deed == "silent_removal"}
    removals = {alert.subject.model: alert for alert in played.told(Kind.SILENT_REMOVAL)}
    assert len(played.told(Kind.SILENT_REMOVAL)) == len(removals), "none is told twice"
    assert set(removals) == set(played.truth.silently_removed) == set(removed)
    assert {alert.subject.name for alert in played.exposure} == set(removed), "nor is anybody accused of a drift"

    delays, in_band, at_pi, errors, appearances = [], [], [], [], []
    for name, alert in removals.items():
        event, evidence = removed[name], alert.evidence
        level = evidence["log10_page"] * np.log(10)
        # The share among what is drawn: models that left before are counted out.
        share = evidence["expected_appearances"] / evidence["battles"]
        delay = (alert.detected_at - event.tstamp) * played.battles_a_second
        delays.append(delay)
        in_band.append(delay / (level / -np.log1p(-BAND * share)))
        at_pi.append(delay / (level / -np.log1p(-share)))
        errors.append(abs(int(alert.id.rpartition("-")[2]) - event.row))
        appearances.append(errors[-1] * share)
    with capsys.disabled():
        print(f"\n  the-illusion, seed {seed}: {len(removals)} of {len(removed)} removals found", file=sys.stderr)
        for what, found, digits in (
            ("delay, battles", delays, 0),
            ("× ln c/KL(0, 0.8 π)", in_band, 2),
            ("× ln c/KL(0, π)", at_pi, 2),
            ("onset error, battles", errors, 0),
            ("onset error, expected appearances", appearances, 2),
        ):
            figures = (f"{np.quantile(found, part):,.{digits}f}" for part in (0.5, 0.9, 1.0))
            print(f"  {what}: median {next(figures)}, 90 % {next(figures)}, most {next(figures)}", file=sys.stderr)
    assert np.median(in_band) <= 1.3
    assert np.median(appearances) <= 1.5


def test_of_the_illusion_the_private_variants_are_told_with_their_numbers() -> None:
    played = illusion(1)
    (many,) = played.told(Kind.PRIVATE_VARIANTS)
    assert many.subject.provider == "open-01"
    assert [alert.subject.model for alert in played.told(Kind.BEST_OF_N)] == list(played.truth.published)
    assert {alert.subject.model for alert in played.told(Kind.SCORE_RETRACTION)} == set(played.truth.withdrawn)
    assert len(played.truth.withdrawn) == 26
    assert f"one of {27} variants" in played.told(Kind.BEST_OF_N)[0].summary


# --- nothing to tell --------------------------------------------------------------------------------------------------


def test_a_fair_arena_that_changes_its_policy_every_5000_battles_pages_no_more_often_than_promised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pages, others, between = 0, Counter[str](), 0.0
    for seed in range(1, 1 + HEALTHY_SEEDS):
        played = play("busy-policy-changes", seed, HEALTHY_BATTLES)
        pages += len({alert.id for alert in played.pages})
        others.update(alert.kind.value for alert in played.alerts if alert not in played.pages)
        settings = played.state.scene.settings
        between = settings.ticks_between_pages * settings.tick_battles
    promised = HEALTHY_SEEDS * HEALTHY_BATTLES / between
    with capsys.disabled():
        print(
            f"\n  {HEALTHY_SEEDS} × {HEALTHY_BATTLES:,} battles: {pages} pages, promised at most {promised:.2f}",
            end="; ",
        )
        print(f"other alerts: {dict(others)}", file=sys.stderr)
    assert pages <= promised


@pytest.mark.parametrize("name", ["selection-bias-15", "selection-bias-15-unsent"])
def test_fifteen_per_cent_of_vote_selection_is_no_page_whether_unfinished_battles_are_sent_or_not(name: str) -> None:
    played = play(name)
    assert played.truth.of(Deed.FINISH) == {"model-05": 0}
    assert played.exposure == []


def test_forty_per_cent_of_vote_selection_is_no_page_when_unfinished_battles_are_sent() -> None:
    assert play("selection-bias-40").pages == []


def test_forty_per_cent_of_unsent_battles_is_a_drift_that_names_selection_as_a_possible_cause() -> None:
    played = play("selection-bias-40-unsent")
    assert played.told(Kind.SILENT_REMOVAL) == []
    drifts = played.told(Kind.SHARE_DRIFT)
    assert {alert.subject.model for alert in drifts} == {"model-05"}
    assert all("so selection can be the cause too" in alert.summary for alert in drifts)
    assert any(alert.severity is Severity.CRITICAL for alert in played.exposure)
    assert len(drifts) == 1, "while the cause lasts it is one alert"
    assert drifts[0].id in {alert.id for alert in played.state.firing}


# --- the feed ---------------------------------------------------------------------------------------------------------


def test_a_fleet_that_leaves_together_is_one_stalled_feed_and_no_removal() -> None:
    played = play("fleet-wide")
    assert [(alert.kind, alert.status) for alert in played.exposure] == [
        (Kind.FEED_STALLED, Status.FIRING),
        (Kind.FEED_STALLED, Status.RESOLVED),
    ]
    assert "46 of 50 active models of arena text stopped together" in played.exposure[0].summary
    assert "not as so many removals" in played.exposure[0].summary


def test_a_feed_that_turns_to_zeros_is_one_stalled_feed_that_says_so_and_no_removal() -> None:
    played = play("all-zeros")
    assert [(alert.kind, alert.status) for alert in played.exposure] == [
        (Kind.FEED_STALLED, Status.FIRING),
        (Kind.FEED_STALLED, Status.RESOLVED),
    ]
    assert "2,000 battles in a row without a single vote" in played.exposure[0].summary
    assert "the feed has turned to zeros" in played.exposure[0].summary


def test_when_all_traffic_stops_the_silence_is_one_stalled_feed_and_the_ledger_accuses_nobody() -> None:
    simulation = simulate(load_scenario("outage"), 1)
    state, told = start(simulation), list[Alert]()
    silence: Alert | None = None

    def listen(now: float) -> None:
        nonlocal silence
        alert = tell_silence(state, silence, now)
        if alert is not None:
            told.append(alert)
            silence = alert if alert.status is Status.FIRING else None

    for record in simulation:
        if isinstance(record, Block):
            until = float(record.rows.recorded[0]) / 1000
            last = state.scene.facts.clock
            for now in np.arange(last, until, 600.0)[1:] if state.scene.facts.rows else ():
                listen(float(now))
        assert fold(state, record) == []
        if isinstance(record, Block):
            listen(state.scene.facts.clock)
    assert [(alert.kind, alert.status) for alert in told] == [
        (Kind.FEED_STALLED, Status.FIRING),
        (Kind.FEED_STALLED, Status.RESOLVED),
    ]
    assert told[0].id == told[1].id
    assert "has sent nothing for" in told[0].summary


# --- what is tested in private ----------------------------------------------------------------------------------------


def test_more_private_variants_than_allowed_are_told_with_their_number_names_and_the_cap() -> None:
    played = play("private-variants")
    (alert,) = played.told(Kind.PRIVATE_VARIANTS)
    assert alert.subject.provider == "lab-02"
    assert "lab-02 has 4 private variants in play at once" in alert.summary
    assert "(variant-1, variant-2, variant-3, variant-4); the arena allows 3" in alert.summary
    (last,) = played.told(Kind.PRIVATE_VARIANTS, Status.RESOLVED)
    assert last.id == alert.id
    assert last.severity is Severity.WARNING


def test_a_withdrawn_score_is_told_with_its_votes_and_what_is_owed() -> None:
    played = play("score-retraction")
    alerts = played.told(Kind.SCORE_RETRACTION)
    assert {alert.subject.model for alert in alerts} == set(played.truth.withdrawn)
    for number, alert in enumerate(alerts, 1):
        assert alert.evidence["votes"] > 3_000
        assert f"with {alert.evidence['votes']:,} votes, and no public board ever showed its score" in alert.summary
        assert "from 300 votes on it is owed" in alert.summary
        assert f"{number} of 5 variants that lab-02 tested in private ended so" in alert.summary


def test_the_best_of_ten_is_told_with_n_and_what_luck_alone_gains() -> None:
    played = play("best-of-n")
    (alert,) = played.told(Kind.BEST_OF_N)
    assert alert.subject.model == "variant-04"
    assert "as one of 10 variants that lab-02 tested in private" in alert.summary
    assert "choosing the best of 10 gains" in alert.summary
    gain, error = (float(alert.summary.split(before)[1].split(" ")[0]) for before in ("of 10 gains ", "errors of "))
    assert 0.5 * 1.54 < gain / error < 1.55, "E[max of 10 normals] = 1.54, less what their ratings scatter beyond it"
    assert {each.subject.model for each in played.told(Kind.SCORE_RETRACTION)} == set(played.truth.withdrawn)
