"""Base classes of detectors, and their verdicts. Detectors run at each tick, at each notice, or at each review."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.context import Scene
from streams.fairness.arena.declared_pairs import PairTally
from streams.fairness.arena.hashing import BlockHashes
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.registry import Change
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import Ticks
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.expected_share import Vector
from streams.ledger.refused import Refused
from streams.ledger.rows import Rows

NAMED = 50
"""Most names that one alert lists, beside their number: an alert is one record, and Kafka limits its size."""

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A problem found by a detector. The alert stays open as long as the next evaluation reports the same verdict.

    Attributes
    ----------
    onset
        Place where it began, as used in the alert's id.
    starts_at
        Time when it began, epoch seconds.
    evidence
        The numbers; `Detector.summary` makes the sentence from them.
    """

    subject: Subject
    severity: Severity
    onset: str
    starts_at: float
    evidence: Evidence


class Tick(NamedTuple):
    """A tick, or a stretch of it between notices: appearances, float64[S], and battles, of two kinds.

    `declared_*` count battles among declared models, `in_play_*` those among models not reported as removed. `pairs`
    is what came of comparing their `p_pair` with the declared weights, None in a stretch that a past policy judges: the
    tick's own stretch has those, too.
    """

    declared_hits: Vector
    declared_battles: float
    in_play_hits: Vector
    in_play_battles: float
    mark: Mark
    pairs: PairTally | None = None


class ReviewBattles(NamedTuple):
    """Battles between two reviews, in the order of the ledger.

    `rows` holds all battles, `words` the hashes of their dictionaries, `numbers`, int64[len(rows)] each, the models a
    and b, -1 for a name without a number. `a`, `b` and `winner`, [n], hold those with a vote, between models with a
    number; `voted`, int64[n], is where these are in `rows`.
    """

    rows: Rows
    words: BlockHashes
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    winner: NDArray[np.uint8]
    voted: NDArray[np.int64]
    numbers: tuple[NDArray[np.int64], NDArray[np.int64]]


class Detector(ABC, Generic[State]):
    """A detection rule. It is stateless: the arena keeps the state made by `start`, and the methods change it in place.

    A detector extends `TickDetector`, `NoticeDetector` or `ReviewDetector`, which determines when it runs, and is
    listed in `catalog.DETECTORS`. To add one, no other code has to name it.

    Attributes
    ----------
    kind
        Kind of its alerts, unique to the detector; `kind.value` names its state in a checkpoint.
    state
        Type of its state, taken from the argument of its base class; a checkpoint is decoded as this type.
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
        """Return the state before the first record."""
        return self.state()

    def resize(self, state: State, subjects: int) -> None:
        """Grow the arrays of the state to `subjects`."""

    def claims(self, state: State, scene: Scene) -> int:
        """Return the number of things that this detector can page on now: each has a part of the budget of pages.

        Only a statistical page has a claim. It fires at `scene.page_level`, the log of A times all claims.
        """
        return 0

    def reserve(self, state: State, scene: Scene) -> float:
        """Return the part of the budget of pages that this detector has for itself; its level follows from it."""
        return 0.0

    @abstractmethod
    def verdicts(self, state: State, scene: Scene) -> list[Verdict]:
        """Return all current verdicts."""

    @abstractmethod
    def judged(self, state: State, scene: Scene) -> Judged:
        """Return whether the detector can report now, and if not, why.

        This is published, so that a reader does not take the absence of alerts for "all is well".
        """

    @abstractmethod
    def summary(self, arena: str, verdict: Verdict) -> str:
        """Return one sentence for a verdict, from the verdict alone, so that a replay gives the same text."""


class TickDetector(Detector[State]):
    """Runs at each tick, in four steps: `tick`, `onsets`, `explains`, `settle`."""

    @abstractmethod
    def tick(self, state: State, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Add the counts of a tick, or of its stretch up to a notice; `closes` is True when the tick ends here."""

    def onsets(self, state: State, scene: Scene) -> list[int]:
        """Return the onsets, in battles, of the alerts that `settle` would raise if the feed were healthy."""
        return []

    def explains(self, state: State, scene: Scene, onset: int | None) -> bool:
        """Return whether a fault of the feed explains the missing battles; `onset` is the earliest onset, if any."""
        return False

    @abstractmethod
    def settle(self, state: State, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve alerts.

        Parameters
        ----------
        turned
            Whether an outage of the feed (`scene.facts.outage`) starts or ends in this tick.

        Returns
        -------
        Whether the verdicts changed.
        """

    def calm(self, state: State, scene: Scene, ticks: Ticks) -> bool:
        """Run full ticks as the four steps would, with `scene` as it is before them, as long as they are calm.

        Returns
        -------
        False when this detector raises or resolves an alert in one of them, or might: they are then put back and run
        one by one. That is what a detector without this method gets.
        """
        return False

    def follow(self, state: State, scene: Scene, before: Play) -> bool:
        """Process a policy change from `before` to `scene.play`; return whether it withdrew an alert."""
        return False

    def removed(self, state: State, subjects: int) -> Mask:
        """bool[S], the models that the detector reports as removed; they are out of play."""
        return np.zeros(subjects, np.bool_)


class NoticeDetector(Detector[State]):
    """Runs at each notice of the registry."""

    @abstractmethod
    def notice(self, state: State, scene: Scene, change: Change) -> None:
        """Process a change of the registry."""

    def depart(self, state: State, scene: Scene, number: int) -> bool:
        """Process a removal without notice; return whether the detector counted it."""
        return False


class ReviewDetector(Detector[State]):
    """Runs at each review."""

    def refused(self, state: State, scene: Scene, refused: Refused) -> None:
        """Add refused votes, before the rows of their block; `place` is the number of these rows before each."""

    def gather(self, state: State, battles: ReviewBattles) -> None:
        """Add battles of the current review."""

    @abstractmethod
    def review(self, state: State, scene: Scene, ratings: Ratings | None) -> None:
        """Process a full review; `ratings` is None in reviews that do not solve the ratings."""


AnyDetector = Detector[Any]
"""A detector of any state. Its methods take only its own state, which a collection of detectors cannot express."""


def judged_by_registry(kind: Kind, scene: Scene, subjects: int, otherwise: Unjudged) -> Judged:
    """Return what a notice detector covers: `subjects` from the first notice on, or nothing with reason `otherwise`."""
    if not scene.declares:
        return Judged.not_yet(kind, Unjudged.NO_REGISTRY)
    if not subjects:
        return Judged.not_yet(kind, otherwise)
    return Judged(kind, judged=True, subjects=subjects, since_battle=scene.facts.roster.began)
