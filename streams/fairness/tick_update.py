"""A tick: the detectors of exposure take in its counts, and what they find becomes alerts.

Order matters, and is the same in every replay: evidence first; then whether a stalled feed explains it; then removals,
which change what is in play; then drifts, judged by what is in play.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Kind
from streams.fairness.alerts.lifecycle import reconcile
from streams.fairness.arena.sampling_policy import Mask
from streams.fairness.detectors import catalog as rules
from streams.fairness.detectors.share_alarm import FREE, Tick, Watched
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.cusum import Cusum, Mark, Odds


def take_in(state: ArenaFairness, *, closes: bool) -> None:
    """Hand the counts of the tick under way to the detectors, and begin anew; `closes` when the tick ends here."""
    scene, facts, play = state.scene, state.scene.facts, state.scene.play
    everyone, declared, in_play = facts.tick_hits
    _, declared_battles, in_play_battles = facts.tick_battles.tolist()
    _note(
        everyone, in_play, in_play_battles, play.pi_play, facts.rows, facts.clock,
        facts.seen, facts.due, facts.last_row, facts.last_time, facts.window.current, facts.window.total,
    )  # fmt: skip
    if scene.declares:  # without a policy nothing is judged; whoever enters judgement later begins anew
        if np.count_nonzero(state.states.silent_removal.held):
            removed = np.flatnonzero(state.states.silent_removal.held)
            facts.seen[removed] += declared[removed]
            facts.due[removed] += declared_battles * play.pi[removed]
        tick = Tick(declared, declared_battles, in_play, in_play_battles, scene.mark)
        rules.SILENT_REMOVAL.update(state.states.silent_removal, scene, tick, closes=closes)
        rules.SHARE_DRIFT.update(state.states.share_drift, scene, tick, closes=closes)
    facts.tick_hits.fill(0.0)
    facts.tick_battles.fill(0.0)


def close(state: ArenaFairness) -> list[Alert]:
    """End the tick under way; returns what is to be told."""
    take_in(state, closes=True)
    scene, facts, states = state.scene, state.scene.facts, state.states
    feed, removal, drift = states.feed_stalled, states.silent_removal, states.share_drift
    rules.FEED_STALLED.update(feed, scene, facts.tick_votes)
    facts.tick_votes = 0
    was_out = facts.outage
    suspects = []
    if scene.declares:
        suspects = [(removal, each) for each in rules.SILENT_REMOVAL.suspects(removal, scene)]
        suspects += [(drift, each) for each in rules.SHARE_DRIFT.suspects(drift, scene)]
    if suspects and not np.count_nonzero(feed.stopped):
        onsets = {int(watch.cusum.since_row[watch.winner(each), each]) for watch, each in suspects}
        rules.FEED_STALLED.consider(feed, scene, min(onsets))
    facts.outage = rules.FEED_STALLED.explains(feed, scene)
    if was_out and not facts.outage:
        _forget(state)

    told = []
    if was_out != facts.outage:
        told += _tell(state, Kind.FEED_STALLED)
    if not scene.declares:
        return told
    gone_before = removal.held != FREE
    if rules.SILENT_REMOVAL.settle(removal, scene):
        rejudge(state)
        for subject in np.flatnonzero((removal.held != FREE) & ~gone_before).tolist():
            rules.RETIREMENT_BIAS.depart(states.retirement_bias, scene, subject)
        told += _tell(state, Kind.SILENT_REMOVAL) + _tell(state, Kind.SHARE_DRIFT)
        told += _tell(state, Kind.RETIREMENT_BIAS)
    if rules.SHARE_DRIFT.settle(drift, scene):
        told += _tell(state, Kind.SHARE_DRIFT)
    return told


def rejudge(state: ArenaFairness) -> None:
    """Work out the policy and put it in force: whoever enters judgement or leaves it begins anew."""
    scene, removal, drift = state.scene, state.states.silent_removal, state.states.share_drift
    before, play = scene.play, state.replay_policy()
    size = play.pi.size
    reported = removal.held != FREE
    _begin_anew(removal, _wide(before.active & (before.pi > 0), size), play.active & (play.pi > 0), scene.mark)
    if not np.array_equal(removal.held != FREE, reported):  # a notice ended a report, and that puts its model in play
        play = state.replay_policy()
    _begin_anew(drift, _wide(before.pi_play > 0, size), play.pi_play > 0, scene.mark)
    joined = np.flatnonzero((play.pi > 0) & ~_wide(before.pi > 0, size))
    scene.facts.last_row[joined] = scene.facts.rows
    scene.facts.last_time[joined] = scene.facts.clock
    scene.facts.most_judged = max(scene.facts.most_judged, play.judged)
    scene.play = play


def _begin_anew(watch: Watched, judged_before: Mask, judged: Mask, mark: Mark) -> None:
    for subject in np.flatnonzero(judged_before != judged).tolist():
        watch.release(subject, mark)


def _forget(state: ArenaFairness) -> None:
    """The feed is back: what was missing meanwhile is evidence against nobody."""
    watches: tuple[Watched, ...] = (state.states.silent_removal, state.states.share_drift)
    for watch in watches:
        for subject in np.flatnonzero(watch.held == FREE).tolist():
            watch.release(subject, state.scene.mark)


def _tell(state: ArenaFairness, kind: Kind) -> list[Alert]:
    rule = next(rule for rule in rules.EVERY if rule.kind is kind)
    verdicts = rule.verdicts(getattr(state.states, kind.value), state.scene)
    return reconcile(state.opened, state.scene, kind, verdicts)


def _wide(array: NDArray[Any], size: int) -> NDArray[Any]:
    return np.pad(array, (0, size - array.size))


def warm() -> None:
    """Compile what runs in every tick, or load it from disk."""
    one, number = np.zeros(1), np.zeros(1, np.int64)
    _note(one, one, 0.0, one, 0, 0.0, one, one, number, one, number, number)
    Cusum.start(1, 1).update(Odds.of(one, one, 0.0), one, 0.0, Mark(0, 0.0, one, one))


@njit(cache=True)
def _note(shown, in_play, battles, pi_play, row, clock, seen, due, last_row, last_time, current, total):  # type: ignore[no-untyped-def]
    """Count appearances, expected ones and battles of every subject, and who was seen last when."""
    for subject in range(len(shown)):
        seen[subject] += in_play[subject]
        due[subject] += battles * pi_play[subject]
        if shown[subject] > 0:
            last_row[subject] = row
            last_time[subject] = clock
            current[subject] += np.int64(shown[subject])
            total[subject] += np.int64(shown[subject])
