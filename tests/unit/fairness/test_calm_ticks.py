"""Ticks that are run at once give the same bits as ticks that are run one by one, whatever happens in them."""

import dataclasses
from collections import Counter
from random import Random

import msgspec
import numpy as np
import pytest

from streams.contracts.alert import Alert, Kind, encode_alert
from streams.fairness import calm_ticks
from streams.fairness.arena import share_evidence
from streams.fairness.arena.stretch import Stretch
from streams.fairness.arena.ticks import RowBattles
from streams.fairness.detectors import side_preference
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import encode_state
from streams.ledger.codec import Block, Notice
from tests.statistics.fairness import conditional_arena
from tests.statistics.fairness.conditional_arena import always_left, losses_deleted, no_language, weaker_half

SETTINGS = FairnessSettings(
    false_pages="one in 100,000 battles",
    review_battles=1_600,
    tick_battles=40,
    ratings_reviews=2,
    window_reviews=3,
    repeat_reviews=3,
    zero_battles=600,
    warning_level=100.0,
    settle_seconds=60.0,
)
Records = list[Block | Notice]


def outcome(settings: FairnessSettings, records: Records) -> tuple[list[bytes], dict[str, bytes]]:
    state, alerts = ArenaFairness.start("text", settings), list[Alert]()
    for record in records:
        alerts += fold(state, record)
    return [encode_alert(alert) for alert in alerts], encode_state(state)


def random_history(seed: int) -> tuple[FairnessSettings, Records, list[Alert]]:
    """An arena in which models are cut and come back, notices come, votes are late or missing, draws are unclear."""
    chosen = Random(seed)
    settings = msgspec.structs.replace(SETTINGS, draws=chosen.choice(["auto", "voted", "all"]))
    made = conditional_arena.Arena(seed, settings, ties=0.1)
    made.known_draws = chosen.random() < 0.7
    for _ in range(7):
        attack = chosen.choice([None, None, weaker_half, always_left, no_language, losses_deleted])
        size = chosen.choice([700, 1_300, 2_600])
        made.finish[:] = chosen.choice([1.0, 1.0, 0.8])
        made.play(size, attack, block=chosen.choice([90, 1_000, 2_600]))
        event, model = chosen.random(), chosen.randrange(12)
        if event < 0.2:
            made.weights[model] = chosen.choice([0.0, made.weights[model] * 3, made.weights[model] / 3])
        elif event < 0.35:
            made.declare(model, weight=0.03)
        elif event < 0.45:
            made.declare(model, status="retired")
            made.weights[model] = 0.0
        elif event < 0.55:
            made.finish[:] = 0.0  # battles without a vote
            made.play(700)
        elif event < 0.7:
            made.weights[model::12] *= chosen.choice([0.3, 3.0])  # a provider
    made.finish[:] = 1.0
    made.weights[conditional_arena.X] = 0.0
    made.play(3_000)
    return settings, [late(record, chosen) for record in made.records], made.alerts


def late(record: Block | Notice, chosen: Random) -> Block | Notice:
    """The votes of some blocks say when they were drawn, and a wrong probability in one of them."""
    if isinstance(record, Notice) or chosen.random() < 0.5:
        return record
    rows, random = record.rows, np.random.default_rng(chosen.randrange(1_000))
    drawn_at = rows.tstamp - random.exponential(40.0, len(rows))
    drawn_at[random.random(len(rows)) < 0.2] = np.nan
    p_pair = np.full(len(rows), np.nan) if chosen.random() < 0.9 else np.full(len(rows), 0.5)
    return dataclasses.replace(record, rows=dataclasses.replace(rows, drawn_at=drawn_at, p_pair=p_pair))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts stretches that were run at once, that were put back, and that were not tried."""
    seen, real = Counter[str](), calm_ticks._run

    def counted(state: ArenaFairness, stretch: Stretch, full: int, battles: RowBattles) -> bool:
        calm = real(state, stretch, full, battles)
        seen["calm" if calm else "put back"] += 1
        return calm

    monkeypatch.setattr(calm_ticks, "_run", counted)
    monkeypatch.setattr(share_evidence, "LEARNED", 4_000)
    monkeypatch.setattr(side_preference, "LEARNING", 3_000)
    return seen


@pytest.mark.parametrize("seed", range(6))
def test_ticks_run_at_once_and_one_by_one_give_the_same_bits(
    seed: int, runs: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, records, _ = random_history(seed)
    runs.clear()
    together = outcome(settings, records)
    assert runs["calm"] > 2
    monkeypatch.setattr(calm_ticks, "FEWEST", 10**9)
    assert outcome(settings, records) == together


def test_the_histories_put_ticks_back_and_raise_alerts(runs: Counter[str]) -> None:
    alerts = [alert for seed in range(6) for alert in random_history(seed)[2]]
    assert {alert.kind for alert in alerts} >= {Kind.SHARE_DRIFT, Kind.SILENT_REMOVAL, Kind.SIDE_BIAS}
    assert runs["put back"] > 10
    assert runs["calm"] > 50
