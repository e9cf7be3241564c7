"""Everything that the fairness fold knows of one arena: a function of its ledger records before `position`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streams.contracts.alert import Alert, Status
from streams.fairness.alerts.lifecycle import Inherited, Opened
from streams.fairness.arena.context import Facts, Scene
from streams.fairness.arena.ledger_position import Standing
from streams.fairness.arena.registry import Roster
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.arena.window import Window
from streams.fairness.detectors import catalog as rules
from streams.fairness.detectors.feed_stalled import Feed
from streams.fairness.detectors.graph_fragile import Graph
from streams.fairness.detectors.prompt_reuse import Prompts
from streams.fairness.detectors.rank_churn import Churn
from streams.fairness.detectors.retirement_bias import Departures
from streams.fairness.detectors.share_alarm import FREE, Watched
from streams.fairness.detectors.silence import Rhythm
from streams.fairness.detectors.unannounced_retirement import Episodes
from streams.fairness.detectors.whole_policy import Epoch
from streams.fairness.evidence_history import EvidenceHistory
from streams.fairness.settings import FairnessSettings
from streams.ledger.watermark import Watermark
from streams.ratings.counts import BoardCounts


@dataclass(slots=True)
class States:
    """The state of each detector, and of the figures beside them."""

    feed_stalled: Feed = field(default_factory=rules.FEED_STALLED.start)
    silent_removal: Watched = field(default_factory=rules.SILENT_REMOVAL.start)
    share_drift: Watched = field(default_factory=rules.SHARE_DRIFT.start)
    unannounced_retirement: Episodes = field(default_factory=rules.UNANNOUNCED_RETIREMENT.start)
    private_variants: Standing = field(default_factory=rules.PRIVATE_VARIANTS.start)
    score_retraction: Episodes = field(default_factory=rules.SCORE_RETRACTION.start)
    best_of_n: Episodes = field(default_factory=rules.BEST_OF_N.start)
    data_inequality: Standing = field(default_factory=rules.DATA_INEQUALITY.start)
    retirement_bias: Departures = field(default_factory=rules.RETIREMENT_BIAS.start)
    graph_fragile: Graph = field(default_factory=rules.GRAPH_FRAGILE.start)
    rank_churn: Churn = field(default_factory=rules.RANK_CHURN.start)
    prompt_reuse: Prompts = field(default_factory=rules.PROMPT_REUSE.start)
    undeclared_model: Standing = field(default_factory=rules.UNDECLARED_MODEL.start)
    whole_policy: Epoch = field(default_factory=Epoch)
    rhythm: Rhythm = field(default_factory=Rhythm)

    def resize(self, subjects: int) -> None:
        """Make room for new subjects."""
        for each in (self.feed_stalled, self.silent_removal, self.share_drift, self.retirement_bias):
            each.resize(subjects)
        self.graph_fragile.resize(subjects)
        self.whole_policy.resize(subjects)


@dataclass(slots=True)
class ArenaFairness:
    """One arena.

    Attributes
    ----------
    scene
        What has happened, by which settings it is judged, and the policy in force.
    states
        What each detector has made of it.
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
        self.scene.facts.resize()
        self.states.resize(len(self.scene.facts.roster))

    def replay_policy(self) -> Play:
        """Work out the policy in force from the registry and from what is reported as removed."""
        return Play.of(self.scene.facts.roster, self.states.silent_removal.held != FREE)
