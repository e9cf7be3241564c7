"""No bit of a state depends on where blocks are cut: not with new names, floods of words, or blocks without a draw."""

from dataclasses import replace

import numpy as np
import pytest

from streams.contracts.alert import Kind, encode_alert
from streams.contracts.model import Model
from streams.fairness.detectors.catalog import BY_KIND
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from tests.unit.fairness.arena import SECONDS, START, draw_pairs, make_rows

SETTINGS = FairnessSettings(tick_battles=20, review_battles=1_000, ratings_reviews=1)


def notices(weights: np.ndarray, offset: int = 0) -> list[Notice]:
    """Models of ten providers in two licence classes."""
    return [
        Notice(
            "text",
            f"model-{number:03}",
            Model(
                arena="text",
                model=f"model-{number:03}",
                provider=f"lab-{number % 10}",
                license="open_weight" if number % 2 else "proprietary",
                visibility="public",
                status="active",
                weight=weight,
                tstamp=START,
            ),
            0,
            offset + number,
            int(START * 1_000),
        )
        for number, weight in enumerate(weights.tolist())
    ]


def votes(random: np.random.Generator, weights: np.ndarray, n: int) -> Rows:
    names = [f"model-{number:03}" for number in range(weights.size)]
    winner = random.integers(0, 3, n)
    return make_rows(names, draw_pairs(random, weights, n).astype(int), winner, START + SECONDS * np.arange(1, n + 1))


def folded(before: list[Notice], rows: Rows, size: int) -> tuple[list[bytes], dict[str, bytes]]:
    """Alerts and state after the rows in blocks of one size."""
    state = ArenaFairness.start("text", SETTINGS)
    alerts = [alert for notice in before for alert in fold(state, notice)]
    for at in range(0, len(rows), size):
        part = rows.take(slice(at, at + size))
        alerts += fold(state, Block("text", part, {0: int(part.offset[-1])}))
    return [encode_alert(alert) for alert in alerts], encode_state(state)


@pytest.mark.parametrize("models", [12, 150])
def test_a_new_name_in_the_middle_of_a_block_moves_no_last_digit(models: int) -> None:
    random = np.random.default_rng(models)
    weights = random.lognormal(0.0, 1.0, models)
    rows = votes(random, weights, 1_600)
    rows = replace(rows, models=[*rows.models, *(f"new-{number}" for number in range(30))])
    for number, row in enumerate(np.sort(random.choice(1_600, 30, replace=False)).tolist()):
        rows.model_b[row] = models + number
    expected = folded(notices(weights), rows, 1_600)
    assert folded(notices(weights), rows, 7) == expected
    assert folded(notices(weights), rows, 330) == expected


def test_a_flood_of_languages_takes_no_place_from_a_category() -> None:
    random = np.random.default_rng(1)
    weights = np.ones(12)
    rows = replace(
        votes(random, weights, 1_000),
        languages=["", *(f"language-{number}" for number in range(1_000))],
        language=np.arange(1, 1_001, dtype=np.int32),
        category_sets=[(), ("code",)],
        categories=np.ones(1_000, np.int32),
    )
    expected = folded(notices(weights), rows, 1_000)
    assert folded(notices(weights), rows, 1) == expected
    state = decode_state(expected[1], SETTINGS)
    [shares] = [state.states.of(each) for each in BY_KIND if each.kind is Kind.STRATUM_REMOVAL]
    assert shares.strata.names == [("category", "code")]


@pytest.mark.parametrize("drawn_at", [False, True])
def test_a_block_of_votes_on_known_draws_only_is_folded_after_a_change_of_policy(drawn_at: bool) -> None:
    random, weights = np.random.default_rng(2), np.ones(12)
    rows = votes(random, weights, 60)
    rows = replace(rows, battles=["", *(f"b{row}" for row in range(60))], battle=np.arange(1, 61, dtype=np.int32))
    again = replace(rows.take(slice(0, 30)), offset=np.arange(60, 90), tstamp=rows.tstamp[:30] + 60 * SECONDS)
    if drawn_at:
        rows, again = replace(rows, drawn_at=rows.tstamp - 5), replace(again, drawn_at=rows.tstamp[:30] - 5)
    state = ArenaFairness.start("text", SETTINGS)
    records: list[Block | Notice] = [*notices(weights), Block("text", rows, {0: 59})]
    for record in records + notices(weights + np.arange(12), 12):
        fold(state, record)
    facts = state.scene.facts
    before = facts.policies.judged, facts.policies.unjudged
    fold(state, Block("text", again, {0: 89}))
    assert (facts.policies.judged, facts.policies.unjudged) == before == (60, 0)
    assert facts.votes == 90
