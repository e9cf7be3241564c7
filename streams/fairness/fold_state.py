"""State of the fairness fold for one arena: a function of its ledger records before `position`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streams.contracts.alert import Alert, Status
from streams.fairness.alerts.lifecycle import Inherited, Opened
from streams.fairness.arena.context import ArenaFacts, Scene
from streams.fairness.arena.registry import Roster
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.share_evidence import ShareEvidence
from streams.fairness.arena.window import Window
from streams.fairness.detectors.base import AnyDetector, Detector, State
from streams.fairness.detectors.catalog import AT_ROW, AT_TICK, DETECTORS
from streams.fairness.detectors.silence import Rhythm
from streams.fairness.evidence_history import EvidenceHistory
from streams.fairness.settings import FairnessSettings
from streams.ledger.watermark import Watermark
from streams.ratings.counts import BoardCounts


class DetectorStates:
    """The state of each detector.

    Parameters
    ----------
    saved
        Decoded states by detector; None starts every detector from its initial state.

    Attributes
    ----------
    at_tick
        The detectors that run at every tick, each with its state.
    at_row
        Those among them that look at every battle.
    """

    __slots__ = ("_kept", "at_row", "at_tick")

    def __init__(self, saved: Mapping[AnyDetector, object] | None = None) -> None:
        self._kept: dict[AnyDetector, Any] = dict(saved or {each: each.start() for each in DETECTORS})
        self.at_tick = [(each, self._kept[each]) for each in AT_TICK]
        self.at_row = [(each, self._kept[each]) for each in AT_ROW]

    def of(self, detector: Detector[State]) -> State:
        """The state of one of `DETECTORS`."""
        kept: State = self._kept[detector]
        return kept

    def resize(self, subjects: int) -> None:
        """Grow every detector's state to `subjects`."""
        for detector, kept in self._kept.items():
            detector.resize(kept, subjects)

    def claims(self, scene: Scene) -> int:
        """Parts in which the budget of pages is divided now, at least 1: one for each thing that can page.

        What a detector reserves makes the parts of the others smaller.
        """
        claims = sum(detector.claims(kept, scene) for detector, kept in self._kept.items())
        reserved = sum(detector.reserve(kept, scene) for detector, kept in self._kept.items())
        return max(1, math.ceil(claims / (1.0 - reserved)))

    def removed(self, subjects: int) -> Mask:
        """bool[S], the models that a detector reports as removed."""
        reported = [detector.removed(kept, subjects) for detector, kept in self.at_tick]
        return np.asarray(np.logical_or.reduce(reported))


@dataclass(slots=True)
class ArenaFairness:
    """State of one arena.

    Attributes
    ----------
    scene
        Counts so far, the arena's settings, and the policy in force.
    states
        State of each detector.
    rhythm
        Gaps between records, from which the silence rule learns the usual gap.
    opened
        Alerts that fire.
    watermark
        Highest source offset counted, by `topic/partition`; rows at or below it are skipped.
    position
        Offset of the next ledger record to fold.
    history
        Evidence and alerts over time.
    inherited
        Alerts of a discarded state that may have to be resolved once the refold has caught up.
    """

    scene: Scene
    states: DetectorStates = field(default_factory=DetectorStates)
    opened: Opened = field(default_factory=dict)
    watermark: Watermark = field(default_factory=dict)
    position: int = 0
    history: EvidenceHistory = field(default_factory=EvidenceHistory)
    inherited: Inherited = field(default_factory=dict)
    rhythm: Rhythm = field(default_factory=Rhythm)

    @classmethod
    def start(cls, arena: str, settings: FairnessSettings, position: int = 0) -> ArenaFairness:
        """Return the initial state of an arena."""
        roster = Roster()
        facts = ArenaFacts(roster, Window.start(settings.window_reviews), shares=ShareEvidence.start(settings))
        play = Play.of(roster, np.zeros(0, np.bool_))
        return cls(Scene(arena, settings, facts, BoardCounts(), play), position=position)

    @property
    def arena(self) -> str:
        """Name of the arena."""
        return self.scene.arena

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire, as last emitted, latest `starts_at` first."""
        alerts = [each.alert for each in self.opened.values() if each.alert.status is Status.FIRING]
        return sorted(alerts, key=lambda alert: (-alert.starts_at, alert.id))

    def resize(self) -> None:
        """Grow facts, epoch and detector states to the size of the roster."""
        subjects = len(self.scene.facts.roster)
        self.scene.facts.resize()
        self.scene.epoch.resize(subjects)
        self.states.resize(subjects)

    def replay_policy(self) -> Play:
        """Compute the policy in force from the registry and the models reported as removed."""
        roster = self.scene.facts.roster
        return Play.of(roster, self.states.removed(len(roster)))
