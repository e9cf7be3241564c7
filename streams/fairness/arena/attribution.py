"""One cause, one alert: whether what one subject shows follows from what is already known of others.

A class that is cut by 40 % takes its providers and models down with it and lifts all others; a model that is cut takes
its provider down a little. Each of these shares really differs from the declared one, and is no news. So before an
alert opens, the weights are scaled by one factor per *cause* (a subject with an open alert: a group's factor scales all
its models, which keep their shares within it), such that each cause has the share that it was seen with. If the shares
that follow from these weights explain the suspect's own, its alert is part of the cause's.

The shares are compared over the suspect's window, from the oldest kept mark at or after the onset of its evidence, so
that causes that change with time are compared with what they did meanwhile; or over a window since the onset of one of
the strongest causes, because a suspect is suspected where chance has added to what the cause did. A suspect that is
more than `FAR` standard errors away in its own window is not explained by any. An explanation only withholds an alert,
so the bound on false pages is not touched; what it fails to explain later, with more battles, is told then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play, shares_of

Vector = NDArray[np.float64]

MOST_CAUSES = 8
"""Causes that are fitted together; those first on the list come first."""
ROUNDS = 12
"""Rounds of the fit: the odds of a subject are nearly proportional to its factor, so a few suffice."""
SIGMAS, FAR = 4.5, 6.0
"""Standard errors that an explanation may be off, and that it may be off in the suspect's own window at most."""
WINDOWS = 3
"""Strongest causes since whose onset shares are compared."""
INEXACT = 0.1
"""Part of the explained change that an explanation may be off: how an arena cuts a class need not be by weights."""
FITTED = 1e-3
"""A fit ends when all odds are met to this part."""
NEVER, ALWAYS = 1e-6, 1.0 - 1e-6


class Cause(NamedTuple):
    """A subject with a known deviation, and the battles at its onset."""

    subject: int
    onset: int


def explanation(scene: Scene, suspect: Cause, causes: Sequence[Cause], tolerance: float) -> int | None:
    """Return the cause that explains most of a suspect's share.

    Parameters
    ----------
    suspect
        The subject, and the onset of its evidence.
    causes
        Subjects with known deviations, strongest first.
    tolerance
        Part of its odds that a subject may differ for reasons of its own, as in vote selection.

    Returns
    -------
    Number of the cause, or None when the causes together do not explain the share.
    """
    pi = scene.play.pi_play
    known = [each for each in causes if each.subject != suspect.subject and pi[each.subject] > 0][:MOST_CAUSES]
    if not known or pi[suspect.subject] <= 0:
        return None
    places = [scene.facts.past.since(each.onset) for each in (suspect, *known[:WINDOWS])]
    if places[0] is None:
        return None
    for number, place in enumerate(dict.fromkeys(places)):
        found = None if place is None else _compare(scene, suspect.subject, place, known, tolerance)
        if found is not None and found.explains:
            return found.cause
        if number == 0 and (found is None or found.sigmas > FAR):
            return None
    return None


class _Comparison(NamedTuple):
    """How far the observed share is from the explained one, whether that is near enough, and the strongest cause."""

    sigmas: float
    explains: bool
    cause: int


def _compare(scene: Scene, suspect: int, place: int, causes: list[Cause], tolerance: float) -> _Comparison | None:
    """Compare a suspect's share since a kept mark with what the causes explain; None when nothing was due since."""
    facts, play, fitted = scene.facts, scene.play, [cause.subject for cause in causes]
    seen, due = facts.seen - facts.past.seen[place], facts.due - facts.past.due[place]
    if due[suspect] <= 0:
        return None
    declared = play.pi_play
    observed = np.clip(np.divide(declared * seen, due, out=declared.copy(), where=due > 0), NEVER, ALWAYS)
    battles = due[suspect] / declared[suspect]
    factors, expected = _fit(play, fitted, observed)

    error = np.sqrt(observed[fitted] * (1 - observed[fitted]) / battles)
    unsure = float((error / np.maximum(np.abs(observed[fitted] - declared[fitted]), error)).max())
    follows, share = float(expected[suspect]), float(observed[suspect])
    moved, missed = abs(follows - declared[suspect]), abs(share - follows)
    sigma = float(np.hypot(np.sqrt(follows * (1 - follows) / battles), moved * unsure))
    spared = INEXACT * moved + abs(float(np.log(1.0 - tolerance))) * follows * (1 - follows)
    sigmas = max(missed - spared, 0.0) / sigma
    related = [_related(play, suspect, cause) for cause in fitted]
    strength = np.abs(np.log(factors)) * declared[fitted] * np.where(related, 10.0, 1.0)
    moves = (follows - declared[suspect]) / (share - declared[suspect]) if share != declared[suspect] else 0.0
    explains = sigmas <= SIGMAS and moves >= 0.5  # near enough, and more than half of the way there
    return _Comparison(sigmas, explains, fitted[int(np.argmax(strength))])


def members(play: Play, subject: int) -> Mask:
    """bool[S], the models of a group, or the model itself."""
    inside = (play.provider[:-1] == subject) | (play.license[:-1] == subject)
    inside[subject] |= not play.groups[subject]
    return np.asarray(inside)


def _related(play: Play, one: int, other: int) -> bool:
    """Whether one of the two contains a model of the other."""
    return bool((members(play, one) & members(play, other) & (play.weights > 0)).any())


def _fit(play: Play, causes: list[int], observed: Vector) -> tuple[Vector, Vector]:
    """Factors of the causes, float64[C], that give them their observed shares, and the shares of all subjects."""
    inside = [members(play, cause) for cause in causes]
    factors = np.ones(len(causes))
    goal = observed[causes] / (1 - observed[causes])
    for number in range(ROUNDS + 1):
        weights = play.weights.copy()
        for mask, factor in zip(inside, factors.tolist(), strict=True):
            weights[mask] *= factor
        expected = np.clip(shares_of(weights, play.provider, play.license), NEVER, ALWAYS)
        step = goal * (1 - expected[causes]) / expected[causes]
        if number == ROUNDS or np.abs(np.log(step)).max() < FITTED:
            break
        factors = np.clip(factors * step, 1e-3, 1e3)
    return factors, expected
