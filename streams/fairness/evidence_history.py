"""An arena's evidence over time: a point per review, at most `LATE` + `EARLY` of them however long the ledger.

The last `LATE` reviews have one point each. An older point covers `stride` reviews; when there are more than `EARLY`
such points, they are joined in pairs and the stride doubles. A joined point keeps the *largest* evidence of its
reviews, so no alarm is smoothed away. The result depends only on the sequence of review points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert, Subject
from streams.contracts.history_wire import (
    VERSION,
    Episode,
    EvidenceTier,
    counts,
    decode_evidence,
    encode_history,
    floats,
)

LATE, EARLY = 128, 256
EPISODES = 256
"""Largest number of alerts kept; those first emitted earliest are dropped first."""
Reals = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Point:
    """The end of a review, with the largest evidence of `reviews` reviews; arrays have length S, by subject number.

    `t` is on the clock of the votes; `battles` counts the arena's battles; levels and evidence are log10 of e-values.
    `policy` is the evidence against the policy as a whole, `appearances` counts each subject's battles.
    """

    t: float
    reviews: int
    battles: int
    warning: float
    page: float
    policy: float
    declared: Reals
    log10_e: Reals
    log10_e_removal: Reals
    appearances: NDArray[np.int64]


@dataclass(slots=True)
class EvidenceHistory:
    """Points, oldest first, and alerts in the order in which they were first emitted."""

    points: list[Point] = field(default_factory=list)
    episodes: dict[str, Episode] = field(default_factory=dict)
    _packed: bytes | None = None

    def add(self, point: Point) -> None:
        """Add the point of one review, and join old points when there are too many."""
        self._packed = None
        self.points.append(point)
        early = len(self.points) - LATE
        if early < 2:
            return
        stride, last = self.points[0].reviews, self.points[early - 2 : early]
        if last[0].reviews < stride:
            self.points[early - 2 : early] = [_joined(*last)]
        elif early > EARLY:
            self.points[:early] = _paired(self.points[:early])

    def note(self, alerts: Sequence[Alert]) -> None:
        """Record emitted alerts."""
        for alert in alerts:
            self._packed = None
            self.episodes[alert.id] = Episode(
                alert.id, alert.kind, alert.severity, alert.subject, alert.starts_at, alert.detected_at, alert.ends_at
            )
            if len(self.episodes) > EPISODES:
                del self.episodes[next(iter(self.episodes))]

    def encode(self, arena: str, subjects: Sequence[Subject]) -> bytes:
        """Encode the history; return the same bytes object until something is added.

        Parameters
        ----------
        subjects
            Subjects of the roster, in order of their numbers.
        """
        if self._packed is None:
            self._packed = encode_history(self._lay_out(arena, subjects))
        return self._packed

    def _lay_out(self, arena: str, subjects: Sequence[Subject]) -> EvidenceTier:
        points = self.points
        known = [len(point.declared) for point in points]
        return EvidenceTier(
            v=VERSION,
            arena=arena,
            subjects=list(subjects[: max(known, default=0)]),
            t=[point.t for point in points],
            reviews=[point.reviews for point in points],
            battles=[point.battles for point in points],
            warning=[point.warning for point in points],
            page=[point.page for point in points],
            policy=[point.policy for point in points],
            known=known,
            declared=floats([point.declared for point in points]),
            log10_e=floats([point.log10_e for point in points]),
            log10_e_removal=floats([point.log10_e_removal for point in points]),
            appearances=counts([point.appearances for point in points]),
            alerts=list(self.episodes.values()),
        )

    @classmethod
    def decode(cls, packed: bytes) -> EvidenceHistory:
        """Decode the output of `encode`; raises `InvalidHistory`."""
        tier = decode_evidence(packed)
        ends = np.cumsum(tier.known)[:-1]
        columns = tier.declared, tier.log10_e, tier.log10_e_removal, tier.appearances
        parts = [np.split(column.array(), ends) if tier.t else [] for column in columns]
        lists = tier.t, tier.reviews, tier.battles, tier.warning, tier.page, tier.policy
        points = [Point(*fields) for fields in zip(*lists, *parts, strict=True)]
        return cls(points, {episode.id: episode for episode in tier.alerts}, packed)


def _joined(first: Point, second: Point) -> Point:
    """Join two consecutive points into one; the second has at least as many subjects as the first."""

    def largest(before: Reals, after: Reals) -> Reals:
        made = after.copy()
        np.maximum(made[: before.size], before, out=made[: before.size])
        return made

    return Point(
        t=second.t,
        reviews=first.reviews + second.reviews,
        battles=second.battles,
        warning=second.warning,
        page=second.page,
        policy=max(first.policy, second.policy),
        declared=second.declared,
        log10_e=largest(first.log10_e, second.log10_e),
        log10_e_removal=largest(first.log10_e_removal, second.log10_e_removal),
        appearances=second.appearances,
    )


def _paired(points: list[Point]) -> list[Point]:
    """Join points in pairs from the oldest on; an odd last point stays as it is."""
    pairs = zip(points[::2], points[1::2], strict=False)
    return [_joined(*pair) for pair in pairs] + points[len(points) // 2 * 2 :]
