"""Detectors that look at single battles: fair odds, the same bits whatever the blocks, one alert an episode."""

import dataclasses
from random import Random

import msgspec
import numpy as np
import pytest

from streams.contracts.alert import Alert, Kind, Severity, Status, Subject, encode_alert
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import as_number
from streams.fairness.arena import share_evidence
from streams.fairness.arena.strata import MOST, Strata
from streams.fairness.detectors import side_preference
from streams.fairness.detectors.catalog import AT_ROW, DETECTORS
from streams.fairness.detectors.pairing_bias import BETS, LICENSE, PROVIDER, TILT, tables_of
from streams.fairness.detectors.result_break import _bet as bet_on_result
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.fairness.statistics.cell_evidence import Cells
from streams.ledger.codec import Block, Notice
from tests.statistics.fairness import conditional_arena
from tests.statistics.fairness.conditional_arena import (
    Attack,
    Battles,
    X,
    always_left,
    drift_left,
    losses_deleted,
    no_language,
    three_votes,
    weaker_half,
)
from tests.unit.fairness.arena import START

QUICK = FairnessSettings(
    false_pages="one in 1,000,000 battles", review_battles=2_000, ratings_reviews=2, window_reviews=3, repeat_reviews=3
)
NEW = (Kind.PAIRING_BIAS, Kind.SIDE_BIAS, Kind.STRATUM_REMOVAL, Kind.RESULT_BREAK, Kind.SIDE_PREFERENCE)


def arena(seed: int = 3) -> conditional_arena.Arena:
    return conditional_arena.Arena(seed, QUICK)


def told(found: conditional_arena.Arena, kind: Kind) -> list[Alert]:
    return [alert for alert in found.alerts if alert.kind is kind]


def judged(found: conditional_arena.Arena) -> dict[Kind, Judged]:
    scene, states = found.state.scene, found.state.states
    return {each.kind: each.judged(states.of(each), scene) for each in DETECTORS if each in AT_ROW}


def test_the_opponents_of_every_model_have_the_declared_probabilities() -> None:
    made = arena()
    made.play(6_000)
    state = made.state
    pairing = next(each for each in AT_ROW if each.kind is Kind.PAIRING_BIAS)
    kept, play = state.states.of(pairing), state.scene.play
    drawn = np.flatnonzero(play.weights > 0)
    ratio = np.ones(play.pi.size)
    ratio[drawn[3]] = 0.5
    free = np.ones(play.pi.size, bool)
    free[drawn[5]] = False
    tables = tables_of(play, kept.theta, ratio, free)
    w = play.weights
    for x in drawn[:7].tolist():
        others = [j for j in drawn.tolist() if j != x and free[j]]
        q = np.array([w[x] * w[j] * (1 / (w.sum() - w[x]) + 1 / (w.sum() - w[j])) * ratio[j] for j in others])
        q /= q.sum()
        for column, (family, strength) in enumerate(BETS):
            value = {
                TILT: tables.feature[others, 0],
                PROVIDER: play.provider[others] == play.provider[x],
                LICENSE: play.license[others] == play.license[x],
            }.get(family, tables.feature[others, 1])
            log_f = (strength if family == TILT else np.log(strength)) * value
            assert np.sum(q * np.exp(log_f + tables.minus_log_z[x, column])) == pytest.approx(1.0, abs=1e-9)
        assert tables.expected[x, 0] == pytest.approx(float(q @ tables.feature[others, 1]), abs=1e-9)


@pytest.mark.parametrize("chance", [0.3, 0.5])
def test_a_bet_on_results_gains_nothing_inside_the_band_whatever_the_ties(chance: float) -> None:
    """E[e] ≤ 1 for every law of x with a mean inside the band: here with no tie, and with as many as there can be."""
    theta, shift, sure = np.array([np.log(chance / (1 - chance)), 0.0]), np.zeros(2), np.array([1000.0, 2000.0])
    stakes, wins = np.array([0.08, 0.64]), {}
    for result in (0, 1, 2):
        cells = Cells.start((0, 0, 1, 1), 2)
        flag = np.ones(3, bool)
        bet_on_result(
            np.array([0]), np.array([1]), np.array([result], np.uint8), flag[:1], flag, flag[:2], theta, shift,
            sure, False, stakes, 0.2, 0.05, 0.1,
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip
        wins[result] = np.exp(cells.gain)
    even = 2 * min(chance, 1 - chance)  # all that can be ties, are: x is ½ or the nearer end
    for law in ((chance, 1 - chance, 0.0), (chance - even / 2, 1 - chance - even / 2, even)):
        mean = np.sum([part * wins[result] for part, result in zip(law, (0, 1, 2), strict=True)], axis=0)
        assert (mean[:, :4] <= 1.0).all()
    beyond = wins[0] * min(chance + 0.1, 1) + wins[1] * (0.9 - chance)
    assert beyond[0, 2] > 1.0


ATTACKS = [weaker_half, always_left, no_language, losses_deleted, drift_left]


@pytest.mark.parametrize(("attack", "kind"), list(zip(ATTACKS, NEW, strict=True)), ids=[kind.value for kind in NEW])
def test_each_attack_fires_its_own_kind_and_ends_when_the_arena_repents(
    attack: Attack, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_preference, "LEARNING", 10_000)
    slow = kind is Kind.RESULT_BREAK  # needs ratings that are worth something
    made = conditional_arena.Arena(3, msgspec.structs.replace(QUICK, ratings_reviews=40) if slow else QUICK)
    made.play(80_000 if slow else 24_000)
    assert not {alert.kind for alert in made.alerts} & set(NEW)
    made.play(30_000 if slow else 8_000, attack)
    alerts = told(made, kind)
    assert len({alert.id for alert in alerts}) == 1
    assert alerts[-1].severity is Severity.CRITICAL
    assert alerts[-1].subject == (Subject() if kind is Kind.SIDE_PREFERENCE else Subject(model="model-00"))
    assert not {alert.kind for alert in made.alerts} & (set(NEW) - {kind})
    assert "evidence of 10^" in alerts[-1].summary
    made.play({Kind.RESULT_BREAK: 100_000, Kind.STRATUM_REMOVAL: 40_000}.get(kind, 24_000))
    assert told(made, kind)[-1].status == "resolved"
    assert len({alert.id for alert in told(made, kind)}) == 1


def test_sides_that_follow_the_names_are_one_alert_of_the_arena() -> None:
    made = arena()
    made.play(4_000)

    def sorted_pairs(_: conditional_arena.Arena, battles: Battles) -> Battles:
        battles.pairs.sort(axis=1)
        return battles

    made.play(8_000, sorted_pairs)
    alerts = told(made, Kind.SIDE_BIAS)
    assert {alert.subject for alert in alerts} == {Subject()}
    assert alerts[0].detected_at - START < 0.864 * 5_000
    assert as_number(alerts[-1].evidence["guessed_share"]) > 0.7
    made.play(20_000)
    assert told(made, Kind.SIDE_BIAS)[-1].status == "resolved"


def test_a_model_that_is_gone_everywhere_is_not_missing_from_a_language() -> None:
    made = arena()
    made.play(4_000)
    made.weights[X] = 0.0
    made.play(12_000)
    assert told(made, Kind.SILENT_REMOVAL)
    assert not told(made, Kind.STRATUM_REMOVAL)


def test_a_model_cut_to_a_third_everywhere_is_not_missing_from_a_language() -> None:
    made = arena()
    made.play(4_000)
    made.weights[X] /= 3
    made.play(20_000)
    assert told(made, Kind.SHARE_DRIFT)
    assert not told(made, Kind.STRATUM_REMOVAL)


@pytest.mark.parametrize("left", ["a provider", "the weakest", "one in ten"])
def test_a_stalled_feed_accuses_nobody_while_it_lasts_nor_by_what_was_seen_in_it(
    left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share_evidence, "LEARNED", 24_000)
    made = arena()
    made.play(12_000)
    sampled, number = made.weights.copy(), np.arange(conditional_arena.MODELS)
    weakest = number[np.argsort(made.strength)[: number.size * 12 // 25]]
    of = {"a provider": number[::12], "the weakest": weakest, "one in ten": number[::10]}[left]
    made.weights[np.setdiff1d(number, of)] = 1e-9  # of the sampler: no notice says so
    made.play(6_000)
    made.weights[:] = sampled
    made.play(24_000)
    told_of = [alert for alert in made.alerts if alert.kind is not Kind.DATA_INEQUALITY]  # the counts are unequal
    assert {alert.kind for alert in told_of} == {Kind.FEED_STALLED}
    assert {alert.status for alert in told_of[-1:]} == {Status.RESOLVED}


def test_what_is_not_judged_yet_says_why() -> None:
    made = arena()
    made.play(1_000)
    reasons = {kind: each.reason for kind, each in judged(made).items() if kind in NEW}
    assert reasons == {
        Kind.PAIRING_BIAS: None,
        Kind.SIDE_BIAS: None,
        Kind.STRATUM_REMOVAL: Unjudged.NO_STRATA,
        Kind.RESULT_BREAK: Unjudged.FIRST_RATINGS,
        Kind.SIDE_PREFERENCE: Unjudged.NO_USUAL_VALUE,
    }
    made.play(60_000)
    assert all(each.judged for kind, each in judged(made).items() if kind in NEW)
    assert judged(made)[Kind.STRATUM_REMOVAL].subjects == 60


def test_where_votes_name_no_draw_single_battles_are_judged_once_it_is_seen_that_they_are_alone() -> None:
    made = arena()
    made.known_draws = False
    made.play(4_000, always_left)
    assert {judged(made)[kind].reason for kind in (Kind.PAIRING_BIAS, Kind.SIDE_BIAS)} == {Unjudged.DRAWS_UNKNOWN}
    made.play(7_000)
    assert not told(made, Kind.SIDE_BIAS)
    assert judged(made)[Kind.SIDE_BIAS].judged
    made.play(4_000, always_left)
    assert {alert.subject for alert in told(made, Kind.SIDE_BIAS)} == {Subject(model="model-00")}


def test_three_votes_on_each_draw_that_nothing_tells_raise_no_alert_but_that_draws_are_unclear() -> None:
    for seed in range(4):
        made = arena(seed)
        made.known_draws = False
        made.play(12_000, three_votes)
        assert {alert.kind for alert in made.alerts} == {Kind.DRAWS_UNCLEAR}
        assert {each.reason for each in judged(made).values()} >= {Unjudged.DRAWS_UNCLEAR}
        assert not judged(made)[Kind.SIDE_BIAS].judged


def test_one_sender_without_ids_does_not_stop_the_judgement_of_the_others() -> None:
    made = arena()
    made.play(2_000)
    made.known_draws = False
    made.play(500, three_votes, block=500)
    made.known_draws = True
    made.play(2_000)
    assert judged(made)[Kind.SIDE_BIAS].judged
    assert not made.alerts


def test_strata_are_the_large_ones_and_stay() -> None:
    made = arena()
    made.play(2_000)
    (strata,) = [made.state.states.of(each).strata for each in DETECTORS if each.kind is Kind.STRATUM_REMOVAL]
    first = list(strata.names)
    assert first[0] == ("language", "english")
    assert set(first[1:]) == {
        ("category", "code"), ("category", "creative"), ("category", "math"),
        ("language", "chinese"), ("language", "german"),
    }  # fmt: skip
    made.play(6_000, lambda _, battles: dataclasses.replace(battles, language=np.full(len(battles.winner), 4)))
    assert strata.names == [*first, ("language", "thai")]


def test_a_flood_of_strata_is_bounded() -> None:
    strata = Strata()
    made = arena()
    made.play(20)
    rows = made.records[-1].rows
    for _ in range(2):
        for word in range(40):
            strata.gather(dataclasses.replace(rows, languages=["", f"l{word}"], language=np.ones(20, np.int32)))
        strata.turn(100)
    assert len(strata) == MOST
    for word in range(2_000):
        strata.gather(dataclasses.replace(rows, languages=["", f"x{word}"], language=np.ones(20, np.int32)))
    assert len(strata.counts["language"]) == 512


def test_block_boundaries_and_restarts_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_preference, "LEARNING", 3_000)
    made = arena(5)
    made.play(6_000)
    for attack in (weaker_half, always_left, no_language):
        made.play(3_033, attack)
        made.declare(9, weight=0.02)  # in the middle of a tick
    made.declare(11, status="retired", weight=0.03)
    made.weights[11] = 0.0
    made.play(3_000, drift_left)
    expected = [encode_alert(alert) for alert in made.alerts]
    assert {alert.kind for alert in made.alerts} >= {Kind.PAIRING_BIAS, Kind.SIDE_BIAS, Kind.STRATUM_REMOVAL}
    random = Random(1)
    state, found = ArenaFairness.start("text", QUICK), []
    for record in made.records:
        if isinstance(record, Notice):
            found += fold(state, record)
            continue
        at = 0
        while at < len(record.rows):
            end = min(len(record.rows), at + random.choice([1, 7, 99, 100, 640]))
            rows = record.rows.take(slice(at, end))
            found += fold(state, Block("text", rows, {0: int(rows.offset[-1])}))
            at = end
            if random.random() < 0.1:
                state = decode_state(encode_state(state), QUICK)
    assert [encode_alert(alert) for alert in found] == expected
    assert encode_state(state) == encode_state(made.state)
