"""Votes row by row, for models that use more than the pair counts: the logistic likelihood with covariates.

A row's design vector is d = e_a − e_b for the models and z for the covariates, so every matrix needed is the same gram
Σ ω d dᵀ with other weights: the Hessian has ω = p·q, the meat of the sandwich ω = residual². A row's pair is one
number, a·M + b, and all terms of the models are summed into an M × M table first: there never is an N × M matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import LONGEST, Matrix, Vector
from streams.ratings.pairs import tails


@dataclass(frozen=True, slots=True)
class CovariateRows:
    """N votes among M models, with F covariates each.

    Attributes
    ----------
    pair
        int64[N]: a·M + b of the models shown.
    score
        float64[N]: 1, ½ or 0 for a.
    z
        float64[N, F], from a's point of view.
    models
        M.
    """

    pair: NDArray[np.integer]
    score: Vector
    z: Matrix
    models: int

    @property
    def gauge(self) -> float:
        """Factor c of the term −½c(Σθ)² that enforces Σθ = 0, on the scale of the information."""
        return 2.0 * self.score.size / max(self.models, 1) ** 3

    def only(self, features: NDArray[np.bool_]) -> CovariateRows:
        """Return the same votes with fewer covariates."""
        return CovariateRows(self.pair, self.score, self.z[:, features], self.models)

    def derivatives(self, point: Vector) -> tuple[Vector, Matrix]:
        """Gradient and minus the Hessian at (θ, β), with the gauge term: float64[M + F] and its square."""
        p, q = tails(self._logits(point))
        gradient, hessian = self._project(self.score * q - (1.0 - self.score) * p), self.gram(p * q)
        gradient[: self.models] -= self.gauge * point[: self.models].sum()
        hessian[: self.models, : self.models] += self.gauge
        return gradient, hessian

    def gradient(self, point: Vector) -> Vector:
        """Gradient of the likelihood alone, float64[M + F]."""
        p, q = tails(self._logits(point))
        return self._project(self.score * q - (1.0 - self.score) * p)

    def reach(self, step: Vector) -> float:
        """The largest change of a row's logit, or a cheaper upper bound while that is small enough."""
        theta, beta = step[: self.models], step[self.models :]
        if self.score.size == 0:
            return 0.0
        bound = float(np.ptp(theta) + np.abs(beta) @ np.abs(self.z).max(axis=0))
        return bound if bound <= LONGEST else float(np.abs(self._logits(step)).max())

    def standard_errors(self, point: Vector) -> Vector:
        """Sandwich errors of (θ, β), float64[M + F], logits, no ridge."""
        p, q = tails(self._logits(point))
        hessian = self.gram(p * q)
        hessian[: self.models, : self.models] += self.gauge
        bread = np.linalg.inv(hessian)
        meat = self.gram((self.score * q - (1.0 - self.score) * p) ** 2)
        return np.asarray(np.sqrt(np.maximum(np.einsum("ij,ij->i", bread @ meat, bread), 0.0)))

    def gram(self, weight: Vector) -> Matrix:
        """Σ ω d dᵀ over rows, float64[M + F, M + F]."""
        models = self.models
        pairs = self._table(weight)
        weighted = self.z * weight[:, None]
        gram = np.empty((models + self.z.shape[1],) * 2)
        gram[:models, :models] = -(pairs + pairs.T)
        gram[np.arange(models), np.arange(models)] += pairs.sum(axis=0) + pairs.sum(axis=1)
        for feature, column in enumerate(weighted.T, start=models):
            gram[:models, feature] = gram[feature, :models] = self._difference(column)
        gram[models:, models:] = self.z.T @ weighted
        return gram

    def _logits(self, point: Vector) -> Vector:
        theta = point[: self.models]
        gaps = theta[:, None] - theta
        return np.asarray(gaps.ravel()[self.pair] + self.z @ point[self.models :])

    def _project(self, residual: Vector) -> Vector:
        return np.concatenate([self._difference(residual), self.z.T @ residual])

    def _difference(self, values: Vector) -> Vector:
        table = self._table(values)
        return np.asarray(table.sum(axis=1) - table.sum(axis=0))

    def _table(self, values: Vector) -> Matrix:
        table = np.bincount(self.pair, values, self.models**2).reshape(self.models, self.models)
        return np.asarray(table, dtype=np.float64)  # bincount of zero rows returns integers
