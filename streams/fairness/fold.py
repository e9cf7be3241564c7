"""The fairness fold: ledger records in, alerts out. Pure: the output depends only on the sequence of rows and notices.

Rows are counted per tick, a stretch of many ticks at a time. Block boundaries do not matter: the state holds a partial
tick, and a policy change in the middle of a stretch (a removal changes which models are in play) ends the stretch
there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Status
from streams.contracts.vote import NONE
from streams.fairness import tick_update as tick
from streams.fairness.arena.ledger_position import Moment
from streams.fairness.arena.ratings import rate_if_due
from streams.fairness.crowd import seats
from streams.fairness.detectors.base import ReviewBattles
from streams.fairness.detectors.catalog import AT_NOTICE, AT_REVIEW, AT_TICK, DETECTORS
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.tick_counts import Stretch
from streams.fairness.view import remember
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from streams.ledger.watermark import count_rows, is_new, unknown_rows


def fold(state: ArenaFairness, record: Block | Notice) -> list[Alert]:
    """Fold one ledger record of the state's arena; skip rows and notices that were counted before.

    Returns
    -------
    Alerts that this record fires, repeats or resolves, in order.
    """
    if isinstance(record, Notice):
        alerts = _declare(state, record) if is_new(record, state.watermark) else []
    else:
        rows = unknown_rows(record, state.watermark)
        alerts = _count(state, rows) if len(rows) else []
        count_rows(record, state.watermark)
    state.history.note(alerts)
    if state.inherited:
        for alert in alerts:
            if alert.status is Status.RESOLVED:
                state.inherited.pop(alert.id, None)
    return alerts


def _declare(state: ArenaFairness, notice: Notice) -> list[Alert]:
    scene, facts = state.scene, state.scene.facts
    tick.take_in(state, closes=False)  # count the rows before the notice under the old policy
    facts.notices += 1
    if not facts.rows:
        facts.clock = notice.model.tstamp if notice.model else notice.recorded / 1000
    if notice.model is None and notice.name not in facts.roster.models:
        return []  # an unknown name: a flood of such notices must not grow the state
    change = facts.roster.declare(
        notice.name, notice.model, Moment(facts.rows, facts.notices, facts.clock), scene.settings.notice_days
    )
    state.resize()
    before = scene.play.pi
    tick.rejudge(state)
    if not np.array_equal(before, scene.play.pi):
        scene.epoch.begin(facts.rows, facts.clock)
    for detector in AT_NOTICE:
        detector.notice(state.states.of(detector), scene, change)
    return tick.tell(state, (*AT_TICK, *AT_NOTICE))


def _count(state: ArenaFairness, rows: Rows) -> list[Alert]:
    scene, facts = state.scene, state.scene.facts
    state.rhythm.hear(rows.recorded)
    words = np.stack([rows.model_a, rows.model_b], axis=1).ravel()
    known = len(facts.roster)
    numbers = facts.roster.follow(rows.models, words, scene.settings.max_undeclared)
    if len(facts.roster) != known:
        state.resize()
        tick.rejudge(state)
    a, b = numbers[rows.model_a], numbers[rows.model_b]
    # For the first rows, ignore the clock: notices set it, and it may be later than old votes.
    clock = np.maximum.accumulate(rows.tstamp if not facts.rows else np.maximum(rows.tstamp, facts.clock))
    alerts: list[Alert] = []
    at = 0
    while at < len(rows):
        stretch = Stretch.of(scene, a[at:], b[at:], rows.winner[at:], clock[at:])
        taken, told = stretch.play(state)
        alerts += told
        chosen = slice(at, at + taken)
        _gather(state, rows.take(chosen), a[chosen], b[chosen])
        at += taken
        if facts.rows % scene.settings.review_battles == 0:
            alerts += _review(state)
    return alerts


def _gather(state: ArenaFairness, rows: Rows, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
    """Pass rows to the epoch, the board, the review detectors and the crowd, which need more than exposure counts."""
    scene = state.scene
    declared = scene.play.declared[a] & scene.play.declared[b]
    scene.epoch.add(a[declared])
    voted = (a >= 0) & (b >= 0) & (rows.winner != NONE)
    battles = ReviewBattles(rows, a[voted], b[voted], rows.winner[voted])
    if voted.any():
        scene.board.add(battles.a, battles.b, battles.winner, _no_elo)
    for detector in AT_REVIEW:
        detector.gather(state.states.of(detector), battles)
    if min(a.min(), b.min()) < 0:
        words, numbers = np.stack([rows.model_a, rows.model_b], axis=1).ravel(), np.stack([a, b], axis=1).ravel()
        most = seats(scene.settings.review_battles, scene.settings.undeclared_battles)
        scene.facts.crowd.add([rows.models[word] for word in words[numbers < 0].tolist()], most)


def _review(state: ArenaFairness) -> list[Alert]:
    scene = state.scene
    scene.facts.window.turn()
    scene.facts.crowd.turn()
    scene.epoch.review(scene.play, scene.settings.kappa)
    ratings = rate_if_due(scene)
    for detector in AT_REVIEW:
        detector.review(state.states.of(detector), scene, ratings)
    remember(state)
    return tick.tell(state, DETECTORS, repeat=True)


def _no_elo(*_: object) -> None:
    """Compute no Elo ratings: the fairness fold does not use them."""
