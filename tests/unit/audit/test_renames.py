"""Renames, flickers, switches and resets are followed; none is called a removal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.audit.boards import Board, audit, draw, kinds, removed, until

STYLES = {
    "another case and punctuation": lambda old, model: old.upper().replace("-", " "),
    "a label added": lambda old, model: f"{old}-latest",
    "a date added": lambda old, model: f"{old} (2024-08-06)",
    "another name altogether": lambda old, model: f"zeta {chr(97 + model)} omega",
}


def renamed(
    seed: int, style: str, *, count: int = 1, gaining: bool = True, reset: bool = False, pause: int = 0
) -> tuple[Board, dict[str, str]]:
    random = np.random.default_rng(seed)
    chosen = [int(each) for each in random.choice(20, count, replace=False)]
    at = int(random.integers(4, 26))
    board = draw(seed, spread=0.05, multiply={} if gaining else {each: until(0) for each in chosen})
    names, totals = [list(each) for each in board.names], board.totals.copy()
    for model in chosen:
        names[model][at:] = [STYLES[style](names[model][0], model)] * (30 - at)
        totals[model, at : at + pause] = -1
        if reset:
            totals[model, at:] -= totals[model, at] - int(random.integers(0, 300))
    return replace(board, names=names, totals=totals), {names[each][0]: names[each][-1] for each in chosen}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("how", [{}, {"gaining": False}, {"count": 15}, {"pause": 2}])
def test_renames_are_followed(style: str, how: dict[str, bool] | dict[str, int]) -> None:
    for seed in range(8):
        board, expected = renamed(seed, style, **how)
        report = audit(board)
        assert {each.model: each.renamed_to for each in report.models if each.state == "renamed"} == expected
        assert not report.alerts
        assert report.counts.models == 20
        assert report.counts.gone == 0


@pytest.mark.parametrize("style", ["another case and punctuation", "a label added"])
@pytest.mark.parametrize("count", [1, 15])
def test_renames_whose_totals_begin_again_are_followed(style: str, count: int) -> None:
    for seed in range(8):
        board, expected = renamed(seed, style, count=count, reset=True)
        report = audit(board)
        assert {each.model: each.renamed_to for each in report.models if each.state == "renamed"} == expected
        assert not report.alerts
        assert "reset" in kinds(report)


def test_a_new_build_under_the_same_label_replaces_the_old_one() -> None:
    for seed in range(8):
        board, _ = renamed(seed, "a date added", reset=True)
        report = audit(board)
        assert not report.alerts
        (line,) = report.gone
        assert line["replaced"]
        assert line["successor"] == f"{line['model']} (2024-08-06)"


def test_a_switch_of_many_names_is_remarked() -> None:
    report = audit(renamed(1, "a label added", count=15)[0])
    assert "naming_switch" in kinds(report)


def test_a_name_that_changes_twice_and_back_is_one_model() -> None:
    board = draw(9, spread=0.05)
    names = [list(each) for each in board.names]
    names[4][8:16] = ["omega chi"] * 8
    report = audit(replace(board, names=names))
    assert report.counts.models == 20
    assert [(each.model, each.renamed_to) for each in report.models if each.state == "renamed"] == [
        ("omega chi", board.names[4][0])
    ]
    assert not report.alerts


def test_two_names_in_one_snapshot_are_two_models() -> None:
    board = draw(10)
    names = [list(each) for each in board.names]
    names[3] = ["Twin 7B"] * 30
    names[4] = ["twin-7b"] * 30
    report = audit(replace(board, names=names))
    assert report.counts.models == 20
    assert {"Twin 7B", "twin-7b"} <= {each.model for each in report.models}


def test_a_model_that_leaves_as_another_of_its_firm_comes_with_other_totals_is_gone() -> None:
    for seed in range(8):
        board = draw(seed, models=21, spread=0.05)
        totals, at = board.totals.copy(), 4 + seed * 3
        totals[2, at:] = -1
        totals[20, :at] = -1
        totals[20, at:] -= totals[20, at] - 3_000
        providers, licenses = [*board.providers], [*board.licenses]
        providers[20], licenses[20] = providers[2], licenses[2]
        report = audit(replace(board, totals=totals, providers=providers, licenses=licenses))
        assert removed(report) == {board.names[2][-1]: (board.date(at), board.date(at))}
        assert report.gone[0]["successor"] == board.names[20][-1]


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_flickers_are_bridged(length: int) -> None:
    for seed in range(8):
        random = np.random.default_rng(seed)
        board = draw(seed, spread=0.05)
        totals = board.totals.copy()
        for model in random.choice(20, 4, replace=False):
            at = int(random.integers(1, 29 - length))
            totals[model, at : at + length] = -1
        report = audit(board.changed(totals))
        assert not report.alerts
        assert report.counts.gone == 0
        kind, remark = ("passing", "flicker") if length <= 3 else ("ended", "withdrawn")
        assert remark in kinds(report)
        assert [each["kind"] for each in report.absences] == [kind] * 4


def test_a_model_that_flickers_and_then_stops_is_found_at_its_return() -> None:
    board = draw(11, multiply={7: until(70)})
    totals = board.totals.copy()
    totals[7, 11:13] = -1
    assert removed(audit(board.changed(totals))) == {board.names[7][-1]: (board.date(10), board.date(13))}


def test_a_running_model_that_leaves_the_board_is_found_at_the_first_snapshot_without_it() -> None:
    board = draw(12)
    totals = board.totals.copy()
    totals[7, 20:] = -1
    report = audit(board.changed(totals))
    (alert,) = report.alerts
    assert alert.subject.model == board.names[7][-1]
    assert (alert.detected_at - alert.starts_at) / 86_400 == 7
    (line,) = [each for each in report.models if each.state == "gone"]
    assert (line.model, line.since, line.last_seen) == (board.names[7][-1], board.date(20), board.date(19))


def test_a_model_that_had_stopped_before_it_left_is_told_once() -> None:
    board = draw(13, multiply={7: until(70)})
    totals = board.totals.copy()
    totals[7, 20:] = -1
    report = audit(board.changed(totals))
    (alert,) = report.alerts
    assert (alert.subject.model, report.counts.gone) == (board.names[7][-1], 1)
    assert alert.evidence["intervals"] == 9
