"""History in the read API: the types of the answers."""

from __future__ import annotations

import msgspec

from streams.contracts.alert import Subject
from streams.contracts.history_columns import Reals
from streams.contracts.history_wire import Episode


class ModelTier(msgspec.Struct, frozen=True):
    """One model's samples. `share` is of the battles since the sample before; `battles` counts the model's so far.

    `lower` and `upper` are null while the model is provisional.
    """

    t: list[int]
    rating: Reals
    lower: Reals
    upper: Reals
    share: Reals
    battles: list[int]


class EvidenceCurve(msgspec.Struct, frozen=True):
    """Evidence of one subject at each point, as log10 of e-values; `share` is of the battles since the point before.

    `warning` and `page` are the levels today, `page_then` that of a page at each point: it rises with the number of
    subjects judged. `declared` is null where the arena declared nothing, and evidence is null where the subject was not
    judged, having no declared share.
    """

    t: list[float]
    battles: list[int]
    log10_e: Reals
    log10_e_removal: Reals
    declared: Reals
    share: Reals
    page_then: list[float]
    warning: float | None
    page: float | None


class ModelHistory(msgspec.Struct, frozen=True):
    """The history of one model on one board, and its alerts from onset to end, oldest first."""

    model: str
    board: str
    tiers: dict[str, ModelTier]
    evidence: EvidenceCurve
    alerts: list[Episode]


class RatingCurve(msgspec.Struct, frozen=True):
    """One model's ratings at the times of its tier."""

    model: str
    rating: Reals


class ArenaTier(msgspec.Struct, frozen=True):
    """The samples of the chosen models; `battles` counts those of the board so far."""

    t: list[int]
    battles: list[int]
    models: list[RatingCurve]


class SubjectCurve(msgspec.Struct, frozen=True):
    """Evidence of one subject at the times of the arena's; null where it was not judged."""

    subject: Subject
    log10_e: Reals
    log10_e_removal: Reals


class ArenaEvidence(msgspec.Struct, frozen=True):
    """Evidence against the policy as a whole, and of the subjects with the most of it, as log10 of e-values.

    `policy` is the largest so far since the policy in force began: p = 10^−policy. It is null where it is infinite, and
    where the arena declared nothing.
    """

    t: list[float]
    battles: list[int]
    policy: Reals
    subjects: list[SubjectCurve]
    page_then: list[float]
    warning: float | None
    page: float | None


class ArenaHistory(msgspec.Struct, frozen=True):
    """The history of an arena's first models, of its evidence, and its alerts, oldest first."""

    arena: str
    board: str
    tiers: dict[str, ArenaTier]
    evidence: ArenaEvidence
    alerts: list[Episode]
