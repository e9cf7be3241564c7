"""The fairness fold: ledger records in, alerts out. Pure: the output depends only on the sequence of rows and notices.

Rows are counted per tick, a stretch of many ticks at a time: one `bincount` over (tick, subject) counts the whole
stretch, so that a tick costs little more than its update. Block boundaries do not matter: the state holds a partial
tick, and a policy change in the middle of a stretch (a removal changes which models are in play) ends the stretch
there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Status
from streams.contracts.vote import NONE
from streams.fairness import tick_update as tick
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Moment
from streams.fairness.arena.ratings import rate_if_due
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.crowd import seats
from streams.fairness.detectors.base import ReviewBattles
from streams.fairness.detectors.catalog import AT_NOTICE, AT_REVIEW, AT_TICK, DETECTORS
from streams.fairness.detectors.row_detector import RowBattles
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.expected_share import Vector
from streams.fairness.view import remember
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from streams.ledger.watermark import count_rows, is_new, unknown_rows

TICKS = 32
"""Ticks in a stretch: enough to share the cost of counting, few enough for the counts to stay in the cache."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Counts of T ticks, of which the last may be partial; S subjects.

    Attributes
    ----------
    ends
        int64[T], rows from the beginning of the stretch to the end of each tick.
    hits
        float64[T, 3, S], appearances in all battles, among declared models, among models in play.
    battles
        float64[T, 3], battles of the same three kinds.
    votes
        int64[T].
    clock
        float64[T], at the end of each tick.
    full
        Ticks that are full.
    rows
        The battles themselves, for the detectors that look at each of them.
    """

    ends: Numbers
    hits: Vector
    battles: Vector
    votes: Numbers
    clock: Vector
    full: int
    rows: RowBattles

    @classmethod
    def of(cls, scene: Scene, battles: RowBattles, clock: Vector) -> Stretch:
        """Count the rows of one stretch: at most `TICKS` ticks, and not past the next review."""
        settings, rows = scene.settings, scene.facts.rows
        size, behind = settings.tick_battles, rows % settings.tick_battles
        most = min(TICKS * size - behind, settings.review_battles - rows % settings.review_battles)
        n = min(battles.a.size, most)
        battles = battles.first(n)
        a, b, winner = battles.a, battles.b, battles.winner
        number = (behind + np.arange(n)) // size
        ticks = int(number[-1]) + 1
        ends = np.minimum((np.arange(ticks) + 1) * size - behind, n)

        play = scene.play
        everyone = _appearances(play, a, b, number, ticks)
        all_battles = np.bincount(number, minlength=ticks).astype(np.float64)
        sorts, counted = [everyone], [all_battles]
        for mask in (play.declared, play.in_play):
            within = mask[a] & mask[b]
            if within.all():
                sorts.append(everyone)
                counted.append(all_battles)
            else:
                sorts.append(_appearances(play, a[within], b[within], number[within], ticks))
                counted.append(np.bincount(number[within], minlength=ticks).astype(np.float64))
        return cls(
            ends=ends,
            hits=np.stack(sorts, axis=1),
            battles=np.stack(counted, axis=1),
            votes=np.bincount(number[winner != NONE], minlength=ticks),
            clock=clock[ends - 1],
            full=(behind + n) // size,
            rows=battles,
        )

    def play(self, state: ArenaFairness) -> tuple[int, list[Alert]]:
        """Run the ticks until the policy changes; return the number of rows used and the alerts to emit."""
        facts, policy = state.scene.facts, state.scene.play
        began, alerts, start = facts.rows, list[Alert](), 0
        by_row = [(each, kept, each.prepare(kept, state.scene, self.rows)) for each, kept in state.states.at_row]
        for index, end in enumerate(self.ends.tolist()):
            tick_rows = self.rows.tick(start, end)
            for detector, kept, prepared in by_row:
                detector.rows(kept, state.scene, tick_rows, prepared, start)
            start = end
            facts.tick_hits += self.hits[index]
            facts.tick_battles += self.battles[index]
            votes = int(self.votes[index])
            facts.tick_votes += votes
            facts.votes += votes
            facts.rows, facts.clock = began + end, float(self.clock[index])
            if index < self.full:
                alerts += tick.close(state)
            if state.scene.play is not policy:
                return end, alerts
        return int(self.ends[-1]), alerts


def _appearances(play: Play, a: Numbers, b: Numbers, number: Numbers, ticks: int) -> Vector:
    """Battles with each subject, per tick: float64[T, S]; a group with both models in a battle counts it once."""
    size = play.pi.size
    subjects = [a, b]
    for groups in (play.provider, play.license):
        first, second = groups[a], groups[b]
        subjects += [first, np.where(second == first, -1, second)]
    # Subjects without a number go to an extra column, which is dropped.
    keys = np.stack(subjects)
    keys[keys < 0] = size
    keys += number * (size + 1)
    counts = np.bincount(keys.ravel(), minlength=ticks * (size + 1))
    return counts.reshape(ticks, size + 1)[:, :size].astype(np.float64)


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
        left = slice(at, None)
        battles = RowBattles(rows.take(left), a[left], b[left], rows.winner[left], np.ones(len(rows) - at, np.bool_))
        stretch = Stretch.of(scene, battles, clock[left])
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
    tick.share_budget(state)
    remember(state)
    return tick.tell(state, DETECTORS, repeat=True)


def _no_elo(*_: object) -> None:
    """Compute no Elo ratings: the fairness fold does not use them."""
