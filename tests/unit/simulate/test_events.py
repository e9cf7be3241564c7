"""Every kind of event has its effect, in the sampler and in the registry, at its battle; and the truth says so."""

import numpy as np
import pytest

from services.simulate.ground_truth import Deed
from streams.contracts.vote import NONE
from streams.ledger.rows import Rows
from tests.unit.simulate.making import TEN, event, play

AT, N = 20_000, 60_000
SHARE = 0.2
"""Of battles, of each of ten equal models."""
NEAR = 0.008
"""Five standard errors of a share of 0.2 in 60,000 battles."""


def test_weight_changes_sampler_and_registry_at_once() -> None:
    played = play(TEN + event("weight", AT, models="m-03", weight=3), battles=AT + N)
    (_, before), (rows, after) = played.notices_of("m-03")
    assert (rows, before.model.weight, after.model.weight) == (AT, 1, 3)
    assert played.shown("m-03", AT) == pytest.approx(3 / 12 + 9 / 12 * 3 / 11, abs=0.01)
    assert "m-03" in played.truth.healthy


def test_reweigh_declares_what_it_does() -> None:
    played = play(TEN + event("reweigh", 5_000, every=5_000, until=20_000, count=2, weights=[1, 4]), battles=30_000)
    changes = [(rows, notice.model.weight) for rows, notice in played.notices if rows]
    assert [rows for rows, _ in changes] == [5_000, 5_000, 10_000, 10_000, 15_000, 15_000]
    assert {weight for _, weight in changes} <= {1, 4}
    assert len(played.truth.healthy) == 10


def test_share_departs_from_the_registry() -> None:
    played = play(TEN + event("share", AT, models="m-03", factor=0.1), battles=AT + N)
    assert len(played.notices_of("m-03")) == 1
    assert played.shown("m-03", 0, AT) == pytest.approx(SHARE, abs=0.015)
    assert played.shown("m-03", AT) == pytest.approx(0.1 / 9.1 + 9 / 9.1 * 0.1 / 8.1, abs=0.004)
    assert played.truth.of(Deed.SHARE) == {"m-03": AT}


def test_remove_is_silent_and_restore_undoes_it() -> None:
    played = play(TEN + event("remove", AT, models="m-03") + event("restore", 2 * AT), battles=3 * AT)
    assert [notice.model.status for _, notice in played.notices_of("m-03")] == ["active"]
    assert played.shown("m-03", AT, 2 * AT) == 0
    assert played.shown("m-03", 2 * AT) == pytest.approx(SHARE, abs=0.015)
    assert played.truth.silently_removed == {"m-03": AT}
    assert played.truth.still_removed == {}
    assert played.truth.of(Deed.RESTORED) == {"m-03": 2 * AT}
    assert len(played.truth.healthy) == 9


def test_deprecate_is_said_and_changes_no_share() -> None:
    played = play(TEN + event("deprecate", AT, models="m-03", reason="old"), battles=AT + N)
    rows, notice = played.notices_of("m-03")[1]
    assert (rows, notice.model.status, notice.model.reason) == (AT, "deprecated", "old")
    assert notice.model.announced_at == notice.model.tstamp
    assert played.shown("m-03", AT) == pytest.approx(SHARE, abs=NEAR)
    assert played.truth.announced == {"m-03": AT}


def test_retire_with_notice_is_announced_days_before() -> None:
    clock = "[clock]\nper_day = 1_000\n"
    played = play(clock + TEN + event("retire", AT, models="m-03", notice_days=14), battles=AT + 5_000)
    said, ended = played.notices_of("m-03")[1:]
    assert [said[1].model.status, ended[1].model.status] == ["deprecated", "retired"]
    assert ended[1].model.tstamp - said[1].model.tstamp >= 14 * 86_400
    assert ended[1].model.announced_at == said[1].model.tstamp
    assert (ended[0], ended[1].model.weight, played.shown("m-03", AT)) == (AT, 0, 0)
    assert played.truth.of(Deed.RETIRED_ANNOUNCED) == {"m-03": AT}
    assert played.truth.unannounced == {}


@pytest.mark.parametrize(
    "how",
    [event("retire", AT, models="m-03"), event("weight", AT, models="m-03", weight=0),
     event("unregister", AT, models="m-03"), event("retire", AT, models="m-03", notice_days=0.1)],
    ids=["retired", "weight 0", "unregistered", "short notice"],
)  # fmt: skip
def test_an_end_without_the_notice_owed_is_unannounced(how: str) -> None:
    played = play(TEN + how, battles=2 * AT)
    assert played.shown("m-03", AT) == 0
    assert played.truth.unannounced == {"m-03": AT}
    assert played.truth.gone == {"m-03"}


def test_unregister_deletes_the_record_and_may_go_on() -> None:
    played = play(TEN + event("unregister", AT, models="m-03", keep=True), battles=AT + N)
    assert [(rows, notice.model is None) for rows, notice in played.notices_of("m-03")] == [(0, False), (AT, True)]
    assert played.shown("m-03", AT) == pytest.approx(SHARE, abs=NEAR)
    assert played.truth.undeclared == {"m-03": AT}


PRIVATE = (
    TEN + '\n[[models]]\nname = "v"\ncount = 3\nprovider = "lab-1"\nvisibility = "private"\nfamily = "f"\nat = 5_000\n'
)


def test_models_join_at_their_battle() -> None:
    played = play(PRIVATE, battles=40_000)
    ((rows, notice),) = played.notices_of("v-2")
    assert (rows, notice.model.visibility, notice.model.family) == (5_000, "private", "f")
    assert played.shown("v-2", 0, 5_000) == 0
    assert played.shown("v-2", 5_000) == pytest.approx(2 / 13, abs=0.01)


def test_publish_makes_public_and_the_rest_is_withdrawn() -> None:
    played = play(
        PRIVATE + event("publish", AT, models="v-2") + event("retire", AT, models="v-*", count=2), battles=2 * AT
    )
    assert [notice.model.visibility for _, notice in played.notices_of("v-2")] == ["private", "public"]
    assert played.truth.published == {"v-2": AT}
    assert played.truth.withdrawn == {"v-1": AT, "v-3": AT}
    assert "v-2" in played.truth.healthy


def test_publish_under_another_name_goes_on_in_its_place() -> None:
    played = play(PRIVATE + event("publish", AT, models="v-2", **{"as": "f-1"}), battles=AT + N)
    (rows, notice), (_, ended) = played.notices_of("f-1") + played.notices_of("v-2")[1:]
    assert (rows, notice.model.family, notice.model.provider, notice.model.visibility) == (AT, "f", "lab-1", "public")
    assert ended.model.status == "retired"
    assert played.shown("f-1", 0, AT) == played.shown("v-2", AT) == 0
    assert played.shown("f-1", AT) == pytest.approx(2 / 13, abs=NEAR)
    assert played.truth.models["f-1"].provider == "lab-1"


@pytest.mark.parametrize("sent", [True, False])
def test_finish_leaves_battles_without_a_vote(sent: bool) -> None:
    votes = f"[votes]\nsend_none = {str(sent).lower()}\n"
    played = play(votes + TEN + event("finish", AT, models="m-03", factor=0.5), battles=AT + N)
    since = played.truth.of(Deed.FINISH)["m-03"]
    row = next(each.row for each in played.truth.events if each.deed is Deed.FINISH)
    assert (since, row, played.drawn) == (AT, AT, AT + N)
    none = (played.column("winner")[row:] == NONE).mean()
    if sent:
        assert none == pytest.approx(SHARE / 2, abs=NEAR)
        assert played.shown("m-03", row) == pytest.approx(SHARE, abs=NEAR)
    else:
        assert none == 0
        assert len(played.column("winner")) == pytest.approx(AT + N * 0.9, abs=500)
        assert played.shown("m-03", row) == pytest.approx(SHARE / 2 / 0.9, abs=NEAR)


def test_rows_are_told_apart_from_battles() -> None:
    votes = "[votes]\nsend_none = false\nfinish = 0.5\n"
    played = play(votes + TEN + event("remove", AT, models="m-03"), battles=2 * AT)
    removal = next(each for each in played.truth.events if each.deed is Deed.SILENT_REMOVAL)
    assert removal.battle == AT
    assert removal.row == pytest.approx(AT / 2, abs=400)
    assert played.column("tstamp")[removal.row - 1] <= removal.tstamp < played.column("tstamp")[removal.row]


def test_strength_changes_who_wins() -> None:
    played = play(TEN + event("strength", AT, models="m-03", by=400), battles=AT + N)
    a, b, winner = (played.column(name) for name in ("model_a", "model_b", "winner"))
    won = ((a == 2) & (winner == 0)) | ((b == 2) & (winner == 1))
    lost = ((a == 2) & (winner == 1)) | ((b == 2) & (winner == 0))
    assert won[:AT].sum() / (won | lost)[:AT].sum() == pytest.approx(0.5, abs=0.05)
    assert won[AT:].sum() / (won | lost)[AT:].sum() == pytest.approx(10 / 11, abs=0.015)


def _repeats(blocks: list[Rows], since: int) -> float:
    words = [rows.prompts[code] for rows in blocks for code in rows.prompt.tolist()]
    seen, repeats = set(words[:since]), 0
    for word in words[since:]:
        repeats += word in seen
        seen.add(word)
    return repeats / (len(words) - since)


def test_prompts_repeat_as_often_as_said() -> None:
    played = play("[prompts]\nreuse = 0.1\n" + TEN + event("prompts", AT, reuse=0.6), battles=3 * AT)
    assert _repeats([rows.take(slice(None)) for rows in played.blocks], AT) == pytest.approx(0.6, abs=0.02)
    assert _repeats(play("[prompts]\nreuse = 0.1\n" + TEN, battles=AT).blocks, 0) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("tables", ["", "[prompts]\nreuse = 0.1\n[voters]\ncount = 5\n"])
def test_a_flood_is_one_voter_with_few_prompts_for_one_model(tables: str) -> None:
    flood = event("flood", AT, battles=AT, share=0.5, voter="bot", prompts=3, favours="m-03")
    played = play(tables + TEN + flood, battles=3 * AT)
    rows = 0
    for block in played.blocks:
        inside = AT <= rows < 2 * AT
        rows += len(block)
        if "bot" not in block.voters:
            assert not inside
            continue
        assert inside
        bots = block.voter == block.voters.index("bot")
        assert bots.mean() == pytest.approx(0.5, abs=0.06)
        assert {block.prompts[code] for code in block.prompt[bots].tolist()} == {"flood-1", "flood-2", "flood-3"}
        assert set(block.winner[bots & (block.model_a == 2)].tolist()) == {0}
        assert set(block.winner[bots & (block.model_b == 2)].tolist()) == {1}
    assert played.truth.of(Deed.FLOOD) == {"m-03": AT}


def test_an_outage_is_a_gap_in_time() -> None:
    played = play(TEN + event("outage", AT, hours=6), battles=2 * AT)
    gaps = np.diff(played.column("tstamp"))
    assert int(gaps.argmax()) == AT - 1
    assert gaps.max() == pytest.approx(6 * 3_600 + 0.864, abs=0.01)
    assert np.sort(gaps)[-2] < 1


@pytest.mark.parametrize("sent", [True, False])
def test_zeros_are_records_without_a_vote(sent: bool) -> None:
    played = play(f"[votes]\nsend_none = {str(sent).lower()}\n" + TEN + event("zeros", AT, battles=AT), battles=3 * AT)
    winner = played.column("winner")
    assert (winner[AT : 2 * AT] == NONE).all()
    assert not (np.delete(winner, slice(AT, 2 * AT)) == NONE).any()


def test_an_undeclared_model_plays_without_a_record() -> None:
    played = play(TEN + '\n[[models]]\nname = "x"\nprovider = "nobody"\nundeclared = true\n', battles=N)
    assert played.notices_of("x") == []
    assert played.shown("x") == pytest.approx(2 / 11, abs=NEAR)
    assert played.truth.undeclared == {"x": 0}


def test_count_draws_by_the_seed_from_those_not_named_before() -> None:
    text = TEN + event("share", 10, models=["m-01", "m-02"], factor=2) + event("remove", 20, count=5, every=100)
    first, other = play(text, 1, 1_000).truth, play(text, 2, 1_000).truth
    for truth in (first, other):
        assert sorted(truth.silently_removed.values()) == [20, 120, 220, 320, 420]
        assert not {"m-01", "m-02"} & set(truth.silently_removed)
    assert first.silently_removed != other.silently_removed


def test_voters_languages_and_categories_have_their_shares() -> None:
    text = "[voters]\ncount = 4\n[languages]\nen = 0.6\nde = 0.3\n[categories]\nb = 0.5\na = 0.2\n" + TEN
    (rows, *_) = blocks = play(text, battles=N).blocks
    language = np.concatenate([block.language for block in blocks])
    assert np.bincount(language) / N == pytest.approx([0.1, 0.6, 0.3], abs=0.01)
    sets = np.concatenate([block.categories for block in blocks])
    share = {names: float((sets == code).mean()) for code, names in enumerate(rows.category_sets)}
    assert share == pytest.approx({(): 0.4, ("a",): 0.1, ("b",): 0.4, ("a", "b"): 0.1}, abs=0.01)
    assert np.bincount(np.concatenate([block.voter for block in blocks]))[1:] / N == pytest.approx([0.25] * 4, abs=0.01)
