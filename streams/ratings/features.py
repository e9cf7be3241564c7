"""Style contrasts between two answers, and their mergeable moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import Matrix, Vector

FEATURES = ("tokens", "headers", "lists", "bolds")

# A variance below this share of the mean square is rounding error.
NOTHING = 1e-12


def contrast(shown_a: NDArray[np.floating], shown_b: NDArray[np.floating]) -> Matrix:
    """(f_a − f_b)/(f_a + f_b), 0 where both are 0: between −1 and 1, and negated when the sides are swapped.

    Parameters
    ----------
    shown_a, shown_b
        float[N, F] counts ≥ 0 in the two answers; nan where unknown.

    Returns
    -------
    float64[N, F], nan where either side is unknown.

    Examples
    --------
    >>> contrast(np.array([[300.0, 0.0]]), np.array([[100.0, 0.0]])).tolist()
    [[0.5, 0.0]]
    """
    total = shown_a + shown_b
    return np.asarray((shown_a - shown_b) / np.where(total == 0, 1.0, total), dtype=np.float64)


def known(x: Matrix) -> NDArray[np.bool_]:
    """Mask of rows without a missing value, bool[N]: a row with any missing feature is left out."""
    return np.asarray(~np.isnan(x).any(axis=1))


@dataclass(frozen=True, slots=True)
class Moments:
    """Σx, Σx² and n of some rows. Adding two gives the moments of all their rows, in any order up to rounding.

    Attributes
    ----------
    total, squares
        float64[F].
    rows
        Number of rows without a missing value.

    Examples
    --------
    >>> one, other = Moments.of(np.array([[1.0], [-1.0]])), Moments.of(np.array([[np.nan], [0.0]]))
    >>> (one + other).rows, (one + other).deviation().round(3).tolist()
    (3, [0.816])
    """

    total: Vector
    squares: Vector
    rows: int

    @classmethod
    def of(cls, x: Matrix) -> Moments:
        """Moments of float64[N, F] contrasts; rows with a nan are left out."""
        x = x[known(x)]
        return cls(x.sum(axis=0), np.einsum("nf,nf->f", x, x), x.shape[0])

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.total + other.total, self.squares + other.squares, self.rows + other.rows)

    def deviation(self) -> Vector:
        """Standard deviation about the mean, float64[F]; exactly 0 where nothing varies."""
        if self.rows == 0:
            return np.zeros(self.total.size)
        mean_square = self.squares / self.rows
        variance = mean_square - (self.total / self.rows) ** 2
        return np.sqrt(np.where(variance > NOTHING * mean_square, variance, 0.0))
