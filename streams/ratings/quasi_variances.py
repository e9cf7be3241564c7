"""Quasi-variances: one number for each model, such that q_i + q_j is nearly the variance of the difference of i and j.

The interval of one rating depends on the gauge (the mean of all, or an anchor) and does not show how uncertain the
difference of two models is. The covariance shows it in M² numbers; quasi-variances are the M numbers that approximate
it best: they minimise

    Σ_{i<j} (log(q_i + q_j) − log Var(θ_i − θ_j))²

They do not depend on the gauge. A quasi-variance may be negative where few models are compared unevenly; no sum of two
is.

References
----------
.. [1] D. Firth, R. X. de Menezes, "Quasi-variances", Biometrika 91 (2004).
.. [2] D. Firth, "Overcoming the reference category problem in the presentation of statistical models", Sociological
       Methodology 33 (2003).
"""

from __future__ import annotations

import numpy as np

from streams.ratings.newton import Matrix, Vector

STEPS, SOLVING = 50, 100
CLOSE, SOLVED = 1e-7, 1e-16
"""Tolerances: relative size of the last step, and squared relative residual of the linear system."""


def quasi_variances(covariance: Matrix) -> Vector | None:
    """Compute the quasi-variances.

    Parameters
    ----------
    covariance
        float64[M, M], of the ratings in any gauge and unit.

    Returns
    -------
    float64[M], in the square of the unit. None where there are none: for one model, or where some difference has no
    variance. With two models only the sum is determined, and both have half of it.

    Examples
    --------
    For independent estimates they are the variances exactly.

    >>> quasi_variances(np.diag([1.0, 2.0, 3.0, 4.0])).round(9).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    models = covariance.shape[0]
    if models < 2:
        return None
    own = covariance.diagonal()
    apart = own[:, None] + own - 2.0 * covariance
    if models == 2:
        return np.full(2, apart[0, 1] / 2) if apart[0, 1] > 0 else None
    np.fill_diagonal(apart, 1.0)
    if not (apart > 0).all():
        return None
    return _descend(apart, own)


def _descend(apart: Matrix, own: Vector) -> Vector | None:
    """Gauss-Newton descent; the start, the least-squares fit of the sums themselves, has a closed form."""
    models = own.size
    rows = apart.sum(axis=1) - 1.0
    found = (rows - rows.sum() / (2 * (models - 1))) / (models - 2)
    if not _positive(found):
        found = rows / (2 * (models - 1))
    for _ in range(STEPS):
        step = _step(found, apart)
        while not _positive(found + step):
            step = step / 2
        found = found + step
        if np.abs(step).max() <= CLOSE * np.abs(found).max():
            return np.asarray(found)
    return None


def _step(found: Vector, apart: Matrix) -> Vector:
    """Solve (diag(Σ_j w_ij) + w)·step = Σ_j r_ij/sum_ij, w = 1/sum², r = log(apart/sum); diagonals are left out."""
    slope = np.add.outer(found, found)
    slope.flat[:: found.size + 1] = 1.0
    np.reciprocal(slope, out=slope)
    missed = np.log(apart * slope)
    missed *= slope
    right = missed.sum(axis=1)
    weights = np.multiply(slope, slope, out=slope)
    weights.flat[:: found.size + 1] = 0.0
    own = weights.sum(axis=1)
    # Conjugate gradients: the pairs' weights are nearly equal, and with equal weights there are only two eigenvalues.
    step, left = np.zeros(found.size), right
    scaled = left / own
    direction, size = scaled, float(left @ scaled)
    enough = SOLVED * size
    for _ in range(SOLVING):
        if size <= enough:
            break
        turned = own * direction + weights @ direction
        length = size / float(direction @ turned)
        step, left = step + length * direction, left - length * turned
        scaled = left / own
        before, size = size, float(left @ scaled)
        direction = scaled + (size / before) * direction
    return step


def _positive(found: Vector) -> bool:
    """Whether every sum of two quasi-variances is above 0."""
    lowest, next_to_it = np.partition(found, 1)[:2]
    return bool(lowest + next_to_it > 0)
