"""The scene: what has happened in an arena so far, as counts; the detectors read it, none of them changes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow
from streams.fairness.arena.ledger_position import Moment
from streams.fairness.arena.registry import Roster
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.arena.whole_policy import Epoch
from streams.fairness.arena.window import Window
from streams.fairness.crowd import Crowd
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.expected_share import Vector
from streams.ratings.counts import BoardCounts


@dataclass(slots=True)
class Facts:
    """The part of the scene that is saved; S subjects, all counts of battles.

    Attributes
    ----------
    rows, notices, clock
        See `Moment`.
    votes
        Rows with a vote; the others were shown and not voted on.
    seen, due
        float64[S], appearances in battles among declared models, and how many were to be expected.
    last_row, last_time
        [S], the end of the last tick that a model was in.
    tick_hits
        float64[3, S], appearances in the tick under way, since its last notice: in all battles, in those among
        declared models, in those among models in play.
    tick_battles
        float64[3], battles of the same three sorts.
    tick_votes
        Votes in the tick under way.
    theta
        float64[S], logits when the ratings were last looked at: the next look starts from them.
    most_judged
        K, the largest number of paging detectors so far: the level of a page is K·A.
    outage
        Whether a stalled feed explains what is missing: nobody is accused meanwhile.
    crowd
        Names in battles beyond those that are followed.
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
    crowd: Crowd = field(default_factory=Crowd)

    def resize(self) -> None:
        """Make room for new subjects of the roster."""
        size = len(self.roster)
        grow(self, size, "seen", "due", "last_row", "last_time", "tick_hits", "theta")
        self.window.resize(size)


@dataclass(slots=True)
class Scene:
    """An arena: its facts, its settings, and what is derived from them.

    `play` is the policy in force, `epoch` since when and how well it is honoured; `board` the battles that were voted
    on, by pair. `settled` names the alerts that were told to be over because the settings had changed: raised again,
    they are further ones.
    """

    arena: str
    settings: FairnessSettings
    facts: Facts
    board: BoardCounts
    play: Play
    settled: list[str] = field(default_factory=list)
    epoch: Epoch = field(default_factory=Epoch)

    @property
    def now(self) -> Moment:
        """Where the ledger stands."""
        return Moment(self.facts.rows, self.facts.notices, self.facts.clock)

    @property
    def mark(self) -> Mark:
        """Where the counts stand."""
        return Mark(self.facts.rows, self.facts.clock, self.facts.seen, self.facts.due)

    @property
    def declares(self) -> bool:
        """Whether there is a policy at all; without one shares are shown and nothing is judged."""
        return bool(self.facts.roster.registry)

    @property
    def page_level(self) -> float:
        """Level of a page, ln c with c = K·A."""
        return math.log(self.facts.most_judged * self.settings.ticks_between_pages)

    @property
    def warning_level(self) -> float:
        """Level of a warning, a logarithm too, which is never above a page's."""
        return min(math.log(self.settings.warning_level), self.page_level)

    @property
    def unfinished_share(self) -> float:
        """Share of battles that were shown and not voted on."""
        return 1.0 - self.facts.votes / self.facts.rows if self.facts.rows else 0.0

    def votes_of(self, number: int) -> int:
        """Votes on one model."""
        return self.board.votes_of(number)

    def battles_of(self, number: int) -> int:
        """Battles of one subject, up to the end of the last tick or notice."""
        return int(self.facts.window.total[number])
