"""Silent removal: the registry declares the model active with a weight above 0, but it is gone from the battles."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.contracts.alert import Kind, Severity
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.context import ArenaFacts, Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import Ticks
from streams.fairness.detectors.base import Tick, Verdict
from streams.fairness.detectors.share_alarm import FREE, PAGED, ShareAlarms, ShareDetector
from streams.fairness.statistics.expected_share import Vector

MOST = 0.1
"""Bets up to this multiple of the odds are those of a removal, whose part of the evidence is shown as its own."""
GONE = 0.15
"""A model with more than this part of its expected appearances since the onset is a drift, not a removal. The condition
only withholds alerts, so the false-alarm bound holds."""
DRIFTED, SURER = 0.25, 5.0
"""A model that was paged as a drift is told again as a removal only if it is gone by so many nats rather than at this
part of its share: at a quarter of it, chance makes it less than 0.15 for a while."""
LESS = float(np.log(MOST / DRIFTED))
BACK = 0.25
"""r_back of recovery: resolves shares above 0.54 π after about 11 expected appearances, not after a short burst."""

Counts = Vector | float


class SilentRemoval(ShareDetector):
    """Checks active models on the evidence of `share_drift`; it pages without a warning before, because that warns.

    Resolves on evidence that the model is back, or when a notice ends its active status or sets its weight to 0.
    """

    kind = Kind.SILENT_REMOVAL

    def tick(self, state: ShareAlarms, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Add a tick, or its stretch up to a notice."""
        if scene.declares:
            log_m = scene.facts.shares.log_m
            state.recover(scene.play.pi, tick.declared_hits, tick.declared_battles, log_m, closes=closes)

    def calm(self, state: ShareAlarms, scene: Scene, ticks: Ticks) -> bool:
        """Add ticks in which no model with the evidence of a page is gone."""
        if not scene.declares:
            return True
        near = ticks.log_m >= ticks.levels.page
        if near.any():
            told = scene.facts.shares.usual.paused[ticks.watch] == PAGED
            hits, due = ticks.seen[:, ticks.watch] - ticks.since[0], ticks.due[:, ticks.watch] - ticks.since[1]
            near[:, ticks.watch] &= np.where(told, gone_for_sure(hits, due), hits <= GONE * due)
            if near[:, self.subjects(scene.play) & (state.held == FREE)].any():
                return False
        return not state.recovers(scene, scene.play.pi, ticks.hits[:, 1], ticks.counted[:, 1], ticks.log_m)

    def watched(self, play: Play) -> Mask:
        """Active models that can be drawn, removed or not."""
        return play.active & (play.pi > 0)

    def subjects(self, play: Play) -> Mask:
        """Active models in play: a model already reported as removed is not reported again."""
        return play.active & (play.pi_play > 0)

    def removed(self, state: ShareAlarms, subjects: int) -> Mask:
        """The models that are reported as removed."""
        return np.asarray(state.held != FREE)

    def suspects(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Subjects about to be reported."""
        facts, judged, found = scene.facts, None, list[int]()
        for subject in state.suspects(scene, scene.page_level):
            judged = self.subjects(scene.play) if judged is None else judged
            sums, bet = facts.shares.winner(subject)
            hits = facts.seen[subject] - sums.since_hits[bet, subject]
            due = facts.due[subject] - sums.since_due[bet, subject]
            gone = hits <= GONE * due
            if facts.shares.usual.paused[subject] == PAGED:
                gone = gone_for_sure(hits, due)
            if judged[subject] and gone:
                found.append(subject)
        return found

    def report(self, state: ShareAlarms, scene: Scene) -> bool:
        """Raise and resolve alerts; return whether anything changed."""
        back = state.recovered(scene.settings.recovery_level)
        for subject in back:
            state.release(subject, scene)
        gone = [] if scene.facts.outage else self.suspects(state, scene)
        for subject in gone:
            state.hold(subject, PAGED, scene, BACK)
        return bool(back or gone)

    def verdicts(self, state: ShareAlarms, scene: Scene) -> list[Verdict]:
        """All models reported as removed."""
        facts = scene.facts
        found = []
        for subject in map(int, np.flatnonzero(state.held)):
            who = facts.roster.subjects[subject]
            declared = facts.roster.known[who.name]
            evidence = state.evidence(subject, scene) | {
                "last_seen": round(float(facts.last_time[subject]), 3),
                "provider": declared.provider,
                "license": declared.license,
            }
            onset, began = str(int(state.since_row[subject])), float(state.since_time[subject])
            found.append(Verdict(who, Severity.CRITICAL, onset, began, evidence))
        return found

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        return (
            f"{verdict.subject.name} ({e['provider']}, {e['license']}) is declared active in arena {arena} and is gone "
            f"from its battles since about {day(verdict.starts_at)}: {e['appearances']:,} of the last {e['battles']:,} "
            f"battles where its declared share of {percent(e['declared_share'])} makes "
            f"{e['expected_appearances']:,.0f}, evidence of 10^{e['log10_e']:.1f} to 1; no notice says so."
        )


def gone_for_sure(hits: Counts, due: Counts) -> Any:
    """Whether a model that was told as a drift is gone, by its observed and expected appearances since the onset."""
    return hits * LESS + (DRIFTED - MOST) * due >= SURER


def removal_evidence(facts: ArenaFacts, alarms: ShareAlarms) -> Vector:
    """float64[S], log of the evidence that a model is gone; of a reported one, which is out of play, the largest."""
    return np.maximum(facts.shares.log_m_of(MOST), np.where(alarms.held == FREE, -np.inf, alarms.peak))
