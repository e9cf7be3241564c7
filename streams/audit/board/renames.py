"""Renames: a name that leaves the board as another arrives with its votes.

A rename differs from a removal in what the two rows share: the provider, the licence class, a total that continues, a
score, words of the name. And the two names are never listed in the same snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from streams.audit.board.gains import LOOK_BACK, Gains, gains_of
from streams.audit.board.history import Matrix
from streams.audit.board.licences import UNKNOWN
from streams.audit.board.models import Models, joined
from streams.audit.board.names import (
    alike,
    clear_pairs,
    equal_pairs,
    extends,
    late_pairs,
    relabelled,
    usually_added,
)

TIGHT = 0.005
"""The total of a model that no longer gains changes by at most this part; ..."""

TIGHT_RESTATED = 0.02
"""... or by this part when all totals were multiplied, because the factor is known only about this well."""

MASS = 5
"""At least this many names, and a fifth of the board, that change at once are a switch of the source."""

COMMON = 3
"""Fewest common models of two snapshots to compare places in them."""

RECENT = 5
"""Last spans that are used to estimate how much a model gains."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A name that left and a name that arrived, with the cost of taking them for one model."""

    cost: float
    left: int
    came: int


def follow_renames(models: Models) -> Models:
    """Join names of one model, snapshot by snapshot, so that chains of renames end in one row."""
    switch, usual = 0, frozenset[str]()
    for at in range(1, len(models.dates)):
        if not (models.first == at).any():
            continue
        # Names first: by its total, a respelled name may look like another model of the same provider.
        for pairs_of in (_respelled, _continued):
            if switch:
                models = _join(models, _shown_late(models, at, switch, usual))
            models = _join(models, pairs_of(models, at))
            changed = _renamed(models, at)
            if len(changed) >= max(MASS, int(models.listed[:, at].sum()) / 5):
                switch, usual = at, usual | usually_added(changed)
        if switch == at:
            models = _join(models, _shown_late(models, at, switch, usual))
    return models


def _renamed(models: Models, at: int) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of the name before a snapshot and the different name from it on, each with the provider."""
    found = []
    for model in np.flatnonzero(models.listed[:, at] & models.listed[:, max(0, at - LOOK_BACK) : at].any(axis=1)):
        old = models.called[model, np.flatnonzero(models.listed[model, :at])[-1]]
        if old != models.called[model, at]:
            maker = models.providers[model]
            found.append(((models.spellings[old], maker), (models.spellings[models.called[model, at]], maker)))
    return found


def _shown_late(models: Models, at: int, switch: int, usual: frozenset[str]) -> dict[int, int]:
    """Pairs of a name that was no longer shown when the source respelled names, and a name that appears later."""
    left, came = np.flatnonzero(models.last < switch), np.flatnonzero(models.first == at)
    named = [[(models.names[each], models.providers[each]) for each in side] for side in (left, came)]
    return {int(left[one]): int(came[other]) for one, other in late_pairs(named[0], named[1], usual).items()}


def _join(models: Models, pairs: dict[int, int]) -> Models:
    if not pairs:
        return models
    taken = {*pairs.values()}
    rest = [each for each in range(len(models.names)) if each not in taken]
    return joined(models, [[each, pairs[each]] if each in pairs else [each] for each in rest])


def _changed(models: Models, at: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Names missing from a snapshot but listed in one of the `LOOK_BACK` before it, and names that are new in it."""
    absent = ~models.listed[:, at] & models.listed[:, max(0, at - LOOK_BACK) : at].any(axis=1)
    return np.flatnonzero(absent), np.flatnonzero(models.first == at)


def _apart(models: Models, one: int, other: int) -> bool:
    """Whether two names are never listed in the same snapshot."""
    return not (models.listed[one] & models.listed[other]).any()


def _respelled(models: Models, at: int) -> dict[int, int]:
    """Pairs that are clear from the names alone, where many change at once and totals may be restated with them.

    Where totals continue, they are better evidence than names, so only equal names are paired here.
    """
    left, came = _changed(models, at)
    just_left = int((models.listed[:, at - 1] & ~models.listed[:, at]).sum())
    if just_left < max(MASS, int(models.listed[:, at - 1].sum()) / 5) or len(came) < just_left / 2:
        return {}
    named = [[(models.names[each], models.providers[each]) for each in side] for side in (left, came)]
    equal, clear = (
        {
            int(left[one]): int(came[other])
            for one, other in pairs.items()
            if _apart(models, int(left[one]), int(came[other]))
        }
        for pairs in (equal_pairs(*named), clear_pairs(*named))
    )
    gains = gains_of(_until(_join(models, clear), at))
    restated = gains.restated.get(at)
    if restated is None and not _leaps(gains, at) and not np.isnan(models.votes[came, at]).all():
        return equal
    if restated is None or not restated.common:
        return clear
    own = gains_of(_until(models, at))
    return {
        one: other
        for one, other in clear.items()
        if one in equal or _fits(models, own, at, one, other, restated.factor)
    }


def _leaps(gains: Gains, at: int) -> bool:
    """Whether all gained far more than usual, from a traffic wave or a restatement, so totals do not identify models.

    True also where no earlier pace is known, as in the second snapshot.
    """
    pace = gains.all[1:] / np.diff(gains.dates)
    usual = pace[: at - 1][pace[: at - 1] > 0][-RECENT:]
    return bool(not usual.size or pace[at - 1] > 2 * np.median(usual))


def _fits(models: Models, gains: Gains, at: int, left: int, came: int, factor: float) -> bool:
    """Whether a total continues like all totals that were multiplied by the factor."""
    known = np.flatnonzero(~np.isnan(models.votes[left, :at]))
    after = models.votes[came, at]
    if not known.size or np.isnan(after):
        return True
    before = factor * models.votes[left, known[-1]]
    expected = _expected(gains, models.dates, left, int(known[-1]), at) or 0.0
    return bool(0.67 * before - 20 <= after <= 1.5 * before + 4 * max(factor, 1.0) * expected + 20)


def _continued(models: Models, at: int) -> dict[int, int]:
    """Pairs by everything that the rows share, those with the lowest cost first."""
    pairs = sorted(_candidates(models, at), key=lambda pair: (pair.cost, pair.left, pair.came))
    merged: dict[int, int] = {}
    for pair in pairs:
        if pair.left not in merged and pair.came not in merged.values():
            merged[pair.left] = pair.came
    return merged


def _candidates(models: Models, at: int) -> Iterator[_Pair]:
    left, came = _changed(models, at)
    if not left.size or not came.size:
        return
    gains = gains_of(_until(models, at))
    for one in left:
        for other in came:
            if _apart(models, int(one), int(other)):
                cost = _cost(models, gains, at, int(one), int(other))
                if cost is not None:
                    yield _Pair(cost, int(one), int(other))


def _until(models: Models, at: int) -> Models:
    return replace(models, dates=models.dates[: at + 1], votes=models.votes[:, : at + 1])


def _cost(models: Models, gains: Gains, at: int, left: int, came: int) -> float | None:
    """Return the cost of taking two names for one model; None when there is too little evidence for it."""
    same_provider = models.providers[left] == models.providers[came] != "unknown"
    unknown_provider = "unknown" in (models.providers[left], models.providers[came])
    same_class = models.classes[left] == models.classes[came] or UNKNOWN in (models.classes[left], models.classes[came])
    likeness = alike(models.names[left], models.names[came])
    same_score = _same_score(models, at, left, came)
    elsewhere = _same_place(models, at, left, came) is False
    known = np.flatnonzero(~np.isnan(models.votes[left, :at]))
    after = models.votes[came, at]
    crossed = [each for when, each in gains.restated.items() if known.size and known[-1] < when <= at]
    if not known.size or np.isnan(after) or not all(each.common for each in crossed):
        return 1 - likeness if (same_provider or unknown_provider) and _by_name(models, at, left, came) else None
    since = int(known[-1])
    before = models.votes[left, since] * prod(each.factor for each in crossed)
    gained = after - before
    expected = _expected(gains, models.dates, left, since, at)
    tight = abs(gained) <= max(3.0, (TIGHT_RESTATED if crossed else TIGHT) * before)
    most = before if expected is None else max(4 * expected + 20, 0.02 * before)
    goes_on = -max(3.0, 0.01 * before) <= gained <= most
    near = expected is not None and expected / 3 - 3 <= gained <= 3 * expected + 3 and before >= 500
    if same_provider or unknown_provider:
        accepted = (
            (
                tight
                and (
                    likeness >= 0.3 or same_score or (same_class and same_provider and before >= 500 and not elsewhere)
                )
            )
            or (goes_on and (likeness >= (0.8 if elsewhere else 0.45) or (same_score and likeness >= 0.2)))
            or (goes_on and near and same_class and same_provider and not elsewhere)
            # A total that restarts belongs to another model, as `m-thinking`, unless the names differ in LABELS only.
            or (after < 0.9 * before and same_class and relabelled(models.names[left], models.names[came]))
        )
    else:
        accepted = tight and likeness >= 0.6 and before >= 100
    if not accepted:
        return None
    miss = abs(gained - (expected or 0.0)) / (before + 1.0)
    return float(min(miss, 1.0) + (1 - likeness) + 0.5 * (not same_class) + (not goes_on) - 0.25 * same_score)


def _by_name(models: Models, at: int, left: int, came: int) -> bool:
    """Whether two names are one model, without totals: they differ in a label only, or are alike and in one place."""
    one, other = models.names[left], models.names[came]
    return relabelled(one, other) or (
        (alike(one, other) >= 0.8 or extends(one, other)) and bool(_same_place(models, at, left, came))
    )


def _same_place(models: Models, at: int, left: int, came: int) -> bool | None:
    """Whether the score, or without scores the rank, moved like that of the others; None if that is unknown."""
    for values, least in ((models.score, 2.0), (models.rank, 1.0)):
        known = np.flatnonzero(~np.isnan(values[left, :at]))
        if not known.size or np.isnan(values[came, at]):
            continue
        moved = values[:, at] - values[:, known[-1]]
        moved = moved[~np.isnan(moved)]
        if moved.size < COMMON:
            return None
        shift = float(np.median(moved))
        margin = 3 * 1.4826 * float(np.median(np.abs(moved - shift)))
        return bool(abs(values[came, at] - values[left, known[-1]] - shift) <= max(least, margin))
    return None


def _expected(gains: Gains, dates: Matrix, left: int, since: int, at: int) -> float | None:
    """Votes that the model would have gained at its recent share or pace, whichever is more; None without spans."""
    spans = np.flatnonzero(~np.isnan(gains.gained[left, : since + 1]))[-RECENT:]
    if not spans.size:
        return None
    begins = gains.begin[left, spans]
    own = gains.gained[left, spans].sum()
    whole = sum(gains.all[begin + 1 : end + 1].sum() for begin, end in zip(begins, spans, strict=True))
    by_share = own / whole * gains.all[since + 1 : at + 1].sum() if whole > 0 else 0.0
    length = (dates[spans] - dates[begins]).sum()
    # When many names change at once, the models that keep theirs gain only a part of all votes: use days then.
    by_days = own / length * (dates[at] - dates[since])
    return float(max(by_share, by_days))


def _same_score(models: Models, at: int, left: int, came: int) -> bool:
    scored = np.flatnonzero(~np.isnan(models.score[left, :at]))
    if not scored.size:
        return False
    return bool(abs(models.score[left, scored[-1]] - models.score[came, at]) <= 2.0)
