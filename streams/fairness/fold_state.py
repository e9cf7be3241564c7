"""Everything that the fairness fold knows of one arena: a function of its ledger records before `position`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streams.contracts.alert import Alert, Status
from streams.fairness.alerts.lifecycle import Inherited, Opened
from streams.fairness.arena.context import Facts, Scene
from streams.fairness.arena.registry import Roster
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.window import Window
from streams.fairness.detectors.base import Detector, State
from streams.fairness.detectors.catalog import AT_TICK, DETECTORS
from streams.fairness.detectors.silence import Rhythm
from streams.fairness.evidence_history import EvidenceHistory
from streams.fairness.settings import FairnessSettings
from streams.ledger.watermark import Watermark
from streams.ratings.counts import BoardCounts


class States:
    """The state of each detector.

    Parameters
    ----------
    saved
        States that were read back, by detector; all begin without it.

    Attributes
    ----------
    at_tick
        The detectors that every tick asks, each with its state.
    """

    __slots__ = ("_kept", "at_tick")

    def __init__(self, saved: dict[Detector[Any], Any] | None = None) -> None:
        self._kept: dict[Detector[Any], Any] = saved or {each: each.start() for each in DETECTORS}
        self.at_tick = [(each, self._kept[each]) for each in AT_TICK]

    def of(self, detector: Detector[State]) -> State:
        """The state of one of `DETECTORS`."""
        kept: State = self._kept[detector]
        return kept

    def resize(self, subjects: int) -> None:
        """Make room for new subjects."""
        for detector, kept in self._kept.items():
            detector.resize(kept, subjects)

    def removed(self, subjects: int) -> Mask:
        """bool[S], the models that are reported as removed."""
        reported = [detector.removed(kept, subjects) for detector, kept in self.at_tick]
        return np.asarray(np.logical_or.reduce(reported))


@dataclass(slots=True)
class ArenaFairness:
    """One arena.

    Attributes
    ----------
    scene
        What has happened, by which settings it is judged, and the policy in force.
    states
        What each detector has made of it.
    rhythm
        How often records come, for the watch over silences.
    opened
        Alerts that fire.
    watermark
        Highest source offset counted, by `topic/partition`: what is at or below it was counted.
    position
        Offset of the next ledger record to fold.
    history
        Evidence and alerts over time.
    inherited
        What a state that was given up leaves to be ended, until the refold is through.
    """

    scene: Scene
    states: States = field(default_factory=States)
    opened: Opened = field(default_factory=dict)
    watermark: Watermark = field(default_factory=dict)
    position: int = 0
    history: EvidenceHistory = field(default_factory=EvidenceHistory)
    inherited: Inherited = field(default_factory=dict)
    rhythm: Rhythm = field(default_factory=Rhythm)

    @classmethod
    def start(cls, arena: str, settings: FairnessSettings, position: int = 0) -> ArenaFairness:
        """An arena of which nothing is known."""
        roster = Roster()
        facts = Facts(roster, Window.start(settings.window_reviews))
        play = Play.of(roster, np.zeros(0, np.bool_))
        return cls(Scene(arena, settings, facts, BoardCounts(), play), position=position)

    @property
    def arena(self) -> str:
        """Name of the arena."""
        return self.scene.arena

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire, as last emitted, newest beginning first."""
        alerts = [each.alert for each in self.opened.values() if each.alert.status is Status.FIRING]
        return sorted(alerts, key=lambda alert: (-alert.starts_at, alert.id))

    def resize(self) -> None:
        """Make room for new subjects of the roster, everywhere."""
        subjects = len(self.scene.facts.roster)
        self.scene.facts.resize()
        self.scene.epoch.resize(subjects)
        self.states.resize(subjects)

    def replay_policy(self) -> Play:
        """Work out the policy in force from the registry and from what is reported as removed."""
        roster = self.scene.facts.roster
        return Play.of(roster, self.states.removed(len(roster)))
