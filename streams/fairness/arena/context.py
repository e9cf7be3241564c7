"""The scene: the counts of an arena so far, its settings and policy; detectors read it and never change it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow
from streams.fairness.arena.declared_pairs import PairTally
from streams.fairness.arena.draws import Draws
from streams.fairness.arena.ledger_position import Moment
from streams.fairness.arena.name_flood import NameCounts
from streams.fairness.arena.past_counts import PastCounts
from streams.fairness.arena.past_policies import IN_FORCE, LateCounts, PastPolicies
from streams.fairness.arena.registry import Roster
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.arena.share_evidence import ShareEvidence
from streams.fairness.arena.whole_policy import Epoch
from streams.fairness.arena.window import Window
from streams.fairness.crowd import Crowd
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.expected_share import Vector
from streams.ratings.counts import BoardCounts


@dataclass(slots=True)
class ArenaFacts:
    """The part of the scene that is saved; S subjects, all counts of battles.

    Attributes
    ----------
    rows, notices, clock
        See `Moment`.
    votes
        Rows with a vote: `rows` counts draws, and a draw may have several votes or none.
    seen, due
        float64[S], observed and expected appearances in battles among models in play (among declared models for those
        reported as removed).
    last_row, last_time
        [S], the end of the last tick that a model was in.
    tick_hits
        float64[3, S], appearances in the current tick since its last notice: in all battles, in battles among
        declared models, in battles among models in play.
    tick_battles
        float64[3], battles of the same three kinds.
    tick_votes
        Votes in the current tick.
    theta
        float64[S], logits of the last solution of the ratings, from which the next one starts.
    most_judged
        K, the largest number of things that could page at one time so far, over all detectors (`Detector.claims`).
    outage, outage_row
        Whether a stalled feed explains the missing battles, and battles at the end of the last tick for which it did;
        suppresses removal and drift alerts, and nobody learns from such battles what is usual.
    crowd
        Counts of names in battles that have no subject number.
    finished
        Battles whose first row has a vote; `votes` counts every vote.
    draws, policies
        Which rows are one draw, and which policy judges a row.
    late
        The current tick's battles that a past policy judges, by the number of that policy.
    pairs
        The current tick's comparison of `p_pair` with the declared weights.
    names
        Names that are neither declared nor known from before the current review.
    shares
        Evidence about every declared share.
    past
        `seen` and `due` at places of the past.
    paired
        bool[S], models whose opponents are not the declared ones: those with an open alert of `pairing_bias`.
    """

    roster: Roster
    window: Window
    rows: int = 0
    notices: int = 0
    clock: float = 0.0
    votes: int = 0
    seen: Vector = field(default_factory=lambda: np.zeros(0))
    due: Vector = field(default_factory=lambda: np.zeros(0))
    last_row: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_time: Vector = field(default_factory=lambda: np.zeros(0))
    tick_hits: Vector = field(default_factory=lambda: np.zeros((3, 0)))
    tick_battles: Vector = field(default_factory=lambda: np.zeros(3))
    tick_votes: int = 0
    theta: Vector = field(default_factory=lambda: np.zeros(0))
    most_judged: int = 1
    outage: bool = False
    outage_row: int = 0
    crowd: Crowd = field(default_factory=Crowd)
    finished: int = 0
    draws: Draws = field(default_factory=Draws)
    policies: PastPolicies = field(default_factory=PastPolicies)
    late: dict[int, LateCounts] = field(default_factory=dict)
    pairs: PairTally = field(default_factory=PairTally)
    names: NameCounts = field(default_factory=NameCounts)
    shares: ShareEvidence = field(default_factory=ShareEvidence)
    past: PastCounts = field(default_factory=PastCounts)
    paired: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def resize(self) -> None:
        """Grow the arrays to the size of the roster."""
        size = len(self.roster)
        grow(self, size, "seen", "due", "last_row", "last_time", "tick_hits", "theta", "paired")
        self.window.resize(size)
        self.policies.resize(size)
        for counts in self.late.values():
            grow(counts, size, "hits")
        self.shares.resize(size)
        self.past.resize(size)


@dataclass(slots=True)
class Scene:
    """An arena: its facts, its settings, and values derived from them.

    `play` is the policy in force; `epoch` holds since when it is in force, and the evidence against it; `board` counts
    the votes by pair. `settled` lists the ids of alerts that were resolved because the settings changed: if such an
    alert fires again, it gets a new id. `past_plays` are the past policies by number, computed when a row needs them
    and dropped with every change of `play`.
    """

    arena: str
    settings: FairnessSettings
    facts: ArenaFacts
    board: BoardCounts
    play: Play
    settled: list[str] = field(default_factory=list)
    epoch: Epoch = field(default_factory=Epoch)
    past_plays: dict[int, Play] = field(default_factory=dict)

    def policy(self, number: int) -> Play:
        """The policy of a number that `PastPolicies.of` returned, narrowed to what is tested now."""
        if number == IN_FORCE:
            return self.play
        if number not in self.past_plays:
            past = next(each for each in self.facts.policies.kept if each.number == number)
            removed = self.play.declared[:-1] & ~self.play.in_play[:-1]
            made = Play.under(self.facts.roster, past.weights, past.active, removed)
            self.past_plays[number] = made.narrowed(self.play)
        return self.past_plays[number]

    @property
    def now(self) -> Moment:
        """The current place in the ledger."""
        return Moment(self.facts.rows, self.facts.notices, self.facts.clock)

    @property
    def mark(self) -> Mark:
        """The current counts."""
        return Mark(self.facts.rows, self.facts.clock, self.facts.seen, self.facts.due)

    @property
    def declares(self) -> bool:
        """Whether the arena has a registry; without one, shares are published and the share detectors do not run."""
        return bool(self.facts.roster.registry)

    @property
    def page_level(self) -> float:
        """Level of a page, ln c with c = K·A: each of K claims has the same part of the budget."""
        return math.log(self.facts.most_judged * self.settings.ticks_between_pages)

    @property
    def warning_level(self) -> float:
        """Level of a warning, also a logarithm; never above the page level.

        It is the page level of an operator who allows one false alarm in `warning_level` ticks.
        """
        return min(math.log(self.facts.most_judged * self.settings.warning_level), self.page_level)

    @property
    def unfinished_share(self) -> float:
        """Share of battles that were shown and not voted on."""
        return 1.0 - self.facts.finished / self.facts.rows if self.facts.rows else 0.0

    def votes_of(self, number: int) -> int:
        """Votes on one model."""
        return self.board.votes_of(number)

    def battles_of(self, number: int) -> int:
        """Battles of one subject, up to the end of the last tick or notice."""
        return int(self.facts.window.total[number])
