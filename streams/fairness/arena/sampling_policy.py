"""The policy in force, as arrays over the subjects: recomputed at each notice and each change of removed models."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.registry import Roster, sampled
from streams.fairness.statistics.expected_share import Vector, exposure, involvement, relative, second_draw
from streams.fairness.statistics.odds_bets import OddsBets

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Play:
    """Which models can be drawn, and how often; S subjects. Masks have one more entry, False, for model number -1.

    Models reported as removed are out of play. The declared weights are renormalised over the remaining models, and
    the remaining models are tested on battles among themselves, so one removal does not raise "share too high" for all
    others. If the report is false, battles among the remaining models still follow their weights, so no false alert
    follows from it.

    Attributes
    ----------
    pi
        float64[S], declared share of battles, removed or not.
    pi_play
        float64[S], declared share of the battles among models in play; 0 where the subject is not tested. A group with
        only one model in play is not tested, because the model is.
    declared, in_play
        bool[S + 1], models of declared weight above 0, and those among them not reported as removed.
    active
        bool[S], models whose registered status is active, of weight above 0.
    out
        int64, numbers of the models with declared weight above 0 that are reported as removed, ascending.
    provider, license
        int64[S + 1], number of a model's provider and licence class as last declared, -1 if never.
    declared_weights
        float64[S], declared weights relative to the largest; 0 where a model is not drawn.
    weights
        float64[S], the same, but 0 also for models that are out of play.
    groups
        bool[S], the providers and licence classes in play.
    members
        float64[S], how many equal models a group in play amounts to: (Σ w)²/Σ w² of its models; 0 for others.
    tables
        What detectors derive from the policy, by kind, each with the number of the change it was derived at.
    """

    pi: Vector
    pi_play: Vector
    declared: Mask
    in_play: Mask
    active: Mask
    out: NDArray[np.int64]
    provider: NDArray[np.int64]
    license: NDArray[np.int64]
    declared_weights: Vector
    weights: Vector
    groups: Mask
    members: Vector
    tables: dict[str, tuple[int, Any]] = field(default_factory=dict, repr=False, compare=False)
    _bets: dict[Hashable, OddsBets] = field(default_factory=dict, repr=False, compare=False)

    def kept(self, key: Hashable, make: Callable[[], OddsBets]) -> OddsBets:
        """Bets on the shares in play, made once for this policy under each key."""
        if key not in self._bets:
            self._bets[key] = make()
        return self._bets[key]

    @classmethod
    def of(cls, roster: Roster, removed: Mask) -> Play:
        """Compute the policy from the registry; `removed` is bool[S]."""
        weights, active = np.zeros(len(roster)), np.zeros(len(roster), np.bool_)
        for name, model in roster.registry.items():
            if sampled(model):
                weights[roster.models[name]] = model.weight
                active[roster.models[name]] = model.status == "active"
        return cls.under(roster, weights, active, removed)

    @classmethod
    def under(cls, roster: Roster, weights: Vector, active: Mask, removed: Mask) -> Play:
        """Compute the policy of given weights, float64[S], and active models, bool[S]; groups are as last declared."""
        size = len(roster)
        provider, license_ = np.full(size + 1, -1, np.int64), np.full(size + 1, -1, np.int64)
        for name, model in roster.known.items():
            number = roster.models[name]
            provider[number] = roster.providers[model.provider]
            license_[number] = roster.licenses[model.license]
        weights = relative(weights)
        pi = shares_of(weights, provider, license_)
        in_play = np.where(removed, 0.0, weights)
        pi_play = (shares_of(in_play, provider, license_) if removed.any() else pi).copy()
        members = np.zeros(size)
        for groups in (provider[:-1], license_[:-1]):
            inside = (groups >= 0) & (in_play > 0)
            pi_play[np.bincount(groups[inside], minlength=size) == 1] = 0.0
            total, squares = (np.bincount(groups[inside], in_play[inside] ** power, size) for power in (1, 2))
            members += np.divide(total**2, squares, out=np.zeros(size), where=squares > 0)
        return cls(
            pi=pi,
            pi_play=pi_play,
            declared=np.append(weights > 0, False),
            in_play=np.append(in_play > 0, False),
            active=active,
            out=np.flatnonzero((weights > 0) & removed),
            provider=provider,
            license=license_,
            declared_weights=weights,
            weights=in_play,
            groups=members > 0,
            members=members,
        )

    def narrowed(self, to: Play) -> Play:
        """Return this policy, testing only the subjects that `to` tests as well: another has no evidence to add to."""
        tested = to.pi_play > 0
        return replace(
            self,
            pi_play=np.where(tested, self.pi_play, 0.0),
            active=self.active & to.active & tested,
            tables={},
            _bets={},
        )

    def pair_probability(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Vector:
        """float64[n], probability of the battle of each two models in either order; both must have a weight above 0."""
        h = second_draw(self.declared_weights)
        return np.asarray(h[a] * self.declared_weights[b] + h[b] * self.declared_weights[a])


def shares_of(weights: Vector, provider: NDArray[np.int64], license_: NDArray[np.int64]) -> Vector:
    """Share of battles of every subject, float64[S], when models have these weights; groups as in `Play`."""
    size = weights.size
    once = exposure(weights)
    shares = once
    for groups in (provider, license_):
        shares = shares + involvement(weights, groups[:-1], size, once)  # groups have numbers of their own
    return shares
