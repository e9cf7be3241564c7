"""One cause, one alert: whether what one subject shows follows from what is already known of others.

A class that is cut by 40 % takes its providers and models down with it and lifts all others; a model that is cut takes
its provider down a little. Each of these shares really differs from the declared one, and is no news. So before an
alert opens, the weights are scaled by one factor per *cause* (a subject with an open alert: a group's factor scales all
its models, which keep their shares within it), such that each cause has the share that it was seen with. If the shares
that follow from these weights explain the suspect's own, its alert is part of the cause's.

The explained share is a null of its own: a suspect is news if it would be told against *that* share, that is, if the
deviation from it is worth as many nats as the level asks (z²/2, where z also has the errors of the causes' factors). A
smaller bound told one member in three of a cut class again: sixty models are asked in every tick, and one of them is
off by 3.5 standard errors soon.

The shares are compared over the suspect's window, from the oldest kept mark at or after the onset of its evidence, so
that causes that change with time are compared with what they did meanwhile; if chance made that window too short to
tell, over a window since the onset of one of the strongest causes. A suspect whose own window tells is not asked there:
a model that doubled today would be hidden in the weeks since a cause that has nothing to do with it. An explanation
only withholds an alert, so the bound on false pages is not touched; what it fails to explain later, with more battles,
is told then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play, shares_of
from streams.fairness.statistics.odds_bets import shifted

Vector = NDArray[np.float64]

MOST_CAUSES = 8
"""Causes that are fitted together; those first on the list come first."""
ROUNDS = 12
"""Rounds of the fit: the odds of a subject are nearly proportional to its factor, so a few suffice."""
MOVES, MOST = 0.1, 0.5
"""Part of a suspect's deviation from which causes make it wait, and from which they make it a part of their alert. A
bystander of a small cause is told as soon as the rest of its deviation is news; a part waits for the next review."""
TELLS = 0.25
"""Part of the level from which evidence in a suspect's own window, of which causes explain less than `MOVES`, is news.
The window begins at a kept mark, up to half of the time after the onset, so it holds a part of the evidence only; with
less than this it does not tell."""
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


class Explanation(NamedTuple):
    """Evidence against the explained share, the part of the deviation that is explained, and the strongest cause."""

    nats: float
    moves: float
    cause: int

    @property
    def whole(self) -> bool:
        """Whether the suspect is a part of the cause's alert."""
        return self.moves >= MOST


def explanation(
    scene: Scene, suspect: Cause, causes: Sequence[Cause], tolerance: float, level: float
) -> Explanation | None:
    """Return what causes explain of a suspect's share.

    Parameters
    ----------
    suspect
        The subject, and the onset of its evidence.
    causes
        Subjects with known deviations, strongest first.
    tolerance
        Part of its odds that a subject may differ for reasons of its own, as in vote selection, while its usual
        multiple is not known.
    level
        Nats from which a deviation from the explained share is news.

    Returns
    -------
    None when the share is news in spite of the causes.
    """
    pi = scene.play.pi_play
    known = [each for each in causes if each.subject != suspect.subject and pi[each.subject] > 0][:MOST_CAUSES]
    if not known or pi[suspect.subject] <= 0:
        return None
    places = [scene.facts.past.since(each.onset) for each in (suspect, *known[:WINDOWS])]
    for place in dict.fromkeys(places):
        found = None if place is None else _compare(scene, suspect.subject, place, known, tolerance)
        if found is None:
            continue
        if found.nats >= level:
            return None
        if found.moves >= MOVES:
            return found
        if place == places[0] and found.nats >= TELLS * level:
            return None
    return None


def _compare(scene: Scene, suspect: int, place: int, causes: list[Cause], tolerance: float) -> Explanation | None:
    """Compare a suspect's share since a kept mark with what the causes explain; None when nothing was due since."""
    facts, play, fitted = scene.facts, scene.play, [cause.subject for cause in causes]
    seen, due = facts.seen - facts.past.seen[place], facts.due - facts.past.due[place]
    if due[suspect] <= 0:
        return None
    usual, sure = _usual(scene, suspect, tolerance)
    declared = shifted(np.minimum(play.pi_play, ALWAYS), usual)
    observed = np.clip(np.divide(play.pi_play * seen, due, out=declared.copy(), where=due > 0), NEVER, ALWAYS)
    battles = due[suspect] / play.pi_play[suspect]
    factors, expected = _fit(play, fitted, shifted(observed, 1.0 / usual))
    expected = shifted(expected, usual)

    error = np.sqrt(observed[fitted] * (1 - observed[fitted]) / battles)
    unsure = float((error / np.maximum(np.abs(observed[fitted] - declared[fitted]), error)).max())
    follows, share = float(expected[suspect]), float(observed[suspect])
    moved, missed = abs(follows - declared[suspect]), abs(share - follows)
    sigma = float(np.hypot(np.sqrt(follows * (1 - follows) / battles), moved * unsure))
    spared = INEXACT * moved + sure * follows * (1 - follows)
    nats = 0.5 * (max(missed - spared, 0.0) / sigma) ** 2
    related = [_related(play, suspect, cause) for cause in fitted]
    strength = np.abs(np.log(factors)) * declared[fitted] * np.where(related, 10.0, 1.0)
    moves = (follows - declared[suspect]) / (share - declared[suspect]) if share != declared[suspect] else 0.0
    return Explanation(nats, moves, fitted[int(np.argmax(strength))])


def _usual(scene: Scene, suspect: int, tolerance: float) -> tuple[Vector, float]:
    """Usual multiples of the declared odds, float64[S], and what the log odds of the suspect may be off."""
    shares = scene.facts.shares
    if shares.exact(scene.settings):
        return np.ones(scene.play.pi_play.size), 0.0
    multiple, spread = shares.usual.multiple, float(shares.usual.spread[suspect])
    unknown = abs(float(np.log(1.0 - tolerance)))
    return np.where(multiple > 0, multiple, 1.0), spread if multiple[suspect] > 0 else unknown


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
