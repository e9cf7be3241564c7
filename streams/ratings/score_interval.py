"""Intervals where votes are few: the ratings that the score test does not reject, given the opponents' ratings.

For one model with results x_v ∈ {0, ½, 1} against opponents at θ_j, p_j(θ) = σ(θ − θ_j), the 95 % interval is

    { θ : |Σ x − Σ p_j| − c ≤ z √(φ Σ p_j q_j) },  c = ½·min(1, L)/(1 + Σ p_j q_j)

It does not use the model's own residuals, which mean nothing when there are only two: a model with ties alone would
have an interval of zero width. φ is the dispersion of the settled board, Σ(x − p)²/Σ p q over all its votes: below 1
where there are draws. Wilson's interval for a proportion is the case of one opponent, φ = 1 and c = 0. The interval is
open on a side without information: a model that won every vote has no upper end. c is a continuity correction, because
a sum of a few results is not normal; L is the model's losses for the upper end and its wins for the lower (a draw is
half of both). Without c, one vote at odds of 9 : 1 is covered 88 % of the time; with ten votes between equals c is a
twentieth of the width, with a hundred it is negligible. Where opponents are so far apart that the set has a gap, the
interval spans it.

References
----------
.. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
.. [2] P. McCullagh, J. A. Nelder, "Generalized Linear Models" (1989), section 9 on the dispersion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import Vector
from streams.ratings.pairs import tails

PLACES = 64
"""Number of grid steps over the range of a model's opponents, to find the last sign change."""
HALVINGS, STEPS = 16, 4
"""Bisections from a bracket of at most 64 logits to 1e-3, then Newton steps to the last bit."""


@dataclass(frozen=True, slots=True)
class Results:
    """Results of K models against opponents of known ratings: P pairs, ascending by model.

    Attributes
    ----------
    model
        int64[P], 0 … K − 1.
    opponent
        float64[P], logits.
    won, lost, drawn
        float64[P], half-wins for and against the model, and the draws among them, weighted or not.
    spread
        float64[P], votes times the square of their weight.
    """

    models: int
    model: NDArray[np.int64]
    opponent: Vector
    won: Vector
    lost: Vector
    drawn: Vector
    spread: Vector

    @property
    def swapped(self) -> Results:
        """Return the results with θ → −θ: wins become losses."""
        return replace(self, opponent=-self.opponent, won=self.lost, lost=self.won)

    def of(self, chosen: NDArray[np.bool_]) -> Results:
        """Return the results of the chosen models."""
        pair = chosen[self.model]
        model = (np.cumsum(chosen) - 1)[self.model[pair]]
        columns = (each[pair] for each in (self.opponent, self.won, self.lost, self.drawn, self.spread))
        return Results(int(chosen.sum()), model, *columns)

    def total(self, of_pair: Vector) -> Vector:
        """Sum one number per pair over each model's pairs: float64[K]."""
        return np.asarray(np.bincount(self.model, of_pair, self.models), dtype=np.float64)


def information(results: Results, theta: Vector) -> tuple[Vector, Vector]:
    """Σ (won + lost)·pq and Σ spread·pq of every model at `theta`, float64[K] each."""
    p, q = tails(theta[results.model] - results.opponent)
    shape = p * q
    return results.total((results.won + results.lost) * shape), results.total(results.spread * shape)


def squares(results: Results, theta: Vector) -> Vector:
    """Σ w²(x − p)² of every model at `theta`, float64[K]: the second sum of `information` times the model's own φ."""
    p, q = tails(theta[results.model] - results.opponent)
    weights = results.spread / (results.won + results.lost)
    # ½(p² + q²) − (½ − p)² = ¼: the excess of two half-wins over a draw
    return results.total(weights * (results.won * q * q + results.lost * p * p - results.drawn / 4))


def score_interval(results: Results, bound: Vector) -> tuple[Vector, Vector]:
    """Invert the score test.

    Parameters
    ----------
    results
        Results of the models.
    bound
        float64[K], z²φ of each model, above 0.

    Returns
    -------
    Lower and upper ends, float64[K], logits: −inf and inf where the interval is open.

    Examples
    --------
    Three wins of four against one opponent: chances from 0.25 to 0.99.

    >>> one = np.ones(1)
    >>> four = Results(1, np.zeros(1, int), 0 * one, 3 * one, one, 0 * one, 4 * one)
    >>> lower, upper = score_interval(four, 1.959964**2 * one)
    >>> [round(float(1 / (1 + np.exp(-end[0]))), 2) for end in (lower, upper)]
    [0.25, 0.99]
    """
    root = np.sqrt(bound)
    return -_upper(results.swapped, root), _upper(results, root)


def _upper(results: Results, bound: Vector) -> Vector:
    """Find the upper ends: the last zero of h(θ) = Σ(x − p) + c + bound·√(Σ pq), which stays below 0 beyond it."""
    ends = np.full(results.models, np.inf)
    closed = results.total(results.lost) > 0
    if closed.any():
        ends[closed] = _Ends(results.of(closed), bound[closed]).find()
    return ends


class _Ends:
    """Searches for the upper ends of models that each have at least one pair and one loss or draw."""

    def __init__(self, results: Results, bound: Vector) -> None:
        self._results, self._bound = results, bound
        self._begins = np.flatnonzero(np.diff(results.model, prepend=-1))
        self._correction = np.minimum(1.0, results.total(results.lost)) / 2

    def find(self) -> Vector:
        """float64[K], logits."""
        low, high = self._bracket()
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            inside = self._height(middle)[0] >= 0
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        point = (low + high) / 2
        for _ in range(STEPS):
            height, slope = self._height(point)
            point = np.clip(point - height / slope, low, high)
        return point

    def _bracket(self) -> tuple[Vector, Vector]:
        """Return two points per model: h ≥ 0 at the first, h < 0 at the second and, on the grid, beyond it."""
        low = np.minimum.reduceat(self._results.opponent, self._begins)
        high = np.maximum.reduceat(self._results.opponent, self._begins)
        # Between the opponents h may cross zero several times; beyond the last opponent it only falls.
        grid = low + (high - low) * np.linspace(0.0, 1.0, PLACES + 1)[:, None]
        inside = self._height(grid)[0] >= 0
        last = PLACES - np.argmax(inside[::-1], axis=0)
        every, none, all_the_way = np.arange(low.size), ~inside.any(axis=0), inside[PLACES]
        below, above = grid[last, every], grid[np.minimum(last + 1, PLACES), every]
        below, above = np.where(none, low - 1.0, below), np.where(none, low, above)
        above = np.where(all_the_way, high + 1.0, above)
        away = 2.0
        while True:
            too_high = none & (self._height(below)[0] < 0)
            too_low = all_the_way & (self._height(above)[0] >= 0)
            if not (too_high.any() or too_low.any()):
                return below, above
            below, above = (
                np.where(too_high, low - away, np.where(too_low, above, below)),
                np.where(too_high, below, np.where(too_low, high + away, above)),
            )
            away *= 2.0

    def _height(self, theta: Vector) -> tuple[Vector, Vector]:
        """Find h and its derivative at `theta`, float64[..., K]."""
        results = self._results
        p, q = tails(theta[..., results.model] - results.opponent)
        shape = p * q
        spread = results.spread * shape
        spreads = self._sum(spread)
        root, correction = np.sqrt(spreads), self._correction / (1.0 + spreads)
        height = self._sum(results.won * q - results.lost * p) + correction + self._bound * root
        turn = self._sum(spread * (q - p)) * (self._bound / (2.0 * root) - correction / (1.0 + spreads))
        slope = turn - self._sum((results.won + results.lost) * shape)
        return height, slope

    def _sum(self, of_pair: Vector) -> Vector:
        return np.asarray(np.add.reduceat(of_pair, self._begins, axis=-1))
