"""The fairness fold: ledger records in, alerts out. Pure: the output depends only on the sequence of rows and notices.

The rows of one draw are one exposure (`arena.draws`): battles, ticks and reviews count exposures. They are counted a
stretch of many ticks at a time. Block boundaries do not matter: the state holds a partial tick, and a policy change in
the middle of a stretch (a removal changes which models are in play) ends the stretch there.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Status
from streams.contracts.vote import NONE
from streams.fairness import calm_ticks
from streams.fairness import tick_update as tick
from streams.fairness.arena.draws import RowDraws
from streams.fairness.arena.hashing import BlockHashes
from streams.fairness.arena.ledger_position import Moment
from streams.fairness.arena.past_policies import IN_FORCE, LateCounts
from streams.fairness.arena.ratings import rate_if_due
from streams.fairness.arena.stretch import Exposures, Stretch
from streams.fairness.arena.ticks import RowBattles
from streams.fairness.crowd import seats
from streams.fairness.detectors.base import ReviewBattles
from streams.fairness.detectors.catalog import AT_NOTICE, AT_REVIEW, AT_TICK, DETECTORS
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.view import remember
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from streams.ledger.watermark import count_rows, is_new, unknown_refused, unknown_rows

Numbers = NDArray[np.int64]


def fold(state: ArenaFairness, record: Block | Notice) -> list[Alert]:
    """Fold one ledger record of the state's arena; skip rows and notices that were counted before.

    Returns
    -------
    Alerts that this record fires, repeats or resolves, in order.
    """
    if isinstance(record, Notice):
        alerts = _declare(state, record) if is_new(record, state.watermark) else []
    else:
        rows, refused = unknown_rows(record, state.watermark), unknown_refused(record, state.watermark)
        if refused is not None:
            for detector in AT_REVIEW:
                detector.refused(state.states.of(detector), state.scene, refused)
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
    before = scene.play
    tick.rejudge(state)
    if not np.array_equal(before.pi, scene.play.pi):
        scene.epoch.begin(facts.rows, facts.clock)
        recorded, settle = notice.recorded / 1000, scene.settings.settle_seconds
        facts.draws.bunches.restart()
        facts.policies.change(before, scene.play, recorded, facts.clock, settle, rows=facts.rows)
        facts.policies.resize(len(facts.roster))
    for detector in AT_NOTICE:
        detector.notice(state.states.of(detector), scene, change)
    return tick.tell(state, (*AT_TICK, *AT_NOTICE))


def _count(state: ArenaFairness, rows: Rows) -> list[Alert]:
    """Count rows, in parts that end with a review: what a review decides must not depend on where a block was cut."""
    scene, facts = state.scene, state.scene.facts
    state.rhythm.hear(rows.recorded)
    words = BlockHashes.of(rows)
    draws = facts.draws.follow(rows, words)
    starts = np.flatnonzero(draws.first)
    review, alerts = scene.settings.review_battles, list[Alert]()
    row = at = 0
    while row < len(rows):
        until = at + review - facts.rows % review
        # Further votes on the last draw of a review belong to the next review.
        end = int(starts[until - 1]) + 1 if until <= starts.size else len(rows)
        part = slice(row, end)
        alerts += _count_part(state, rows.take(part), words, draws.take(part), starts[at:until] - row)
        row, at = end, until
    return alerts


def _count_part(state: ArenaFairness, rows: Rows, words: BlockHashes, draws: RowDraws, starts: Numbers) -> list[Alert]:
    """Count rows of one review; `starts` are those that start an exposure."""
    scene, facts = state.scene, state.scene.facts
    known, shown = len(facts.roster), np.stack([rows.model_a, rows.model_b], axis=1).ravel()
    numbers = facts.roster.follow(rows.models, shown, scene.settings.max_undeclared)
    if len(facts.roster) != known:
        state.resize()
        tick.rejudge(state)
    a, b = numbers[rows.model_a], numbers[rows.model_b]
    facts.draws.count(draws)
    first = slice(None) if starts.size == len(rows) else starts
    tstamp, drawn_at = rows.tstamp[first], None if rows.drawn_at is None else rows.drawn_at[first]
    # For the first rows, ignore the clock: notices set it, and it may be later than old votes.
    clock = np.maximum.accumulate(tstamp if not facts.rows else np.maximum(tstamp, facts.clock))
    exposures = Exposures(
        a=a[first],
        b=b[first],
        winner=rows.winner[first],
        clock=clock,
        policy=facts.policies.of(drawn_at, clock, facts.clock),
        weight=None if draws.weight is None else draws.weight[first],
        p_pair=None if rows.p_pair is None else rows.p_pair[first],
        single=None if draws.single is None else draws.single[first],
    )
    facts.policies.lateness.count(exposures.a, exposures.b, clock, drawn_at)
    alerts: list[Alert] = []
    exposed = rows if starts.size == len(rows) else rows.take(starts)
    at = row = 0
    while at < starts.size:
        stretch = Stretch.of(scene, exposures.take(slice(at, None)))
        counted = slice(at, at + int(stretch.ends[-1]))
        taken, told = _play(state, stretch, RowBattles.of(exposed.take(counted), exposures.take(counted)))
        alerts += told
        end = int(starts[at + taken - 1]) + 1
        part = slice(row, end)
        _gather(state, rows.take(part), words, a[part], b[part], exposures.take(slice(at, at + taken)))
        at, row = at + taken, end
    if row < len(rows):
        _gather(state, rows.take(slice(row, None)), words, a[row:], b[row:], exposures.take(slice(at, None)))
    if starts.size and facts.rows % scene.settings.review_battles == 0:
        alerts += _review(state)
    return alerts


def _play(state: ArenaFairness, stretch: Stretch, battles: RowBattles) -> tuple[int, list[Alert]]:
    """Run the ticks of a stretch until the policy changes; return the exposures used and the alerts to emit."""
    facts, policy = state.scene.facts, state.scene.play
    began, alerts = facts.rows, list[Alert]()
    calm = calm_ticks.run(state, stretch, battles)
    start = int(stretch.ends[calm - 1]) if calm else 0
    if calm == len(stretch.ends):
        return start, alerts
    by_row = [(each, kept, each.prepare(kept, state.scene, battles)) for each, kept in state.states.at_row]
    for index, end in enumerate(stretch.ends[calm:].tolist(), calm):
        of_tick = battles.tick(start, end)
        for detector, kept, prepared in by_row:
            detector.rows(kept, state.scene, of_tick, prepared, start)
        start = end
        facts.tick_hits += stretch.hits[index]
        facts.tick_battles += stretch.battles[index]
        for number, counts in stretch.late.items():
            facts.late.setdefault(number, LateCounts.none(facts.seen.size)).add(counts[index])
        if index in stretch.pairs:
            facts.pairs.add(stretch.pairs[index])
        votes = int(stretch.votes[index])
        facts.tick_votes += votes
        facts.finished += votes
        facts.rows, facts.clock = began + end, float(stretch.clock[index])
        if index < stretch.full:
            alerts += tick.close(state)
        if state.scene.play is not policy:
            return end, alerts
    return int(stretch.ends[-1]), alerts


def _gather(state: ArenaFairness, rows: Rows, words: BlockHashes, a: Numbers, b: Numbers, exposures: Exposures) -> None:
    """Pass rows to the board, the review detectors and the crowd, which need every vote, and exposures to the epoch."""
    scene, facts = state.scene, state.scene.facts
    votes, voted, lowest, highest = _votes(a, b, rows.winner)
    facts.votes += voted
    facts.policies.count(exposures.policy, exposures.a.size)
    judged = scene.play.declared[exposures.a] & scene.play.declared[exposures.b]
    if exposures.policy is not None:
        judged &= exposures.policy == IN_FORCE
    scene.epoch.add(exposures.a[judged])
    battles = ReviewBattles(rows, words, a[votes], b[votes], rows.winner[votes], votes, (a, b))
    if votes.size:
        scene.board.add(battles.a, battles.b, battles.winner, _no_elo)
    for detector in AT_REVIEW:
        detector.gather(state.states.of(detector), battles)
    if lowest < 0 or highest >= facts.names.known:
        facts.names.add(facts.roster, rows, a, b)
    if lowest < 0:
        shown, found = np.stack([rows.model_a, rows.model_b], axis=1).ravel(), np.stack([a, b], axis=1).ravel()
        most = seats(scene.settings.review_battles, scene.settings.undeclared_battles)
        facts.crowd.add([rows.models[code] for code in shown[found < 0].tolist()], most)


@njit(cache=True)
def _votes(a, b, winner):  # type: ignore[no-untyped-def]
    """Return the places of votes between models with a number, how many votes there are, lowest and highest number."""
    places, found, voted, lowest, highest = np.empty(len(a), np.int64), 0, 0, 0, -1
    for row in range(len(a)):
        lowest, highest = min(lowest, a[row], b[row]), max(highest, a[row], b[row])
        if winner[row] != NONE:
            voted += 1
            if a[row] >= 0 and b[row] >= 0:
                places[found] = row
                found += 1
    return places[:found], voted, lowest, highest


def _review(state: ArenaFairness) -> list[Alert]:
    scene = state.scene
    scene.facts.window.turn()
    scene.facts.crowd.turn()
    scene.facts.names.turn(len(scene.facts.roster))
    if scene.facts.window.full:
        scene.facts.roster.forget(scene.facts.window.recent)
    scene.facts.draws.turn()
    scene.facts.policies.turn()
    scene.facts.shares.review(scene.settings, scene.facts.rows, scene.facts.finished, scene.mark)
    scene.epoch.review(scene.play, scene.settings.kappa)
    ratings = rate_if_due(scene)
    for detector in AT_REVIEW:
        detector.review(state.states.of(detector), scene, ratings)
    tick.share_budget(state)
    remember(state)
    return tick.tell(state, DETECTORS, repeat=True)


def _no_elo(*_: object) -> None:
    """Compute no Elo ratings: the fairness fold does not use them."""
