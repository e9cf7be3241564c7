"""Several votes on one draw are one exposure, wherever blocks are cut, and late votes are judged by their policy."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Kind, encode_alert
from streams.fairness.alerts.summaries import as_number
from streams.fairness.arena.draws import BY_VOTER, GENERATION, MIXED, UNCLEAR
from streams.fairness.arena.draws import Draws as Memory
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from tests.unit.fairness.arena import START, Ledger, equal_arena, make_rows
from tests.unit.fairness.drawn import By, Draws, codes

BRISK = FairnessSettings(
    false_pages="one in 1,000,000 battles",
    review_battles=1_000,
    window_reviews=3,
    ratings_reviews=2,
    max_undeclared=5,
    settle_seconds=200,
)


def two_models(
    draws: Sequence[int], by: By, times: list[int] | None = None, pairs: list[list[int]] | None = None
) -> Rows:
    n = len(draws)
    rows = make_rows(
        ["a", "b", "c"],
        np.tile([0, 1], (n, 1)) if pairs is None else np.array(pairs),
        np.zeros(n),
        START + np.arange(n) if times is None else np.array(times),
    )
    words, column = codes(np.array(draws), by)
    if by == "battle":
        return dataclasses.replace(rows, battles=words, battle=column)
    return dataclasses.replace(rows, voters=words, voter=column)


def test_rows_of_one_battle_are_one_exposure() -> None:
    assert Memory().follow(two_models([1, 1, 2, 1, 3, 2], "battle")).first.tolist() == [
        True, False, True, False, True, False,
    ]  # fmt: skip


def test_sides_swapped_it_is_the_same_draw() -> None:
    rows = two_models([1, 1], "battle", pairs=[[0, 1], [1, 0]])
    assert Memory().follow(rows).first.tolist() == [True, False]


def test_a_battle_with_other_models_is_an_exposure_of_its_own_and_is_told() -> None:
    rows = two_models([1, 1, 1, 1], "battle", pairs=[[0, 1], [0, 2], [2, 0], [0, 1]])
    found = Memory().follow(rows)
    assert found.first.tolist() == [True, True, False, False]
    assert (found.sort == MIXED).tolist() == [False, True, False, False]


def test_a_voter_s_votes_on_the_same_models_are_one_exposure_for_half_an_hour() -> None:
    rows = two_models([1, 1, 2, 1, 1], "voter", times=[0, 1_799, 1_800, 1_801, 1_900])
    found = Memory().follow(rows)
    assert found.first.tolist() == [True, False, True, True, False]
    assert (found.sort == BY_VOTER).all()


def test_a_change_of_policy_makes_no_bunches() -> None:
    ledger = equal_arena(40, seed=3, block=5_000)
    draws = Draws(ledger, by="neither")
    draws.play(30_000)
    for number in range(16):  # chance repeats become more frequent, too soon for the widest span to be compared
        ledger.declare(f"model-{number:03}", 0.0, status="retired")
        draws.play(1_000)
        assert ledger.state.scene.facts.draws.votes_per_draw == 1.0


def test_a_draw_is_known_for_at_least_a_generation_of_later_ones() -> None:
    memory = Memory()
    memory.follow(two_models([0], "battle"))
    memory.follow(two_models(range(1, GENERATION), "battle"))
    assert not memory.follow(two_models([0], "battle")).first.any()
    memory.follow(two_models(range(GENERATION, 2 * GENERATION), "battle"))
    assert memory.keys.nbytes + memory.checks.nbytes <= 2.1e6
    memory.follow(two_models(range(2 * GENERATION, 3 * GENERATION), "battle"))
    assert memory.follow(two_models([0], "battle")).first.all()


def test_rows_with_neither_are_exposures_and_say_so() -> None:
    rows = make_rows(["a", "b"], np.tile([0, 1], (3, 1)), np.zeros(3), np.arange(3))
    found = Memory().follow(rows)
    assert found.first.all()
    assert (found.sort == UNCLEAR).all()


@pytest.mark.parametrize(("votes", "each"), [((1,), 1.0), ((1, 2), 5 / 3), ((3,), 3.0)])
def test_votes_per_draw_are_estimated(votes: tuple[int, ...], each: float) -> None:
    ledger = equal_arena(60, seed=5, block=5_000)
    Draws(ledger, votes=votes, by="neither").play(20_000)
    assert ledger.state.scene.facts.draws.votes_per_draw == pytest.approx(each, rel=0.06)


def test_battles_count_draws_and_votes_count_votes() -> None:
    ledger = equal_arena(20, seed=2, settings=BRISK)
    draws = Draws(ledger, votes=(1, 2, 3))
    draws.play(3_000)
    draws.send()
    facts = ledger.state.scene.facts
    assert facts.rows == facts.finished == 3_000
    assert facts.votes == ledger.rows
    assert facts.window.total[list(facts.roster.models.values())].sum() == 2 * facts.rows
    assert ledger.state.scene.board.battles == ledger.rows


def eventful() -> Ledger:
    """Draws with several votes and late ones, notices among them, and a removal."""
    ledger = equal_arena(12, seed=9, settings=BRISK)
    named = Draws(ledger, votes=(1, 2), lag=60.0, by="battle", drawn_at=True)
    voters = Draws(ledger, votes=(1, 3), lag=60.0, by="voter")
    bare = Draws(ledger, votes=(1, 2), lag=30.0, by="neither", apart=5.0)
    for turn in range(4):
        for source in (named, voters, bare):
            source.play(700)
        ledger.declare(f"model-{turn:03}", 2.0 + turn)
        ledger.declare(f"late-{turn}", 1.0, provider="lab-1")
    ledger.sample("model-007", 0.0)
    ledger.declare("model-000", 0.0, status="retired")
    for _ in range(3):
        named.play(1_100)
        bare.play(900)
    ledger.sample("stranger", 1.0)
    named.play(1_500)
    named.send()
    return ledger


LEDGER = eventful()
EXPECTED = [encode_alert(alert) for alert in LEDGER.alerts]


def cut(random: np.random.Generator) -> Iterator[Block | Notice]:
    """The same rows in other blocks."""
    for record in LEDGER.records:
        if isinstance(record, Notice):
            yield record
            continue
        at = 0
        while at < len(record.rows):
            end = min(len(record.rows), at + 1 + int(random.integers(0, 400)))
            rows = record.rows.take(slice(at, end))
            yield Block(record.arena, rows, {0: int(rows.offset[-1])})
            at = end


def test_the_eventful_ledger_is_eventful() -> None:
    kinds = {alert.kind for alert in LEDGER.alerts}
    assert {Kind.SILENT_REMOVAL, Kind.DRAWS_UNCLEAR, Kind.UNDECLARED_MODEL} <= kinds
    facts = LEDGER.state.scene.facts
    assert facts.policies.changes == 4
    assert facts.policies.lateness.departures[0].counts.sum() > 0
    assert facts.votes > 1.3 * facts.rows


@settings(max_examples=4, phases=[Phase.generate])
@given(st.integers(0, 2**32))
def test_the_same_votes_in_other_blocks_give_the_same_alerts_and_state(seed: int) -> None:
    state = ArenaFairness.start("text", BRISK)
    alerts = [alert for record in cut(np.random.default_rng(seed)) for alert in fold(state, record)]
    assert [encode_alert(alert) for alert in alerts] == EXPECTED
    state.position = LEDGER.state.position
    assert encode_state(state) == encode_state(LEDGER.state)


@settings(max_examples=3, phases=[Phase.generate])
@given(st.integers(0, 2**32))
def test_a_restart_anywhere_gives_the_same_alerts(seed: int) -> None:
    random = np.random.default_rng(seed)
    state, alerts = ArenaFairness.start("text", BRISK), list[Alert]()
    for record in cut(random):
        alerts += fold(state, record)
        if random.random() < 0.05:
            state = decode_state(encode_state(state), BRISK)
    assert [encode_alert(alert) for alert in alerts] == EXPECTED


def after_a_launch(*, drawn_at: bool, settle: float = 900.0) -> Ledger:
    """A model is launched while votes are an hour late."""
    ledger = equal_arena(20, seed=3, settings=FairnessSettings(settle_seconds=settle))
    draws = Draws(ledger, lag=1_200.0, drawn_at=drawn_at)
    draws.play(20_000)
    ledger.declare("new", 8.0)
    draws.play(12_000)
    draws.send()
    return ledger


def test_a_late_vote_is_judged_by_the_policy_of_its_draw() -> None:
    ledger = after_a_launch(drawn_at=True)
    facts = ledger.state.scene.facts
    assert ledger.told(Kind.SHARE_DRIFT) == []
    # All but the few that were drawn within two seconds of the change.
    assert facts.policies.unjudged + sum(facts.policies.last[:1]) <= 6


def test_by_the_policy_in_force_late_votes_look_unfair() -> None:
    ledger = after_a_launch(drawn_at=False, settle=0.0)
    assert {Kind.SHARE_DRIFT, Kind.SILENT_REMOVAL} & {alert.kind for alert in ledger.alerts}


def test_a_past_policy_is_the_one_that_was_declared() -> None:
    ledger = equal_arena(6, seed=1)
    Draws(ledger).play(500)
    before = ledger.state.scene.play
    ledger.declare("model-002", 3.0)
    scene = ledger.state.scene
    past = scene.policy(1)
    assert isinstance(past, Play)
    np.testing.assert_array_equal(past.pi, before.pi)
    assert scene.policy(0) is scene.play


def test_without_drawn_at_battles_are_not_judged_until_a_change_has_settled() -> None:
    ledger = equal_arena(6, seed=1, settings=FairnessSettings(settle_seconds=100))
    ledger.battles(1_000)
    ledger.declare("model-002", 3.0)
    ledger.battles(1_000)
    assert ledger.state.scene.facts.policies.unjudged == pytest.approx(100 / 0.864, abs=2)


def retired_twice(*, lag: float, still_drawn: bool = False) -> Ledger:
    """A model of a tenth of the battles is retired, and another later; returned after the second notice."""
    ledger = equal_arena(20, seed=4, settings=FairnessSettings(review_battles=2_000))
    draws = Draws(ledger, lag=lag, by="battle")
    draws.play(4_000)
    for name in ("model-003", "model-004"):
        ledger.declare(name, 0.0, status="retired")
        if still_drawn:
            ledger.sample(name, 1.0)
        draws.play(12_000)
    return ledger


def test_votes_on_a_retired_model_show_how_late_votes_are() -> None:
    assert retired_twice(lag=30.0).state.scene.facts.policies.settling == 900
    assert 3_600 < retired_twice(lag=1_800.0).state.scene.facts.policies.settling < 43_200


def test_what_is_said_of_a_busy_policy_has_the_learned_time() -> None:
    ledger = retired_twice(lag=1_800.0)
    draws = Draws(ledger, lag=1_800.0)
    for weight in range(2, 60):
        ledger.declare("model-005", float(weight))
        draws.play(2_000)
    [alert] = ledger.firing(Kind.POLICY_TOO_BUSY)
    assert alert.evidence["settle_seconds"] == pytest.approx(ledger.state.scene.facts.policies.settling, rel=1e-4)
    assert alert.evidence["settle_seconds"] > 3_600


def test_an_arena_that_goes_on_drawing_a_retired_model_does_not_blind_itself() -> None:
    ledger = retired_twice(lag=0.0, still_drawn=True)
    assert ledger.state.scene.facts.policies.lateness.departures[0].counts.sum() > 500
    assert ledger.state.scene.facts.policies.settling == 900
    assert {alert.subject.model for alert in ledger.firing(Kind.UNDECLARED_MODEL)} == {"model-003", "model-004"}


def test_the_first_declarations_need_not_settle() -> None:
    ledger = equal_arena(6, seed=1)
    ledger.battles(1_000)
    assert ledger.state.scene.facts.policies.unjudged == 0


def test_a_draw_of_more_than_a_day_ago_is_not_judged() -> None:
    ledger = equal_arena(6, seed=1, block=100)
    draws = Draws(ledger, drawn_at=True)
    draws.play(1_000)
    rows = ledger.records[-1].rows
    long_ago = rows.tstamp - 90_000
    rows = dataclasses.replace(rows, offset=np.arange(1_000, 1_100), battles=[""], battle=None, drawn_at=long_ago)
    before = ledger.state.scene.facts.policies.unjudged
    ledger.send(Block("text", rows, {0: 1_099}))
    assert ledger.state.scene.facts.policies.unjudged - before == 100


def test_the_kept_policies_are_bounded() -> None:
    ledger = equal_arena(6, seed=1)
    draws = Draws(ledger, drawn_at=True)
    for change in range(100):
        draws.play(20)
        ledger.declare("model-002", 1.0 + change)
    assert len(ledger.state.scene.facts.policies.kept) == 64


def declared_pairs(ledger: Ledger, factor: float, n: int = 250) -> None:
    """Battles with the probability of their pair, times a factor."""

    class WithProbability(Draws):
        def rows(self, part: NDArray[np.float64], offset: int) -> Rows:
            rows = super().rows(part, offset)
            numbers = np.array([ledger.state.scene.facts.roster.models[name] for name in rows.models])
            p = ledger.state.scene.play.pair_probability(numbers[rows.model_a], numbers[rows.model_b])
            return dataclasses.replace(rows, p_pair=factor * p)

    WithProbability(ledger).play(n)


def test_a_probability_that_the_weights_imply_is_right() -> None:
    ledger = equal_arena(12, seed=1)
    ledger.declare("model-003", 3.0)
    declared_pairs(ledger, 1.004)  # three digits of it
    assert ledger.told(Kind.DECLARED_PROBABILITY_WRONG) == []


def test_a_probability_that_they_do_not_is_told_with_the_tick_and_ends_with_a_clean_review() -> None:
    ledger = equal_arena(12, seed=1, settings=BRISK)
    declared_pairs(ledger, 0.5)
    [alert] = ledger.firing(Kind.DECLARED_PROBABILITY_WRONG)
    assert alert.detected_at == ledger.records[-1].rows.tstamp[99]
    assert (alert.evidence["battles"], alert.evidence["wrong_battles"]) == (100, 100)
    assert alert.evidence["given"] == pytest.approx(alert.evidence["implied"] / 2, rel=1e-4)
    assert alert.evidence["implied"] == pytest.approx(1 / 66, rel=1e-4)
    ledger.battles(2_000)
    assert ledger.firing(Kind.DECLARED_PROBABILITY_WRONG) == []


def test_weights_that_change_all_the_time_are_told() -> None:
    ledger = equal_arena(12, seed=1, settings=BRISK)
    for change in range(40):
        ledger.battles(100)
        ledger.declare("model-003", 1.0 + change % 3)
    [alert] = ledger.firing(Kind.POLICY_TOO_BUSY)
    assert alert.evidence["judged_share"] < 0.5
    ledger.battles(4_000)
    assert ledger.firing(Kind.POLICY_TOO_BUSY) == []


def test_one_change_in_a_busy_arena_is_not_too_busy() -> None:
    ledger = equal_arena(12, seed=1, settings=BRISK)
    draws = Draws(ledger, seconds=0.01)
    draws.play(500)
    ledger.declare("model-003", 3.0)
    draws.play(1_400)
    assert ledger.told(Kind.POLICY_TOO_BUSY) == []


def test_many_changes_are_too_busy_within_a_review_and_end_with_them() -> None:
    ledger = equal_arena(12, seed=1, settings=BRISK)  # a review takes 864 s, the settling time is 200 s
    draws = Draws(ledger)
    draws.play(3_000)
    for number in range(8):
        ledger.declare("model-003", 2.0 + number % 2)
        draws.play(250)
        if number == 3:
            (alert,) = ledger.told(Kind.POLICY_TOO_BUSY)
            assert alert.evidence["changes"] == 4
            assert as_number(alert.evidence["judged_share"]) < 0.2
    draws.play(1_100)
    alerts = ledger.told(Kind.POLICY_TOO_BUSY)
    assert alerts[-1].status == "resolved"
    assert len({alert.id for alert in alerts}) == 1


@pytest.mark.parametrize("changes", [1, 2])
def test_one_change_or_two_are_not_too_busy(changes: int) -> None:
    ledger = equal_arena(12, seed=1, settings=BRISK)
    draws = Draws(ledger)
    draws.play(3_000)
    for number in range(changes):
        ledger.declare("model-003", 2.0 + number)
        draws.play(300)
    draws.play(1_500)
    assert ledger.told(Kind.POLICY_TOO_BUSY) == []


def test_ids_that_are_not_of_draws_are_told() -> None:
    class OneIdForFive(Draws):
        def rows(self, part: NDArray[np.float64], offset: int) -> Rows:
            return super().rows(np.column_stack([part[:, :3], part[:, 3] // 5, part[:, 4]]), offset)

    ledger = equal_arena(12, seed=1, settings=BRISK)
    OneIdForFive(ledger).play(2_000)
    [alert] = ledger.firing(Kind.DRAWS_UNCLEAR)
    assert alert.evidence["cause"] == "ids"
    assert ledger.told(Kind.SHARE_DRIFT) == []


@pytest.mark.parametrize("declares", [True, False])
def test_bunches_are_told_only_where_weights_are_declared(declares: bool) -> None:
    ledger = equal_arena(40, seed=1, settings=BRISK) if declares else Ledger(seed=1, settings=BRISK)
    for number in range(40):
        ledger.sample(f"model-{number:03}", 1.0)
    Draws(ledger, votes=(3,), by="neither").play(6_000)
    assert [alert.kind for alert in ledger.told(Kind.DRAWS_UNCLEAR)][:1] == [Kind.DRAWS_UNCLEAR] * declares
