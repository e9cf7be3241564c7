"""What a detector says: a verdict on a subject, and the shape that every detector has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from streams.contracts.alert import Evidence, Kind, Severity, Subject

if TYPE_CHECKING:
    from streams.fairness.arena.context import Scene

NAMED = 50
"""Names that one alert lists at most, with their number beside: it is one record, and a record has a largest size."""

State = TypeVar("State")
Seen = TypeVar("Seen", contravariant=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something that is wrong now. The alert's life is made from whether it is said again.

    Attributes
    ----------
    onset
        Place where it began, as it enters the alert's id.
    starts_at
        Time where it began, epoch seconds.
    evidence
        The numbers; `texts.summary` makes the sentence from them.
    """

    subject: Subject
    severity: Severity
    onset: str
    starts_at: float
    evidence: Evidence


class Detector(Protocol[State, Seen]):
    """A rule. It has no state of its own: `start` makes one, `update` folds what was seen into it, in place."""

    kind: Kind

    def start(self) -> State:
        """Nothing seen yet."""
        ...

    def update(self, state: State, scene: Scene, seen: Seen) -> None:
        """Fold a tick, a change of the registry or a review."""
        ...

    def verdicts(self, state: State, scene: Scene) -> list[Verdict]:
        """Everything that is wrong now."""
        ...
