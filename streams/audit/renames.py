"""Renames: a name that leaves the board as another arrives with its votes.

A rename is told from a removal by what the two rows share: the provider, the licence class, a total that goes on, a
score, words of the name; and by what they never do: stand in one snapshot together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from streams.audit.gains import LOOK_BACK, Gains, gains_of
from streams.audit.history import Matrix
from streams.audit.identity import Models, joined
from streams.audit.licences import UNKNOWN
from streams.audit.names import alike, extends

TIGHT = 0.005
"""A model that no longer gains keeps its total within this part of it."""

MASS = 5
"""This many names, and a fifth of the board, that change at once are a switch of the source."""

RECENT = 5
"""Spans that say how much a model gains."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A name that left and a name that came, with what speaks against them being one."""

    cost: float
    left: int
    came: int


def follow_renames(models: Models) -> Models:
    """Join names that are one model, snapshot by snapshot, so that chains of renames end in one row."""
    for at in range(1, len(models.dates)):
        came = np.flatnonzero(models.first == at)
        if not came.size:
            continue
        absent = ~models.listed[:, at] & models.listed[:, max(0, at - LOOK_BACK) : at].any(axis=1)
        left = np.flatnonzero(absent)
        if not left.size:
            continue
        pairs = sorted(_candidates(models, at, left, came), key=lambda pair: (pair.cost, pair.left, pair.came))
        taken: set[int] = set()
        merged: dict[int, int] = {}
        for pair in pairs:
            if pair.left not in merged and pair.came not in taken:
                merged[pair.left] = pair.came
                taken.add(pair.came)
        if merged:
            rest = [each for each in range(len(models.names)) if each not in taken]
            models = joined(models, [[each, merged[each]] if each in merged else [each] for each in rest])
    return models


def _candidates(models: Models, at: int, left: np.ndarray, came: np.ndarray) -> Iterator[_Pair]:
    gains = gains_of(_until(models, at))
    board = int(models.listed[:, at - 1].sum())
    just_left = int((models.listed[:, at - 1] & ~models.listed[:, at]).sum())
    mass = just_left >= max(MASS, board / 5) and len(came) >= just_left / 2
    for one in left:
        for other in came:
            if (models.listed[one] & models.listed[other]).any():
                continue
            cost = _cost(models, gains, at, int(one), int(other), mass)
            if cost is not None:
                yield _Pair(cost, int(one), int(other))


def _until(models: Models, at: int) -> Models:
    return replace(models, dates=models.dates[: at + 1], votes=models.votes[:, : at + 1])


def _cost(models: Models, gains: Gains, at: int, left: int, came: int, mass: bool) -> float | None:
    """How much speaks against the two being one, None when too little speaks for it."""
    same_provider = models.providers[left] == models.providers[came] != "unknown"
    unknown_provider = "unknown" in (models.providers[left], models.providers[came])
    same_class = models.classes[left] == models.classes[came] or UNKNOWN in (models.classes[left], models.classes[came])
    likeness = alike(models.names[left], models.names[came])
    label_only = extends(models.names[left], models.names[came])
    same_score = _same_score(models, at, left, came)
    known = np.flatnonzero(~np.isnan(models.votes[left, :at]))
    after = models.votes[came, at]
    if not known.size or np.isnan(after):
        return 1 - likeness if (same_provider or unknown_provider) and (likeness >= 0.8 or label_only) else None
    since = int(known[-1])
    before = models.votes[left, since]
    gained = after - before
    expected = _expected(gains, models.dates, left, since, at)
    tight = abs(gained) <= max(3.0, TIGHT * before)
    most = before if expected is None else max(4 * expected + 20, 0.02 * before)
    goes_on = -max(3.0, 0.01 * before) <= gained <= most
    near = expected is not None and expected / 3 - 3 <= gained <= 3 * expected + 3 and before >= 500
    if same_provider or unknown_provider:
        accepted = (
            (tight and (likeness >= 0.3 or same_score or (same_class and same_provider and before >= 500)))
            or (goes_on and (likeness >= 0.45 or (same_score and likeness >= 0.2)))
            or (goes_on and near and same_class and same_provider)
            or (after < 0.9 * before and same_class and label_only)
            or (mass and likeness >= 0.6)
        )
    else:
        accepted = tight and likeness >= 0.6 and before >= 100
    if not accepted:
        return None
    miss = abs(gained - (expected or 0.0)) / (before + 1.0)
    return float(min(miss, 1.0) + (1 - likeness) + 0.5 * (not same_class) + (not goes_on) - 0.25 * same_score)


def _expected(gains: Gains, dates: Matrix, left: int, since: int, at: int) -> float | None:
    """Votes the model would have gained at its recent share, or pace, whichever is more; None when it has none."""
    spans = np.flatnonzero(~np.isnan(gains.gained[left, : since + 1]))[-RECENT:]
    if not spans.size:
        return None
    begins = gains.begin[left, spans]
    own = gains.gained[left, spans].sum()
    whole = sum(gains.all[begin + 1 : end + 1].sum() for begin, end in zip(begins, spans, strict=True))
    by_share = own / whole * gains.all[since + 1 : at + 1].sum() if whole > 0 else 0.0
    length = (dates[spans] - dates[begins]).sum()
    # When many change their names at once, those that keep theirs gain less than everybody: the days say more then.
    by_days = own / length * (dates[at] - dates[since])
    return float(max(by_share, by_days))


def _same_score(models: Models, at: int, left: int, came: int) -> bool:
    scored = np.flatnonzero(~np.isnan(models.score[left, :at]))
    if not scored.size:
        return False
    return bool(abs(models.score[left, scored[-1]] - models.score[came, at]) <= 2.0)
