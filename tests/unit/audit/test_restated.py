"""Totals that a source restates, with or without new names: no false gain, pause or removal; true ones are found."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streams.audit.report.document import Report
from tests.unit.audit.boards import Board, audit, draw, kinds, removed, until

AT = 18
WORDS = ("nova", "vega", "lyra", "orion", "cygnus", "draco", "hydra", "corvus", "pavo", "fornax", "auriga", "carina")
VARIANTS = ("", " mini", " thinking")


def named(seed: int, models: int = 24, **how: Any) -> Board:
    """A board of models that come in threes: `nova 3.5 7b`, `nova 3.5 7b mini`, `nova 3.5 7b thinking`."""
    board = draw(seed, models=models, spread=0.05, **how)
    names = [f"{WORDS[each // 3]} {each // 3 % 4 + 1}.5 {7 + each // 3}b{VARIANTS[each % 3]}" for each in range(models)]
    return replace(board, names=[[name] * len(board.days) for name in names])


def restate(board: Board, how: float, seed: int = 0, at: int = AT) -> Board:
    """Multiply every total from a snapshot on: by a factor, or each by one of its own."""
    factors = {"recounted": np.random.default_rng(seed).uniform(0.5, 1.6, len(board.totals))}.get(how, how)
    totals = board.totals.copy()
    totals[:, at:] += (totals[:, at - 1] * (np.asarray(factors) - 1)).astype(int).reshape(-1, 1)
    return board.changed(totals)


SPELLINGS = {
    "case and dashes": lambda name, firm: name.title().replace(" ", "-").replace(".", "-"),
    "a provider before a slash": lambda name, firm: f"{firm.replace(' ', '-')}/{name.replace(' ', '-')}",
    "a word added to each": lambda name, firm: f"{name} hosted",
    "dates added": lambda name, firm: f"{name} (2024-05-{10 + len(name)})",
    "another order": lambda name, firm: " ".join(reversed(name.split())),
}


def respell(board, spelling: str, at: int = AT):
    names = [
        [*each[:at], *[SPELLINGS[spelling](each[0], firm)] * (len(each) - at)]
        for each, firm in zip(board.names, board.providers, strict=True)
    ]
    return replace(board, names=names)


@pytest.mark.parametrize("how", [0.4, 0.7, 1.3, 2.0, 10.0, "recounted"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_names_spelled_anew_with_totals_restated_remove_nobody_but_who_is_removed(
    spelling: str, how: float | str
) -> None:
    for seed in range(2):
        board = respell(restate(named(seed), how, seed), spelling)
        report = audit(board)
        assert not report.alerts
        assert (report.counts.models, report.counts.gone) == (24, 0)
        renames = {each["model"]: each["renamed_to"] for each in report.renames}
        assert all(renames.get(each[0], each[0]) == each[-1] for each in board.names if each[0] != each[-1])
        gone = 3 * seed + seed % 3 + 1
        totals = board.totals.copy()
        totals[gone, AT:] = -1
        report = audit(board.changed(totals))
        assert {*removed(report)} == {board.names[gone][0]}
        assert report.counts.gone == 1


@pytest.mark.parametrize("factor", [1.05, 1.2, 2.0, 0.7])
def test_restated_totals_are_remarked_and_are_no_gain(factor: float) -> None:
    for seed in range(2):
        ends = {3: until(50), 4: until(0), 5: until(70)}
        plain = draw(seed, spread=0.05, multiply=ends)
        board = restate(plain, factor)
        report, before = audit(board), audit(plain)
        (remark,) = [each for each in report.remarks if each.kind.value == "restated"]
        assert (remark.date, remark.until) == (board.date(AT - 1), board.date(AT))
        assert float(re.search(r"by about ([\d.]+)\.", remark.text)[1]) == pytest.approx(factor, rel=0.01)
        assert not {"frozen", "correction", "moved_together"} & kinds(report)
        assert removed(report) == removed(before)
        assert not report.pauses
        assert next(each for each in report.boards if each["date"] == board.date(AT))["slots"] is None


def test_shares_do_not_hold_what_a_restatement_added() -> None:
    plain = draw(1, models=8, days=tuple(range(0, 70, 7)), spread=0.02, shares=range(1, 9))
    board = plain.changed(plain.totals + np.arange(8, 0, -1)[:, None] * 20_000)
    shares = [audit(each).shares["provider"] for each in (board, restate(board, 2.0, at=8))]
    assert all(abs(shares[1][firm] - share) < 0.03 for firm, share in shares[0].items())


@pytest.mark.parametrize("spread", [0.0, 0.1])
@pytest.mark.parametrize("carried", [0, 5_000])
def test_a_wave_of_traffic_is_no_restatement(spread: float, carried: int) -> None:
    for seed in range(4):
        board = draw(seed, spread=spread, carried=carried or 2, pace=lambda at: 8.0 if at in (5, 20) else 1.0)
        assert not {"restated", "reset"} & kinds(audit(board))


def test_a_feed_that_catches_up_is_no_restatement() -> None:
    board = draw(3, spread=0.05)
    totals = board.totals.copy()
    totals[:, 12:18] = totals[:, 11:12]
    assert "restated" not in kinds(audit(board.changed(totals)))


def test_a_removal_by_the_very_snapshot_in_which_totals_are_restated_is_found() -> None:
    board = restate(draw(4, spread=0.05, multiply={7: until(7 * (AT - 1))}), 2.0)
    assert [*removed(audit(board))] == [board.names[7][0]]


@pytest.mark.parametrize("label", ["thinking", "preview", "high", "mini"])
def test_a_variant_with_a_fresh_total_is_another_model_and_a_relabelled_one_is_not(label: str) -> None:
    for seed in range(4):
        board = draw(seed, spread=0.05)
        names, totals = [list(each) for each in board.names], board.totals.copy()
        names[6][AT:] = [f"{names[6][0]}-{label}"] * (30 - AT)
        assert not audit(replace(board, names=names)).alerts
        totals[6, AT:] -= totals[6, AT] - 150
        report = audit(replace(board, names=names, totals=totals))
        assert [*removed(report)] == [names[6][0]]


@pytest.mark.parametrize("other", ["thinking", "preview"])
def test_without_totals_a_variant_in_another_place_is_another_model(other: str) -> None:
    board = draw(1, models=12)
    names = [list(each) for each in board.names]
    names[6][AT:] = [f"{names[6][0]}-{other}"] * (30 - AT)

    def scored(score) -> Report:
        rows = replace(board, names=names).rows()
        return audit([replace(row, votes=None, score=score(row.model)) for row in rows])

    apart = scored(lambda name: 1_000.0 + len(name) * 40 + ord(name[6]))
    assert [each["model"] for each in apart.gone] == [names[6][0]]
    same = scored(lambda name: 1_000.0 + ord(name[6]))
    assert not same.gone
