"""The policy in force, as arrays over the subjects: recomputed at each notice and each change of removed models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.registry import Roster, sampled
from streams.fairness.statistics.cusum import Odds
from streams.fairness.statistics.expected_share import Vector, exposure, involvement, relative

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
    weights
        float64[S], relative weights of the models in play, 0 for the others.
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
    weights: Vector
    tables: dict[str, tuple[int, Any]] = field(default_factory=dict, repr=False, compare=False)
    _odds: dict[tuple[float, ...], Odds] = field(default_factory=dict, repr=False, compare=False)

    def odds(self, bets: tuple[float, ...], delta: float, *, active_only: bool = False) -> Odds:
        """Odds of the bets against the shares in play, cached per policy; `active_only` leaves other subjects out."""
        key = (delta, float(active_only), *bets)
        if key not in self._odds:
            pi = np.where(self.active, self.pi_play, 0.0) if active_only else self.pi_play
            self._odds[key] = Odds.of(pi, np.array(bets), delta)
        return self._odds[key]

    @classmethod
    def of(cls, roster: Roster, removed: Mask) -> Play:
        """Compute the policy from the registry; `removed` is bool[S]."""
        size = len(roster)
        weights, active = np.zeros(size), np.zeros(size, np.bool_)
        provider, license_ = np.full(size + 1, -1, np.int64), np.full(size + 1, -1, np.int64)
        for name, model in roster.known.items():
            number = roster.models[name]
            provider[number] = roster.providers[model.provider]
            license_[number] = roster.licenses[model.license]
            if sampled(roster.registry.get(name)):
                weights[number] = roster.registry[name].weight
                active[number] = roster.registry[name].status == "active"
        weights = relative(weights)
        pi = _shares(weights, provider, license_)
        in_play = np.where(removed, 0.0, weights)
        pi_play = (_shares(in_play, provider, license_) if removed.any() else pi).copy()
        for groups in (provider[:-1], license_[:-1]):
            inside = groups[(groups >= 0) & (in_play > 0)]
            pi_play[np.bincount(inside, minlength=size) == 1] = 0.0
        return cls(
            pi=pi,
            pi_play=pi_play,
            declared=np.append(weights > 0, False),
            in_play=np.append(in_play > 0, False),
            active=active,
            out=np.flatnonzero((weights > 0) & removed),
            provider=provider,
            license=license_,
            weights=in_play,
        )


def _shares(weights: Vector, provider: NDArray[np.int64], license_: NDArray[np.int64]) -> Vector:
    size = weights.size
    shares = exposure(weights)
    for groups in (provider, license_):
        shares = shares + involvement(weights, groups[:-1], size)  # groups have numbers of their own
    return shares
