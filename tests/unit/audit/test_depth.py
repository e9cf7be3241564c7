"""A model below the deepest row shown on a date is not seen on it; only what would have been shown can have left."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from streams.audit.board.history import Row
from tests.unit.audit.boards import DAY, START, audit, kinds, removed


def board(
    seed: int = 0,
    models: int = 40,
    days: int = 40,
    rows: Callable[[int], int] | None = None,
    noise: float = 0.0,
    new: tuple[int, int, int, int] | tuple[()] = (),
    gone: tuple[int, int] | None = None,
    ranks_only: bool = False,
) -> list[Row]:
    """Rows of a healthy board, of which `rows(at)` are shown; `new` joins at the top, `gone` = (model, at) leaves."""
    random = np.random.default_rng(seed)
    totals = random.integers(5_000, 9_000, models)[:, None] + random.poisson(100, (models, days)).cumsum(axis=1)
    first = {models - 1 - number: at for number, at in enumerate(new)}
    shown = []
    for at in range(days):
        score = (
            1_500 - 5.0 * np.arange(models) + random.normal(0, noise, models)
            if noise
            else 1_500 - 5.0 * np.arange(models)
        )
        for model in first:
            score[model] = 1_600 + model
        here = [each for each in np.argsort(-score, kind="stable") if at >= first.get(int(each), 0)]
        if gone is not None:
            here = [each for each in here if not (each == gone[0] and at >= gone[1])]
        for rank, model in enumerate(here[: len(here) if rows is None else rows(at)], 1):
            shown.append(
                Row(
                    START + at * DAY,
                    f"model {chr(97 + model % 26)}{model}",
                    f"firm {model % 5}",
                    "MIT",
                    float(totals[model, at]),
                    float(rank),
                    None if ranks_only else float(score[model]),
                )
            )
    return shown


DEPTHS = {
    "two deep looks": lambda at: 35 if at in (3, 10) else 20,
    "another depth each day": lambda at: 15 + (7 * at) % 19,
    "one row more or less": lambda at: 20 + at % 3,
    "far shallower on some days": lambda at: 12 if at % 9 == 5 else 38,
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("how", [{}, {"noise": 2.0}, {"ranks_only": True}])
def test_what_is_below_the_deepest_row_is_neither_gone_nor_stopped(
    depth: str, how: dict[str, float] | dict[str, bool]
) -> None:
    for seed in range(2):
        report = audit(board(seed, rows=DEPTHS[depth], **how))
        assert not report.alerts
        assert (report.counts.gone, report.counts.inactive) == (0, 0)
        assert report.depth["cut"]
        assert "depth" in kinds(report)
        assert not {"flicker", "partial_snapshot", "source_switch"} & kinds(report)
        last = DEPTHS[depth](39)
        assert report.counts.listed == last
        assert report.counts.beyond == report.counts.models - last


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_model_that_would_have_been_shown_is_found_at_once(depth: str) -> None:
    report = audit(board(1, rows=DEPTHS[depth], gone=(4, 25), noise=1.0))
    (name,) = removed(report)
    assert name == "model e4"
    assert removed(report)[name] == ("2024-07-14", "2024-07-14")
    assert report.counts.gone == 1


def test_models_that_newer_ones_push_out_of_the_first_twenty_are_not_gone() -> None:
    report = audit(board(2, rows=lambda at: 20, new=(6, 12, 12, 30)))
    assert not report.alerts
    assert (report.counts.gone, report.counts.beyond, report.counts.joined) == (0, 4, 4)


def test_the_lowest_model_of_a_whole_board_can_leave_it() -> None:
    report = audit(board(3, gone=(39, 20)))
    assert not report.depth["cut"]
    assert [*removed(report)] == ["model n39"]
    assert report.counts.beyond == 0


def unordered(rows: list[Row], seed: int = 0, votes: bool = True) -> list[Row]:
    """Rows without score and rank, in the order of names, or of chance."""
    plain = [replace(row, rank=None, score=None, votes=row.votes if votes else None) for row in rows]
    random = np.random.default_rng(seed)
    return [plain[each] for each in random.permutation(len(plain))]


@pytest.mark.parametrize("depth", ["another depth each day", "far shallower on some days"])
@pytest.mark.parametrize("by_votes", [True, False])
def test_the_order_of_the_rows_tells_the_depth_where_nothing_else_does(depth: str, by_votes: bool) -> None:
    # Names are not in the order of the rows.
    rows = [
        replace(row, rank=None, score=None, model=f"model {chr(97 + int(row.model[7:]) * 7 % 26)}{row.model[7:]}")
        for row in board(5, rows=DEPTHS[depth])
    ]
    if by_votes:
        # A board in order of votes: its first rows are those with the most.
        whole = [replace(row, rank=None, score=None) for row in board(5)]
        dates = sorted({row.date for row in whole})
        rows = [
            row
            for at, date in enumerate(dates)
            for row in sorted((row for row in whole if row.date == date), key=lambda row: -(row.votes or 0))[
                : DEPTHS[depth](at)
            ]
        ]
    report = audit(rows)
    assert not report.alerts
    assert report.depth["cut"]
    assert report.counts.gone == 0
    assert report.counts.beyond == report.counts.models - DEPTHS[depth](39)


@pytest.mark.parametrize("depth", ["two deep looks", "another depth each day"])
@pytest.mark.parametrize("votes", [True, False])
def test_where_nothing_orders_the_rows_the_depth_is_unknown_and_nothing_is_a_withdrawal(
    depth: str, votes: bool
) -> None:
    report = audit(unordered(board(6, rows=DEPTHS[depth]), votes=votes))
    assert not report.alerts
    assert report.depth["cut"] is None
    assert any("cannot be judged" in each.text for each in report.remarks if each.kind.value == "depth")
    assert any(each.startswith("Depth:") for each in report.cannot_say)
    said = [
        *report.headline,
        *(each.text for each in report.remarks),
        *(s for each in report.demands for s in each.says),
    ]
    assert not [each for each in said if "withdraw" in each or "left the board" in each]


def test_one_departure_from_rows_without_order_is_found_and_called_not_listed() -> None:
    report = audit(unordered(board(7, gone=(4, 25)), votes=True))
    (alert,) = report.alerts
    assert alert.subject.model == "model e4"
    assert "not listed any more" in alert.summary
    assert any("not listed any more" in each for each in report.headline)
    assert not [each for each in report.headline if "left the board" in each]


def test_a_file_seems_cut_and_the_reason_is_said() -> None:
    report = audit(board(1, rows=DEPTHS["another depth each day"]))
    (remark,) = [each for each in report.remarks if each.kind.value == "depth"]
    left, lowest = map(
        int, re.search(r"of (\d+) rows that left .* next (\d+) were among the lowest", remark.text).groups()
    )
    assert left == lowest > 50
    assert "seems to show the top" in remark.text
    assert "retires its lowest models" in remark.text
    assert any("seems to show the top" in each for each in report.headline)


def test_without_scores_and_ranks_no_depth_is_assumed() -> None:
    rows = [replace(row, rank=None, score=None) for row in board(4, gone=(39, 20))]
    report = audit(rows)
    assert not report.depth["cut"]
    assert report.depth["rows"] == {"least": 39, "middle": 39.5, "most": 40}
