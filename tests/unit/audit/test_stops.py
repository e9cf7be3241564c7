"""Votes that stop for good are found at the first interval that shows it, and no other model gets an alert."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.audit.boards import DAY, START, Board, audit, draw, removed, until

WEEKS = tuple(range(0, 210, 7))


def stop_some(
    seed: int,
    days: tuple[int, ...] = WEEKS,
    *,
    models: int = 20,
    count: int = 3,
    early: int = 3,
    after: float = 0.0,
    **drawn: Any,
) -> tuple[Board, dict[str, tuple[str, str]]]:
    random = np.random.default_rng(seed + 1_000)
    chosen = random.choice(models, count, replace=False)
    when = {int(each): int(random.integers(early, len(days) - 2)) for each in chosen}
    multiply = {model: until(days[at], after) for model, at in when.items()}
    board = draw(seed, models=models, days=days, multiply=multiply, **drawn)
    return board, {board.names[model][-1]: (board.date(at), board.date(at + 1)) for model, at in when.items()}


SETTINGS = {
    "a hard stop": {},
    "a fade to 5 %": {"after": 0.05},
    "noisy shares": {"spread": 0.1},
    "very noisy shares": {"spread": 0.15},
    "shares from large to small": {"shares": 1 / np.arange(1, 21)},
    "a large model that fades to 5 %": {"shares": 1 / np.arange(1, 21), "after": 0.05},
    "every day, with weekends": {"days": tuple(range(60)), "pace": lambda at: (1, 1, 1, 1, 1, 0.3, 0.2)[at % 7]},
    "a small arena, every day": {"days": tuple(range(60)), "slots_a_day": 600.0},
    "a large arena": {"models": 100, "count": 10, "slots_a_day": 20_000.0},
    "three models": {"models": 3, "count": 1},
    "two models": {"models": 2, "count": 1},
    "five snapshots": {"days": (0, 7, 14, 21, 28), "early": 2, "count": 2},
    "gaps of 1 to 30 days": {"days": tuple(np.cumsum(np.random.default_rng(5).integers(1, 31, 40)))},
    "traffic that comes in waves": {"pace": lambda at: (1.0, 0.2, 3.0, 0.6)[at % 4]},
    "traffic that grows a hundredfold": {"pace": lambda at: 100 ** (at / 29)},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_stops_are_found_at_the_first_interval_and_no_other_model_is_accused(name: str) -> None:
    for seed in range(10):
        board, expected = stop_some(seed, **SETTINGS[name])
        assert removed(audit(board)) == expected


def test_a_stop_within_an_interval_is_dated_to_its_snapshots_and_found_by_the_next() -> None:
    board = draw(1, multiply={4: until(73)}, spread=0.05)  # day 70 to 77
    found = removed(audit(board))
    assert [*found] == [board.names[4][-1]]
    since, by = found[board.names[4][-1]]
    assert since in (board.date(10), board.date(11))
    assert by == board.date(12)


def test_a_model_whose_weight_falls_from_5_to_1_has_not_stopped() -> None:
    for seed in range(10):
        start = {model: 7 * int(np.random.default_rng(seed * 40 + model).integers(1, 22)) for model in range(20, 40)}
        boosts = {model: lambda day, first=first: 5.0 if day < first + 21 else 1.0 for model, first in start.items()}
        board = draw(seed, models=40, slots_a_day=9_000.0, spread=0.05, multiply=boosts)
        totals = board.totals.copy()
        for model, first in start.items():
            totals[model, board.days < first] = -1
        assert not removed(audit(board.changed(totals)))


def test_a_pause_is_told_as_a_pause() -> None:
    board = draw(2, multiply={3: lambda day: 0.0 if 70 <= day < 105 else 1.0})
    report = audit(board)
    assert not report.alerts
    assert [(each["model"], each["from"], each["until"]) for each in report.pauses] == [
        (board.names[3][-1], board.date(10), board.date(15))
    ]


def test_a_model_that_was_quiet_from_the_start_is_inactive_and_not_accused() -> None:
    board = draw(3, multiply={5: until(0)})
    report = audit(board)
    line = next(each for each in report.models if each.model == board.names[5][-1])
    assert (line.state, line.since, line.found) == ("inactive", None, None)
    assert not report.alerts


def test_a_few_votes_that_a_correction_gives_back_are_no_return() -> None:
    board = draw(4, multiply={6: until(70)})
    totals = board.totals.copy()
    totals[6, 15:] -= 20
    totals[6, 16:] += 25
    report = audit(board.changed(totals))
    assert removed(report) == {board.names[6][-1]: (board.date(10), board.date(11))}
    assert not report.pauses


def test_what_is_found_does_not_change_when_later_snapshots_are_added() -> None:
    board, expected = stop_some(7, spread=0.1)
    rows = board.rows()
    for end in range(4, 30):
        so_far = [row for row in rows if row.date <= START + DAY * board.days[end]]
        told = removed(audit(so_far))
        assert told == {name: dates for name, dates in expected.items() if dates[1] <= board.date(end)}


def test_the_evidence_says_expected_against_observed() -> None:
    board = draw(5, multiply={2: until(140)})
    (alert,) = audit(board).alerts
    usual = np.diff(board.totals[2, :20]).mean()
    assert alert.evidence["expected_when_found"] == pytest.approx(usual, rel=0.1)
    assert alert.evidence["observed_when_found"] == 0
    assert alert.evidence["log10_e"] > alert.evidence["log10_e_when_found"] > 3
    assert alert.evidence["share_of_slots_before"] == pytest.approx(1 / 20, rel=0.1)
    assert alert.starts_at < alert.detected_at
    assert board.names[2][-1] in alert.summary
