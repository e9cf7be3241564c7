"""Bets on the odds of a share: what each battle says, for many subjects at once, about shares around the declared one.

A bet r says that the odds of a subject are r times the declared ones, so its share is π_r = rπ/(1 − π + rπ), which is
below 1 for every r: a subject that is in most battles can be found to rise as well as to fall. Odds are also the scale
of what people do: when they finish battles with a model f times as often as others, its odds among the finished ones
are f times those among all.

The null is a band of odds from `low` to `high` times the declared ones, both 1 when there is no tolerance. For n
battles, k of them with the subject, a bet outside the band has

    ℓ_r = k ln(π_r/b) + (n−k) ln[(1−π_r)/(1−b)],   b = share at `low` for drops, at `high` for rises

with E[e^ℓ] ≤ 1 for every share in the band and beyond its other end, and 1 at b. A bet inside the band is not made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

BETS = (0.02, 0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.88, 1.12, 1.25, 1.4, 1.7, 2.0, 3.0, 4.0)
"""Multipliers r of the odds: dense near 1, where a test pays most for a bet that is not the truth."""
CERTAIN = 1.0 - 1e-9
"""A share above this has no odds and is not tested: one battle without the subject would be infinite evidence."""


def shifted(pi: Vector, r: Vector | float) -> Vector:
    """Share whose odds are r times those of π.

    >>> shifted(np.array([0.1, 0.5]), 2.0).round(4).tolist()
    [0.1818, 0.6667]
    """
    return np.asarray(r * pi / (1.0 - pi + r * pi))


def outside(low: float, high: float) -> NDArray[np.float64]:
    """The bets outside a band of odds, as float64.

    >>> outside(0.8, 1.2).tolist()
    [0.02, 0.1, 0.25, 0.5, 0.6, 0.7, 1.25, 1.4, 1.7, 2.0, 3.0, 4.0]
    """
    bets = np.array(BETS)
    return bets[(bets < low * (1 - 1e-9)) | (bets > high * (1 + 1e-9))]


@dataclass(frozen=True, slots=True)
class OddsBets:
    """Log likelihood ratios of R bets on S subjects, float64[R, S]: `slope` per appearance, `miss` per battle.

    Both are 0 where a bet is not made. `each` is e^slope.
    """

    slope: Matrix
    miss: Matrix
    each: Matrix
    _without: dict[float, Matrix] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        pi: Vector,
        bets: Vector,
        low: Vector | float = 1.0,
        high: Vector | float = 1.0,
        centre: Vector | float = 1.0,
    ) -> OddsBets:
        """Compute the bets.

        Parameters
        ----------
        pi
            float64[S], declared shares; 0 for subjects that are not tested.
        bets
            float64[R], multipliers r, none of them 1.
        low, high
            Ends of the band, as multipliers of the declared odds; float64[S] or one for all.
        centre
            What the bets multiply: 1 for the declared odds, or the subject's usual multiple of them.

        Examples
        --------
        One battle with the model is evidence against a drop to a tenth, one without it is evidence for the drop.

        >>> odds = OddsBets.of(np.array([0.2]), np.array([0.1]))
        >>> (odds.slope + odds.miss).round(4).tolist(), odds.miss.round(4).tolist()
        ([[-2.1041]], [[0.1985]])
        """
        r = np.asarray(bets, np.float64)[:, None]
        multiple = r * centre
        tested = (pi > 0) & (pi < CERTAIN) & (np.asarray(centre) > 0)
        made = tested & np.where(r < 1, multiple < low, multiple > high)
        edge = np.where(r < 1, low, high)
        share = np.where(made, pi, 0.5)
        alternative = shifted(share, np.where(made, multiple, 1.0))
        bound = shifted(share, np.where(made, edge, 1.0))
        miss = np.log1p(-alternative) - np.log1p(-bound)
        slope = np.log(alternative) - np.log(bound) - miss
        return cls(slope, miss, np.exp(slope))

    def without(self, battles: float) -> Matrix:
        """float64[R, S], e-values of so many battles without the subject; the last ones are kept."""
        if battles not in self._without:
            self._without.clear()
            self._without[battles] = np.exp(np.minimum(battles * self.miss, 700.0))  # e^709 is the largest number
        return self._without[battles]
