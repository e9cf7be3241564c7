"""History in the form of the read API: one model's, or a whole arena's, made from the bytes in Redis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Subject
from streams.contracts.history_wire import (
    ColumnValues,
    Episode,
    EvidenceTier,
    InvalidHistory,
    RatingsTier,
    decode_evidence,
    decode_ratings,
)
from streams.contracts.view import OVERALL

__all__ = [
    "EVIDENCE",
    "PARTS",
    "TIERS",
    "ArenaHistory",
    "InvalidHistory",
    "ModelHistory",
    "arena_history",
    "model_history",
]


Reals = list[float | None]
"""None where there is no value."""


class Tier(NamedTuple):
    """A sample every `seconds`, kept for `keep` steps back from the newest one."""

    name: str
    seconds: int
    keep: int


DAY = Tier("day", 86_400, 400)
HOUR = Tier("hour", 3_600, 14 * 24)
MINUTE = Tier("minute", 300, 24 * 12)
TIERS = (DAY, HOUR, MINUTE)
"""From the coarsest to the finest."""
EVIDENCE = "evidence"
PARTS = (*(tier.name for tier in TIERS), EVIDENCE)
"""The parts of an arena's history; each is a key, see `Keys.history`."""


Parts = Mapping[str, bytes | None]
"""The value in Redis of each of `PARTS`; None or left out when the key does not exist."""


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


def model_history(model: str, parts: Parts, board: str = OVERALL) -> ModelHistory | None:
    """Lay out the history of one model; None when no part contains it.

    Only the board `overall` has a history of ratings; other boards have no tiers. Raises `InvalidHistory`.
    """
    ratings, evidence = _read(parts)
    subject = Subject(model=model)
    if not any(model in tier.models for tier in ratings.values()) and (
        evidence is None or subject not in evidence.subjects
    ):
        return None
    return ModelHistory(
        model=model,
        board=board,
        tiers={name: _model_tier(tier, model) for name, tier in ratings.items() if tier.board == board},
        evidence=subject_evidence(evidence, subject),
        alerts=[] if evidence is None else [each for each in evidence.alerts if each.subject == subject],
    )


def arena_history(
    arena: str, parts: Parts, board: str = OVERALL, models: Sequence[str] | None = None, top: int = 10
) -> ArenaHistory:
    """Lay out the history of an arena.

    Parameters
    ----------
    parts
        From Redis.
    models
        Models to include; by default the `top` ones of the newest sample that are not provisional.
    top
        How many models, and how many subjects by their largest evidence.

    Raises
    ------
    InvalidHistory
        When a part cannot be decoded.
    """
    ratings, evidence = _read(parts)
    newest = max((tier for tier in ratings.values() if tier.t), key=lambda tier: tier.recorded[-1], default=None)
    chosen = list(models) if models is not None else _first(newest, top)
    tiers = {
        name: ArenaTier(tier.t, tier.total, [RatingCurve(model, _ratings(tier, model)) for model in chosen])
        for name, tier in ratings.items()
        if tier.board == board
    }
    alerts = [] if evidence is None else evidence.alerts
    return ArenaHistory(arena, board, tiers, _arena_evidence(evidence, top), alerts)


def subject_evidence(evidence: EvidenceTier | None, subject: Subject) -> EvidenceCurve:
    """Lay out the evidence of one model, provider or licence class, from its first point on."""
    if evidence is None or subject not in evidence.subjects:
        return EvidenceCurve([], [], [], [], [], [], [], None, None)
    first, at = places(evidence.known, evidence.subjects.index(subject))
    declared = evidence.declared.array()
    mine, anything = declared[at], _declares(evidence)[first:]
    return EvidenceCurve(
        t=evidence.t[first:],
        battles=evidence.battles[first:],
        log10_e=_judged(evidence.log10_e.array()[at], mine),
        log10_e_removal=_judged(evidence.log10_e_removal.array()[at], mine),
        declared=[share if known else None for share, known in zip(numbers(mine, 6), anything, strict=True)],
        share=shares(evidence.appearances.array()[at], evidence.battles, first),
        page_then=evidence.page[first:],
        warning=evidence.warning[-1] if evidence.t else None,
        page=evidence.page[-1] if evidence.t else None,
    )


def _read(parts: Parts) -> tuple[dict[str, RatingsTier], EvidenceTier | None]:
    ratings = {tier.name: decode_ratings(data) for tier in TIERS if (data := parts.get(tier.name)) is not None}
    evidence = parts.get(EVIDENCE)
    return ratings, None if evidence is None else decode_evidence(evidence)


def _model_tier(tier: RatingsTier, model: str) -> ModelTier:
    if model not in tier.models:
        return ModelTier([], [], [], [], [], [])
    first, at = places(tier.known, tier.models.index(model))
    rating, half, battles = (column.array()[at] for column in (tier.rating, tier.half_width, tier.battles))
    return ModelTier(
        t=tier.t[first:],
        rating=reals(rating, 2),
        lower=reals(rating - half, 2),
        upper=reals(rating + half, 2),
        share=shares(battles, tier.total, first),
        battles=battles.tolist(),
    )


def _ratings(tier: RatingsTier, model: str) -> Reals:
    """A model's ratings at all samples, None before its first one."""
    if model not in tier.models:
        return [None] * len(tier.t)
    first, at = places(tier.known, tier.models.index(model))
    return [None] * first + reals(tier.rating.array()[at], 2)


def _first(tier: RatingsTier | None, top: int) -> list[str]:
    """The best models of the newest sample, without the provisional ones."""
    if tier is None:
        return []
    n = tier.known[-1]
    start = sum(tier.known) - n
    rating = tier.rating.array()[start:].astype(np.float64)
    rating[np.isnan(tier.half_width.array()[start:])] = np.nan
    order = sorted(np.flatnonzero(~np.isnan(rating)).tolist(), key=lambda at: (-rating[at], tier.models[at]))
    return [tier.models[at] for at in order[:top]]


def _declares(evidence: EvidenceTier) -> list[bool]:
    """Whether the arena declared anything, at each point."""
    declared = evidence.declared.array()
    ends = np.cumsum(np.array(evidence.known, np.int64)).tolist()
    return [bool((declared[end - known : end] > 0).any()) for known, end in zip(evidence.known, ends, strict=True)]


def _judged(evidence: ColumnValues, declared: ColumnValues) -> Reals:
    """Evidence of one subject; None where it has no declared share, and so is not judged and has no evidence."""
    return reals(np.where((declared > 0) | (evidence > 0), evidence, np.nan), 4)


def _arena_evidence(evidence: EvidenceTier | None, top: int) -> ArenaEvidence:
    if evidence is None or not evidence.t:
        return ArenaEvidence([], [], [], [], [], None, None)
    n, most = len(evidence.t), np.zeros(len(evidence.subjects))
    number = np.concatenate([np.arange(known) for known in evidence.known])
    for column in (evidence.log10_e, evidence.log10_e_removal):
        np.maximum.at(most, number, column.array())
    order = sorted(np.flatnonzero(most > 0).tolist(), key=lambda at: (-most[at], at))
    curves = []
    for at in order[:top]:
        curve = subject_evidence(evidence, evidence.subjects[at])
        before: Reals = [None] * (n - len(curve.t))
        curves.append(SubjectCurve(evidence.subjects[at], before + curve.log10_e, before + curve.log10_e_removal))
    policy: Reals = [
        each if math.isfinite(each) and declares else None
        for each, declares in zip(evidence.policy, _declares(evidence), strict=True)
    ]
    return ArenaEvidence(
        evidence.t, evidence.battles, policy, curves, evidence.page, evidence.warning[-1], evidence.page[-1]
    )


def places(known: Sequence[int], number: int) -> tuple[int, NDArray[np.int64]]:
    """Return the first sample with a model, and the indices of its values in a column; `known` never decreases.

    >>> first, at = places([1, 3, 3], 2)
    >>> first, at.tolist()
    (1, [3, 6])
    """
    counts = np.array(known, np.int64)
    first = int(np.searchsorted(counts, number, side="right"))
    return first, (np.cumsum(counts) - counts)[first:] + number


def shares(mine: NDArray[np.number], all_battles: Sequence[int], first: int) -> Reals:
    """Share of the battles since the sample before; None at the oldest sample, whose predecessor is not kept.

    >>> shares(np.array([4, 5]), [10, 20, 22], 1)
    [0.4, 0.5]
    >>> shares(np.array([4, 5]), [10, 20], 0)
    [None, 0.1]
    """
    before = [int(mine[0])] if first == 0 and len(mine) else [0]
    fought = np.diff(np.array(all_battles, np.int64), prepend=0)[first:]
    taken = np.diff(mine, prepend=before)
    shares: Reals = [
        round(part / whole, 6) if whole > 0 else None
        for part, whole in zip(taken.tolist(), fought.tolist(), strict=True)
    ]
    return [None, *shares[1:]] if first == 0 and shares else shares


def reals(values: NDArray[np.number], digits: int) -> Reals:
    """Round the values; None for NaN."""
    return [None if value != value else value for value in numbers(values, digits)]


def numbers(values: NDArray[np.number], digits: int) -> list[float]:
    """Round the values."""
    rounded: list[float] = values.astype(np.float64).round(digits).tolist()
    return rounded
