"""What a detector is, what it says, and when it is asked: at each tick, at each notice, at each review."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.registry import Change
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.expected_share import Vector
from streams.ledger.rows import Rows

NAMED = 50
"""Names that one alert lists at most, with their number beside: it is one record, and a record has a largest size."""

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something that is wrong now. The alert stays open as long as the next evaluation reports the same verdict.

    Attributes
    ----------
    onset
        Place where it began, as it enters the alert's id.
    starts_at
        Time where it began, epoch seconds.
    evidence
        The numbers; `Detector.summary` makes the sentence from them.
    """

    subject: Subject
    severity: Severity
    onset: str
    starts_at: float
    evidence: Evidence


class Tick(NamedTuple):
    """A tick, or a stretch of it between notices: appearances float64[S] and battles, of two sorts.

    `declared` counts battles among declared models, `in_play` those among models not reported as removed.
    """

    declared_hits: Vector
    declared_battles: float
    in_play_hits: Vector
    in_play_battles: float
    mark: Mark


class Battles(NamedTuple):
    """Battles between two reviews, in the order of the ledger.

    `rows` holds all of them. `a`, `b` and `winner`, [n], hold those that were voted on between numbered models.
    """

    rows: Rows
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    winner: NDArray[np.uint8]


class Detector(ABC, Generic[State]):
    """A rule. It holds no state: the arena keeps what `start` makes, and the other methods change it in place.

    A detector extends one of `TickDetector`, `NoticeDetector` and `ReviewDetector`, which say when it is asked, and is
    listed in `catalog.DETECTORS`. Nothing else names it.

    Attributes
    ----------
    kind
        Kind of its alerts, its own; `kind.value` names its state in a checkpoint.
    state
        Type of its state, the argument of its base class; a checkpoint is decoded as this type.
    """

    kind: Kind
    state: type[State]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in cls.__dict__.get("__orig_bases__", ()):
            for argument in get_args(base):
                if not isinstance(argument, TypeVar):
                    cls.state = argument

    def start(self) -> State:
        """The state before the first record."""
        return self.state()

    def resize(self, state: State, subjects: int) -> None:
        """Make room for so many subjects."""

    @abstractmethod
    def verdicts(self, state: State, scene: Scene) -> list[Verdict]:
        """Everything that is wrong now."""

    @abstractmethod
    def judged(self, state: State, scene: Scene) -> Judged:
        """Whether it can find anything now, and why not: published, so that silence is not taken for "all is well"."""

    @abstractmethod
    def summary(self, arena: str, verdict: Verdict) -> str:
        """Put a verdict into one sentence: a function of the verdict alone, so a replay says the same words."""


class TickDetector(Detector[State]):
    """Asked at each tick, in four steps: counts, onsets, outage, report."""

    @abstractmethod
    def tick(self, state: State, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Take in the counts of a tick, or of its stretch up to a notice; `closes` when the tick ends here."""

    def onsets(self, state: State, scene: Scene) -> list[int]:
        """Battles before the beginning of each thing that `settle` would report, were the feed sound."""
        return []

    def explains(self, state: State, scene: Scene, onset: int | None) -> bool:
        """Tell whether a fault of the feed explains what is missing; `onset` is the earliest one, if there is any."""
        return False

    @abstractmethod
    def settle(self, state: State, scene: Scene, *, turned: bool) -> bool:
        """Report and resolve.

        Parameters
        ----------
        turned
            Whether this tick begins or ends an outage of the feed (`scene.facts.outage`).

        Returns
        -------
        Whether the verdicts changed.
        """

    def follow(self, state: State, scene: Scene, before: Play) -> bool:
        """Take in a change of policy from `before` to `scene.play`; tells whether it withdrew a report."""
        return False

    def removed(self, state: State, subjects: int) -> Mask:
        """bool[S], the models that it reports as removed: they are out of play."""
        return np.zeros(subjects, np.bool_)


class NoticeDetector(Detector[State]):
    """Asked at each notice of the registry."""

    @abstractmethod
    def notice(self, state: State, scene: Scene, change: Change) -> None:
        """Take in a change of the registry."""

    def depart(self, state: State, scene: Scene, number: int) -> bool:
        """Take in the removal of a model without a notice; tells whether it counts such removals."""
        return False


class ReviewDetector(Detector[State]):
    """Asked at each review."""

    def gather(self, state: State, battles: Battles) -> None:
        """Take in battles of the review under way."""

    @abstractmethod
    def review(self, state: State, scene: Scene, ratings: Ratings | None) -> None:
        """Take in a full review; `ratings` is None when the ratings are not looked at in this one."""


def judged_by_registry(kind: Kind, scene: Scene, subjects: int, otherwise: Unjudged) -> Judged:
    """What a detector of notices judges: `subjects` from the first notice on, or nothing for the reason `otherwise`."""
    if not scene.declares:
        return Judged.not_yet(kind, Unjudged.NO_REGISTRY)
    if not subjects:
        return Judged.not_yet(kind, otherwise)
    return Judged(kind, judged=True, subjects=subjects, since_battle=scene.facts.roster.began)
