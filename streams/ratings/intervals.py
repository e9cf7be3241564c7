"""Standard errors of the Bradley-Terry ratings: the sandwich covariance from pair counts.

    Cov = H⁺ V H⁺,  V = diag(Σ_j v_ij) − v,  v_ij = w²·(W_ij q_ij² + W_ji p_ij² + T_ij (½ − p_ij)²)

H is the Hessian with weights w, V the sum of squared scores of the single votes. The sandwich stays right where the
model is wrong: a draw counted as half a win has less variance than p·q, so the plain H⁺ covers 98 % instead of 95 %.
H⁺ is the pseudo-inverse in the gauge Σθ = 0 without a ridge: a ridge shrinks the variance of exactly those models whose
variance is large (with 1e-5·N on the diagonal the ten sparsest were covered 65 %).

References
----------
.. [1] P. J. Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", Berkeley Symp. (1967).
.. [2] H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50 (1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.ratings.bradley_terry import Fit
from streams.ratings.newton import Matrix, Vector, VoteMatrix
from streams.ratings.pairs import chances

NORMAL_95 = 1.959963984540054  # Φ⁻¹(0.975)


@dataclass(frozen=True, slots=True)
class SandwichCovariance:
    """The parts of a fit's sandwich covariance, from which variances of differences are computed.

    Attributes
    ----------
    bread
        float64[M, M], H⁺ plus a constant, which cancels in every difference.
    meat
        float64[M, M], V.
    half
        float64[M, M], bread·meat.

    Examples
    --------
    Two models, 30:10: θ = ±½ ln 3, and the log odds have the variance 1/30 + 1/10.

    >>> from streams.ratings.bradley_terry import fit
    >>> wins, draws = np.array([[0, 30], [10, 0]]), np.zeros((2, 2))
    >>> spread = SandwichCovariance.of(wins, draws, fit(wins, draws))
    >>> np.allclose(4 * spread.variances(), 1 / 30 + 1 / 10)
    True
    >>> np.allclose(spread.variances(np.array([1.0, 0.0])), [0, 1 / 30 + 1 / 10])
    True
    """

    bread: Matrix
    meat: Matrix
    half: Matrix

    @classmethod
    def of(cls, wins: VoteMatrix, draws: VoteMatrix, fit: Fit, weights: Matrix | None = None) -> SandwichCovariance:
        """Compute the sandwich of a fit.

        Parameters
        ----------
        wins, draws, weights
            As passed to :func:`streams.ratings.bradley_terry.fit`.
        fit
            Its result.
        """
        if fit.theta.size < 2:
            nothing = np.zeros((fit.theta.size, fit.theta.size))
            return cls(nothing, nothing, nothing)
        bread, meat = _bread(fit), _meat(wins, draws, fit.theta, weights)
        return cls(bread, meat, bread @ meat)

    @property
    def covariance(self) -> Matrix:
        """float64[M, M], in the gauge Σθ = 0; every row sums to 0: V·1 = 0, and the constant in the bread cancels."""
        return np.asarray(self.half @ self.bread)

    def variances(self, origin: Vector | None = None) -> Vector:
        """Variance of each rating, measured from a weighted mean of all.

        Parameters
        ----------
        origin
            float64[M], weights with the sum 1; None: the mean of all, 1/M each.

        Returns
        -------
        float64[M], logits². Exactly 0 for a model that is the origin alone.
        """
        own: Vector = np.einsum("ij,ij->i", self.half, self.bread)
        return np.maximum(own, 0.0) if origin is None else _from(own, self.half @ (self.bread @ origin), origin)

    def plain_variances(self, origin: Vector) -> Vector:
        """As `variances`, from H⁺ alone: the variance if there were no draws and every vote had weight 1."""
        return _from(self.bread.diagonal(), self.bread @ origin, origin)

    def variances_of(self, contrasts: Matrix) -> Vector:
        """Variance of Σ_i c_i θ_i for each column of `contrasts`, float64[M, K], each of sum 0."""
        spread = self.bread @ contrasts
        return np.asarray(np.maximum(np.einsum("ik,ik->k", spread, self.meat @ spread), 0.0))


def _from(own: Vector, across: Vector, origin: Vector) -> Vector:
    """Var(θ_i − oᵀθ) from Var θ_i, Cov(θ_i, oᵀθ) and o."""
    variances = np.maximum(own - 2.0 * across + float(origin @ across), 0.0)
    variances[origin == 1.0] = 0.0  # exactly 0 where the origin is one model
    return np.asarray(variances, dtype=np.float64)


def _bread(fit: Fit) -> Matrix:
    # The only nonzero eigenvalue of J is then the mean curvature, whatever the scale of the weights.
    gauge = np.trace(fit.hessian) / fit.theta.size**2
    return _inverse(fit.hessian + gauge)


def _inverse(definite: Matrix) -> Matrix:
    # Block inversion is stable for a positive definite matrix and runs at the speed of matrix products: half the time
    # of np.linalg.inv, which solves M general systems.
    size = definite.shape[0]
    if size <= 64:
        return np.asarray(np.linalg.inv(definite), dtype=np.float64)
    top, rest = slice(None, size // 2), slice(size // 2, None)
    corner = _inverse(definite[top, top])
    across = corner @ definite[top, rest]
    schur = _inverse(definite[rest, rest] - definite[rest, top] @ across)
    inverse = np.empty_like(definite)
    inverse[rest, rest] = schur
    inverse[top, rest] = -(across @ schur)
    inverse[rest, top] = inverse[top, rest].T
    inverse[top, top] = corner - inverse[top, rest] @ across.T
    return inverse


def _meat(wins: VoteMatrix, draws: VoteMatrix, theta: Vector, weights: Matrix | None) -> Matrix:
    p = chances(theta)
    won = np.multiply(p.T, p.T)
    won *= wins
    np.subtract(p.T, p, out=p)
    p *= p
    p *= draws
    p *= 0.25
    p += won
    p += won.T
    if weights is not None:
        p *= weights
        p *= weights
    diagonal = p.sum(axis=1)
    meat = np.negative(p, out=p)
    meat.flat[:: theta.size + 1] += diagonal
    return meat
