"""A tick: update the exposure detectors with its counts, and turn their verdicts into alerts.

The order matters and is the same in every replay: first all detectors update their evidence; then the tick decides
whether a stalled feed explains it; then the detectors report, one after the other. A reported removal changes which
models are in play, and the detectors after it use the new policy.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Alert
from streams.fairness.alerts.lifecycle import reconcile
from streams.fairness.arena.context import ArenaFacts
from streams.fairness.arena.declared_pairs import PairTally
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.detectors.base import AnyDetector, Tick
from streams.fairness.detectors.catalog import AT_NOTICE, AT_TICK
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.odds_bets import OddsBets
from streams.fairness.statistics.share_sums import ShareSums

Counts = NDArray[np.float64]


def take_in(state: ArenaFairness, *, closes: bool) -> None:
    """Pass the counts of the current tick to the detectors and reset them; `closes` is True when the tick ends here."""
    scene, facts, play = state.scene, state.scene.facts, state.scene.play
    for number in sorted(facts.late):
        _take_in_late(state, number)
    hits, counted = facts.tick_hits[None], facts.tick_battles[None]
    row, time = np.array([facts.rows]), np.array([facts.clock])
    at = (row, time, *note(facts, play, hits, counted, row, time))
    _, declared, in_play = facts.tick_hits
    _, declared_battles, in_play_battles = facts.tick_battles.tolist()
    if scene.declares and closes:
        facts.shares.run(scene.settings, play, hits[:, 2], counted[:, 2], at, learns=not facts.outage)
    elif scene.declares:
        facts.shares.set_aside(scene.settings, play, in_play, in_play_battles, learns=not facts.outage)
    tick = Tick(declared, declared_battles, in_play, in_play_battles, scene.mark, facts.pairs)
    for detector, kept in state.states.at_tick:
        detector.tick(kept, scene, tick, closes=closes)
    facts.tick_hits.fill(0.0)
    facts.tick_battles.fill(0.0)
    facts.pairs = PairTally()


def _take_in_late(state: ArenaFairness, number: int) -> None:
    """Pass the tick's battles that a past policy judges, as a stretch of the tick under that policy."""
    scene, facts = state.scene, state.scene.facts
    declared, in_play = facts.late[number].hits
    declared_battles, in_play_battles = facts.late.pop(number).battles.tolist()
    in_force, scene.play = scene.play, scene.policy(number)
    facts.seen += in_play
    facts.due += in_play_battles * scene.play.pi_play
    out = scene.play.out
    facts.seen[out] += declared[out]
    facts.due[out] += declared_battles * scene.play.pi[out]
    if scene.declares:
        facts.shares.set_aside(scene.settings, scene.play, in_play, in_play_battles, learns=not facts.outage)
    tick = Tick(declared, declared_battles, in_play, in_play_battles, scene.mark)
    for detector, kept in state.states.at_tick:
        detector.tick(kept, scene, tick, closes=False)
    scene.play = in_force


def close(state: ArenaFairness) -> list[Alert]:
    """End the current tick; return the alerts to emit."""
    take_in(state, closes=True)
    scene, facts, asked = state.scene, state.scene.facts, state.states.at_tick
    facts.past.note(facts.rows // scene.settings.tick_battles, facts.rows, facts.seen, facts.due)
    facts.tick_votes = 0
    onset = min([row for detector, kept in asked for row in detector.onsets(kept, scene)], default=None)
    outage = True in [detector.explains(kept, scene, onset) for detector, kept in asked]
    turned, facts.outage = outage != facts.outage, outage
    if outage:
        facts.outage_row = facts.rows
    told: list[Alert] = []
    for detector, kept in asked:
        if detector.settle(kept, scene, turned=turned):
            told += tell(state, [detector, *_replay(state, AT_TICK[AT_TICK.index(detector) + 1 :])])
    return told


def _replay(state: ArenaFairness, later: Iterable[AnyDetector]) -> list[AnyDetector]:
    """Apply a change of the removed models, if any; return the other detectors whose verdicts may have changed."""
    scene, states = state.scene, state.states
    removed, before = np.flatnonzero(states.removed(scene.play.pi.size)), scene.play.out
    if np.array_equal(removed, before):
        return []
    rejudge(state)
    departed = np.setdiff1d(removed, before).tolist()
    counted = {each: [each.depart(states.of(each), scene, number) for number in departed] for each in AT_NOTICE}
    return [*later, *(each for each, counts in counted.items() if any(counts))]


def rejudge(state: ArenaFairness) -> None:
    """Compute the policy and put it in force. Subjects that start or stop being monitored lose their evidence."""
    scene = state.scene
    before, scene.play = scene.play, state.replay_policy()
    for detector, kept in state.states.at_tick:
        if detector.follow(kept, scene, before):
            scene.play = state.replay_policy()  # a report was withdrawn, so the model may be in play again
    play = scene.play
    scene.past_plays.clear()
    scene.facts.shares.follow(before, play, scene.mark)
    known = np.zeros(play.pi.size, np.bool_)
    known[: before.pi.size] = before.pi > 0
    joined = np.flatnonzero((play.pi > 0) & ~known)
    scene.facts.last_row[joined] = scene.facts.rows
    scene.facts.last_time[joined] = scene.facts.clock
    share_budget(state)


def share_budget(state: ArenaFairness) -> None:
    """Count what can page. The largest number so far divides the budget of pages, so no claim's part ever grows."""
    facts = state.scene.facts
    facts.most_judged = max(facts.most_judged, state.states.claims(state.scene))


def tell(state: ArenaFairness, detectors: Iterable[AnyDetector], *, repeat: bool = False) -> list[Alert]:
    """Collect the current verdicts of detectors; return the alerts to emit, see `reconcile`."""
    alerts: list[Alert] = []
    for detector in detectors:
        verdicts = detector.verdicts(state.states.of(detector), state.scene)
        alerts += reconcile(state.opened, state.scene, detector, verdicts, repeat=repeat)
    return alerts


def note(
    facts: ArenaFacts, play: Play, hits: Counts, counted: Counts, row: NDArray[np.int64], time: Counts
) -> tuple[Counts, Counts]:
    """Note ticks, or a stretch of one, in the counts of every subject.

    Parameters
    ----------
    hits, counted
        float64[T, 3, S] and float64[T, 3], see `ArenaFacts.tick_hits`.
    row, time
        [T], battles and clock at the ends.

    Returns
    -------
    `facts.seen` and `facts.due` at the ends, float64[T, S] each.
    """
    seen, due = np.empty((len(hits), facts.seen.size)), np.empty((len(hits), facts.seen.size))
    _note(
        hits, counted, play.pi, play.pi_play, play.out, row, time, facts.seen, facts.due,
        facts.last_row, facts.last_time, facts.window.current, facts.window.total, seen, due,
    )  # fmt: skip
    return seen, due


def warm() -> None:
    """Compile the numba functions that run in every tick, or load them from numba's cache on disk."""
    one, number = np.zeros(1), np.zeros(1, np.int64)
    three, row, at = np.zeros((1, 3, 1)), np.zeros(1, np.int64), np.zeros((1, 1))
    _note(three, three[:, :, 0], one, one, number, row, one, one, one, number, one, number, number, at, at)
    ShareSums.start(one, 1).run(OddsBets(one[None], one[None], one[None]), three[:, 2], one, (row, one, at, at))


@njit(cache=True)
def _note(  # type: ignore[no-untyped-def]
    hits, counted, pi, pi_play, out, row, time, seen, due, last_row, last_time, current, total, all_seen, all_due,
):  # fmt: skip
    """Add appearances, expected appearances and battles of every subject, and note where each was last seen."""
    for tick in range(len(hits)):
        for subject in range(len(seen)):
            seen[subject] += hits[tick, 2, subject]
            due[subject] += counted[tick, 2] * pi_play[subject]
            shown = hits[tick, 0, subject]
            if shown > 0:
                last_row[subject] = row[tick]
                last_time[subject] = time[tick]
                current[subject] += np.int64(shown)
                total[subject] += np.int64(shown)
        for subject in out:
            seen[subject] += hits[tick, 1, subject]
            due[subject] += counted[tick, 1] * pi[subject]
        all_seen[tick] = seen
        all_due[tick] = due
