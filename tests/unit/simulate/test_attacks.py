"""Attacks do to the battles what they say, and leave the rest as it is; the truth names them."""

import numpy as np
import pytest

from services.simulate.ground_truth import Deed
from streams.contracts.reasons import Reason
from streams.contracts.vote import MODEL_A, MODEL_B, NONE
from streams.ledger.codec import Block
from tests.unit.simulate.making import TEN, Played, event, play

AT, N = 20_000, 60_000
X = "m-03"
SHARE = pytest.approx(0.2, abs=0.008)
"""Five standard errors of the share of battles of each of ten equal models."""
UNLIKE = TEN + "strength = { mean = 1000, sd = 100 }\n"


def attacked(kind: str, text: str = UNLIKE, **keys: object) -> Played:
    return play(text + event(kind, AT, **keys), battles=AT + N)


def spared(text: str = UNLIKE, *, until: int | None = None) -> Played:
    """The same arena without an attack; events that do nothing let blocks begin where they do with one."""
    nothing = [event("prompts", at, reuse=0) for at in (AT, until) if at is not None]
    return play(text + "".join(nothing), battles=AT + N)


def seen(played: Played, models: str = X, since: int = AT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether the model is on side a, on side b, and the winner, of each row from `since` on."""
    code = played.blocks[0].models.index(models)
    a, b = played.column("model_a") == code, played.column("model_b") == code
    return a[since:], b[since:], played.column("winner")[since:]


def won(played: Played, since: int = AT, until: int | None = None) -> float:
    """Share of wins of the model among its battles with a winner."""
    a, b, winner = (column[:until] for column in seen(played, since=since))
    decided = (a | b) & (winner <= MODEL_B)
    return float((np.where(a, MODEL_A, MODEL_B) == winner)[decided].mean())


@pytest.mark.parametrize("against", ["weaker", "stronger"])
def test_pairing_chooses_the_half_of_the_opponents_and_keeps_the_share(against: str) -> None:
    played = attacked("pairing", models=X, against=against)
    assert played.shown(X, AT) == SHARE
    a, b, _ = seen(played)
    others = set(np.where(a, played.column("model_b")[AT:], played.column("model_a")[AT:])[a | b].tolist())
    assert len(others) == 5
    assert bool(won(played) > won(played, 0, AT) + 0.05) is (against == "weaker")
    assert played.truth.of("pairing") == {X: AT}


@pytest.mark.parametrize(("side", "part"), [("a", 1.0), ("b", 0.5)])
def test_side_turns_battles_and_keeps_the_share(side: str, part: float) -> None:
    played = attacked("side", models=X, side=side, part=part)
    assert played.shown(X, AT) == SHARE
    a, b, _ = seen(played)
    there = a if side == "a" else b
    assert there.sum() / (a | b).sum() == pytest.approx(0.5 + part / 2, abs=0.02)


@pytest.mark.parametrize("where", ["language", "category"])
def test_a_model_leaves_a_stratum_and_both_keep_their_sizes(where: str) -> None:
    text = "[languages]\nen = 0.5\nde = 0.2\n[categories]\ncode = 0.25\n" + UNLIKE
    plain, played = spared(text), attacked("stratum", text, models=X, **{where: ("code", "de")[where == "language"]})
    inside = played.column("language") == 2 if where == "language" else played.column("categories") == 1
    before = plain.column("language") == 2 if where == "language" else plain.column("categories") == 1
    a, b, _ = seen(played, since=0)
    assert ((a | b) & inside)[:AT].sum() / inside[:AT].sum() == pytest.approx(0.2, abs=0.03)
    assert not ((a | b) & inside)[AT:].any()
    # The last block is drawn whole and cut: what it exchanged may lie beyond.
    assert abs(int(inside.sum()) - int(before.sum())) < 60
    np.testing.assert_array_equal(played.column("model_a"), plain.column("model_a"))


@pytest.mark.parametrize("to", ["away", "none", "again"])
def test_losses_are_lost_and_no_wins(to: str) -> None:
    plain, played = spared(), attacked("lose", models=X, outcome="loss", part=0.5, to=to)
    chance = won(plain)
    assert won(played) == pytest.approx(chance / (chance + (1 - chance) / 2), abs=0.03)
    a, b, winner = seen(played)
    nobody = ((a | b) & (winner == NONE)).sum()
    if to == "away":
        assert played.shown(X, AT) < 0.19
        assert nobody == 0
    else:
        assert played.shown(X, AT) == pytest.approx(plain.shown(X, AT), abs=1e-9)
        assert bool(nobody > 1_000) is (to == "none")
        np.testing.assert_array_equal(plain.column("winner")[AT:][~a & ~b], winner[~a & ~b])


def test_a_gate_takes_the_votes_of_everybody_until_it_opens() -> None:
    played = attacked("lose", part=0.3, to="none", battles=N // 2)
    nobody = played.column("winner") == NONE
    assert nobody[AT : AT + N // 2].mean() == pytest.approx(0.3, abs=0.01)
    assert not nobody[:AT].any()
    assert not nobody[AT + N // 2 :].any()
    assert not played.truth.healthy - set(played.truth.models)


def test_votes_that_intake_refuses_are_told_between_the_rows_and_are_no_rows() -> None:
    plain, played = spared(), attacked("lose", models=X, part=0.3, to="refused")
    parts = [(record.rows, record.refused) for record in played.records if isinstance(record, Block)]
    told = [refused for _, refused in parts if refused is not None]
    missing = len(plain.column("winner")) - len(played.column("winner"))
    assert sum(len(each) for each in told) == missing
    assert missing / (0.2 * N) == pytest.approx(0.3, abs=0.03)
    for rows, refused in parts:
        if refused is not None:
            assert refused.reasons == [Reason.UNKNOWN_WINNER.value]
            x = refused.models.index(X)
            assert ((refused.model_a == x) | (refused.model_b == x)).all()
            np.testing.assert_array_equal(np.searchsorted(rows.offset, refused.offset), refused.place)
    offsets = np.concatenate([played.column("offset"), *(each.offset for each in told)])
    np.testing.assert_array_equal(np.sort(offsets), np.arange(AT + N))


def test_wins_are_told_twice_later_by_the_same_voter_on_the_same_prompt() -> None:
    text = "[voters]\ncount = 1_000_000\n[prompts]\nreuse = 0\n" + UNLIKE
    plain, played = spared(text), attacked("retell", text, models=X, part=0.5, seconds=3_600)
    a, b, winner = seen(plain)
    wins = ((a & (winner == MODEL_A)) | (b & (winner == MODEL_B))).sum()
    more = len(played.column("winner")) - len(plain.column("winner"))
    assert 0.4 * wins < more < 0.52 * wins  # some are still to come
    words = np.concatenate([[rows.prompts[code] for code in rows.prompt] for rows in played.blocks])
    _, first, times = np.unique(words, return_index=True, return_counts=True)
    assert (times == 2).sum() == more
    again = [np.flatnonzero(words == words[at]) for at in first[times == 2][:50]]
    for column in ("model_a", "model_b", "winner", "voter"):
        values = played.column(column)
        assert all(values[one] == values[other] for one, other in again)
    assert (np.diff(played.column("tstamp")) >= 0).all()
    assert len(set(played.column("offset").tolist())) == len(words)


@pytest.mark.parametrize("omniscient", [False, True])
def test_bots_cast_as_many_votes_as_ordered_for_their_model_alone(omniscient: bool) -> None:
    text = "[voters]\ncount = 900\n" + UNLIKE
    played = attacked("bots", text, models=X, battles=N // 2, votes=2_000, voters=30, omniscient=omniscient)
    bots = np.concatenate([[rows.voters[code].startswith("bot") for code in rows.voter] for rows in played.blocks])
    a, b, winner = seen(played, since=0)
    assert bots.sum() == 2_000
    assert (a | b)[bots].all()
    assert (np.where(a, MODEL_A, MODEL_B) == winner)[bots].all()
    assert not bots[:AT].any()
    assert not bots[AT + N // 2 :].any()
    assert len(set(played.column("voter")[bots].tolist())) == 30
    plain = spared(text, until=AT + N // 2).column("winner")
    helped = (plain != winner).sum()
    assert helped == 2_000 if omniscient else helped < 1_700


def test_voters_lean_to_the_left() -> None:
    plain, played = spared().column("winner"), attacked("lean", part=0.2).column("winner")
    np.testing.assert_array_equal(plain[:AT], played[:AT])
    right, left = (plain[AT:] == MODEL_B), (played[AT:] == MODEL_A)
    assert (right & left).sum() / right.sum() == pytest.approx(0.2, abs=0.02)
    assert (plain[AT:] != played[AT:]).sum() == (right & left).sum()


def test_probabilities_are_misstated_for_the_model_only() -> None:
    text = "[votes]\np_pair = true\n" + UNLIKE
    plain, played = spared(text), attacked("misstate", text, models=X, factor=0.5)
    a, b, _ = seen(played)
    ratio = (played.column("p_pair") / plain.column("p_pair"))[AT:]
    np.testing.assert_allclose(ratio, np.where(a | b, 0.5, 1.0))


def test_invented_names_come_from_one_voter() -> None:
    played = attacked("invent", "[voters]\ncount = 9\n" + UNLIKE, battles=N // 2, share=0.1, names=1_000, voter="maker")
    names = np.concatenate([[rows.models[code] for code in rows.model_a] for rows in played.blocks])
    voters = np.concatenate([[rows.voters[code] for code in rows.voter] for rows in played.blocks])
    made = np.char.startswith(names, "invented-")
    assert made[AT : AT + N // 2].mean() == pytest.approx(0.1, abs=0.01)
    assert made.sum() == made[AT : AT + N // 2].sum()
    assert set(voters[made]) == {"maker"} == set(voters) - {f"v{number}" for number in range(9)}
    assert len(set(names[made])) == 500
    assert played.truth.of(Deed.INVENT) == {}
    assert [each.battle for each in played.truth.events if each.deed is Deed.INVENT] == [AT]


def test_a_ramp_goes_down_step_by_step() -> None:
    played = attacked("ramp", TEN, models=X, factor=0.1, battles=N // 2, steps=10)
    shares = [played.shown(X, since, since + 5_000) for since in range(AT, AT + N // 2, 5_000)]
    assert shares == sorted(shares, reverse=True)
    assert played.shown(X, AT + N // 2) == pytest.approx(0.1 / 9.1 + 9 / 9.1 * 0.1 / 8.1, abs=0.004)
    assert [each.detail["factor"] for each in played.truth.events if each.deed is Deed.SHARE] == pytest.approx(
        [0.91, 0.82, 0.73, 0.64, 0.55, 0.46, 0.37, 0.28, 0.19, 0.1]
    )


def test_what_one_attack_does_to_a_model_leaves_the_others_draws() -> None:
    plain, played = spared(), attacked("pairing", models=X)
    a, b, _ = seen(plain, since=0)
    np.testing.assert_array_equal(plain.column("model_a")[~a & ~b], played.column("model_a")[~a & ~b])
