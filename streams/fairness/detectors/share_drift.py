"""Share drift: a model, a provider or a licence class is in fewer or more battles than the declared weights imply."""

from __future__ import annotations

import numpy as np

from streams.contracts.alert import Kind
from streams.fairness.alerts.summaries import as_number, day, percent, some, who
from streams.fairness.arena.attribution import WINDOWS, Cause, explanation, members
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import Ticks
from streams.fairness.detectors.base import NAMED, Tick, Verdict
from streams.fairness.detectors.share_alarm import FREE, PAGED, SEVERITY, WARNED, ShareAlarms, ShareDetector

BACK = 0.7
"""r_back of recovery farthest from 1: resolves shares above 0.84 π, about 120 expected appearances after the drift
ends (about 215 after one to 0.6 of the odds, 410 to 0.7, 650 to 0.75: see `GAP`). With 0.5 (above 0.72 π, 36
appearances) an alert on a share of 0.6 π, as when people finish battles with a model 40 % less often, was resolved and
opened again 18 times in a million battles."""
NEAR = 5.0
"""Nats within which chance decides which of two subjects has more evidence. A cause may have so much less than what it
explains. A rise waits for a fall that explains it and a member for its group, when these are so near: where there are
two licence classes, what one loses the other gains."""
SMALL = 0.5, 2.0
"""While the policy as a whole is reported, multiples of the odds in this range are a part of that."""
SELECTION = 0.01
"""With a share of unfinished battles below this, the summary assumes that the arena does not report them."""
REMOVED = 0.2
"""Below this part of the declared share, unfinished battles cannot explain the drift."""


class ShareDrift(ShareDetector):
    """Checks every subject with a declared share.

    Resolves on evidence of recovery, when the subject leaves the policy, or when its removal is reported instead.
    """

    kind = Kind.SHARE_DRIFT

    def tick(self, state: ShareAlarms, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Add a tick, or its stretch up to a notice."""
        if scene.declares:
            log_m = scene.facts.shares.log_m
            state.recover(scene.play.pi_play, tick.in_play_hits, tick.in_play_battles, log_m, closes=closes)

    def calm(self, state: ShareAlarms, scene: Scene, ticks: Ticks) -> bool:
        """Add ticks without a suspect; parts of alerts are looked at again when their cause is over, and at reviews."""
        if not scene.declares:
            return True
        if np.count_nonzero(state.part):
            parts = state.part[state.part > 0]
            if ticks.ends.row[-1] % scene.settings.review_battles == 0 or (state.held[parts - 1] == FREE).any():
                return False
        if ticks.log_m.max(initial=-np.inf) >= ticks.levels.warning:
            level = np.where(state.held == FREE, ticks.levels.warning, ticks.levels.page)
            level[(state.held == PAGED) | (state.part > 0)] = np.inf
            if (ticks.log_m >= level).any():
                return False
        return not state.recovers(scene, scene.play.pi_play, ticks.hits[:, 2], ticks.counted[:, 2], ticks.log_m)

    def claims(self, state: ShareAlarms, scene: Scene) -> int:
        """The subjects in play: a removal of one is found on the same evidence, so it claims nothing more."""
        return int(np.count_nonzero(scene.play.pi_play))

    def watched(self, play: Play) -> Mask:
        """Every subject with a share in play."""
        return play.pi_play > 0

    def suspects(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Subjects about to be reported."""
        return state.suspects(scene, scene.warning_level)

    def report(self, state: ShareAlarms, scene: Scene) -> bool:
        """Raise and resolve alerts; return whether anything changed."""
        changed = False
        for subject in state.recovered(scene.settings.recovery_level):
            state.release(subject, scene)
            changed = True
        if scene.facts.outage:
            return changed
        if np.count_nonzero(state.part):
            changed = self._reconsider(state, scene) or changed
        for level, severity in ((scene.page_level, PAGED), (scene.warning_level, WARNED)):
            for subject in state.suspects(scene, level, below=severity):
                held = state.held[subject]
                if self._explained(state, scene, subject, level):
                    changed = changed or state.held[subject] != held
                    continue
                new = state.held[subject] == FREE
                state.hold(subject, severity, scene, BACK)
                changed = True
                if new:
                    self._take_over(state, scene, subject)
        return changed

    def _explained(self, state: ShareAlarms, scene: Scene, subject: int, level: float) -> bool:
        """Whether open alerts explain a suspect, or a fall that is about to be reported does."""
        shares = scene.facts.shares
        sums, bet = shares.winner(subject)
        if shares.whole and SMALL[0] <= sums.bets[bet] <= SMALL[1]:
            return True
        suspect, log_m = Cause(subject, shares.onset(subject)), shares.log_m
        known = _causes(state, float(log_m[subject]))
        found = explanation(scene, suspect, known, _tolerance(scene), level)
        if found is not None:
            if found.whole:
                state.join(subject, found.cause, scene)
            return True
        if log_m[subject] > level + NEAR:
            return False
        near = (log_m >= log_m[subject] - NEAR) & (state.held == FREE) & (state.part == 0)
        near[subject] = False
        for other in np.flatnonzero(near)[:WINDOWS].tolist():
            falls = shares.rises(subject) and not shares.rises(other)
            if falls or (scene.play.groups[other] and members(scene.play, other)[subject]):
                causes = [Cause(other, shares.onset(other)), *known]
                found = explanation(scene, suspect, causes, _tolerance(scene), level)
                if found is not None and found.whole and found.cause == other:
                    return True
        return False

    def _take_over(self, state: ShareAlarms, scene: Scene, subject: int) -> None:
        """Make open alerts parts of a new one that explains them."""
        for other in np.flatnonzero(state.held).tolist():
            if other == subject or state.peak[other] > state.peak[subject]:
                continue
            suspect, causes = Cause(other, int(state.since_row[other])), _causes(state, float(state.peak[other]))
            found = explanation(scene, suspect, causes, _tolerance(scene), scene.page_level)
            if found is not None and found.whole and found.cause == subject:
                state.join(other, subject, scene)

    def _reconsider(self, state: ShareAlarms, scene: Scene) -> bool:
        """Let parts of alerts that are over begin anew; at each review, free what is not explained any more.

        The evidence of a part is about its cause, so it would be told again when the cause is over. At a review,
        alerts that stronger ones explain by now become parts of these; returns whether any did.
        """
        parts, shares = np.flatnonzero(state.part), scene.facts.shares
        over = state.held[state.part[parts] - 1] == FREE
        for subject in parts[over].tolist():
            state.release(subject, scene)
        if scene.facts.rows % scene.settings.review_battles:
            return False
        tolerance, level, causes = _tolerance(scene), scene.page_level, _causes(state)
        for subject in parts[~over].tolist():
            found = None
            if shares.log_m[subject] >= scene.warning_level:
                found = explanation(scene, Cause(subject, shares.onset(subject)), causes, tolerance, level)
            if found is None:
                state.part_with(subject, scene)
            else:
                state.part[subject] = found.cause + 1
        changed = False
        for number, weaker in enumerate(causes):
            stronger = [each for each in causes[:number] if state.held[each.subject] != FREE]
            found = explanation(scene, weaker, stronger, tolerance, level)
            if found is not None and found.whole:
                changed = state.join(weaker.subject, found.cause, scene) or changed
        return changed

    def verdicts(self, state: ShareAlarms, scene: Scene) -> list[Verdict]:
        """All open drift alerts."""
        found = []
        for subject in map(int, state.held.nonzero()[0]):
            evidence = state.evidence(subject, scene) | {"direction": "rise" if state.rose[subject] else "drop"}
            parts = np.flatnonzero(state.part == subject + 1).tolist()
            if parts:
                names = sorted(f"{who.field} {who.name}" for who in map(scene.facts.roster.subjects.__getitem__, parts))
                evidence |= {"parts": names[:NAMED], "part_count": len(names)}
            onset, began = str(int(state.since_row[subject])), float(state.since_time[subject])
            severity = SEVERITY[int(state.held[subject])]
            found.append(Verdict(scene.facts.roster.subjects[subject], severity, onset, began, evidence))
        return found

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        subject, what = who(arena, verdict.subject), "is in" if verdict.subject.field == "model" else "has models in"
        text = (
            f"{subject} {what} {percent(e['observed_share'])} of the battles of arena {arena} since about "
            f"{day(verdict.starts_at)}, a {e['direction']} from its declared share of {percent(e['declared_share'])}: "
            f"{e['appearances']:,} of {e['battles']:,} battles where {e['expected_appearances']:,.0f} were to be "
            f"expected, evidence of 10^{e['log10_e']:.1f} to 1."
        )
        if "parts" in e:
            text += f" It explains the shares of {e['part_count']:,} others ({some(e['parts'], e['part_count'])})."
        if as_number(e["observed_share"]) < REMOVED * as_number(e["declared_share"]):
            return text
        if as_number(e["unfinished_share"]) < SELECTION:
            return (
                f"{text} The arena does not report battles that end without a vote, so selection can be the cause too: "
                f"people may finish battles with it {'more' if e['direction'] == 'rise' else 'less'} often than others."
            )
        return f"{text} Battles without a vote are counted ({percent(e['unfinished_share'])} of all)."


def _causes(state: ShareAlarms, log_m: float = 0.0) -> list[Cause]:
    """The open alerts that can explain a subject with this evidence, that with the most evidence first."""
    held = np.flatnonzero((state.held != FREE) & (state.peak >= log_m - NEAR))
    order = held[np.argsort(-state.peak[held], kind="stable")].tolist()
    return [Cause(subject, int(state.since_row[subject])) for subject in order]


def _tolerance(scene: Scene) -> float:
    """What a share may differ for reasons of its own."""
    return 0.0 if scene.facts.shares.exact(scene.settings) else scene.settings.delta
