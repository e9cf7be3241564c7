"""Damped Newton's ascent to a canonical maximum: the same bits from any starting point.

**Damping without a line search.** The likelihoods here are exponential families. Along a step d, an observation whose
outcomes' logits move by at most D has |third derivative| ≤ D × second derivative [1]_, so a full step gains at least
λ²(1 − (e^D − D − 1)/D²), λ² = gᵀH⁻¹g, which is positive for D < 1.793. Steps are cut to D ≤ 1.75: each one climbs, so
the ascent converges whenever there is a maximum. Without one, the steps settle at about one logit each and never
shrink, so the ascent reaches the step limit and raises.

**Canonical bits.** A refresh starts from the last solution, a replay from zero; both must publish the same bytes. After
convergence the point is rounded to a grid of 2⁻¹⁴ (6e-5 logits), which removes the dependence on the path (round-off,
1e-14, would have to straddle a half grid step), and two exact Newton steps lead from the grid point to the maximum.
Their error is 6e-5 → 2e-9 → 1e-18, below round-off: even two neighbouring grid points would end within an ulp or so of
each other. One step from a finer grid would be one step cheaper, but remove less of the path.

References
----------
.. [1] F. Bach, "Self-concordant analysis for logistic regression", Electronic J. Statistics 4 (2010).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
VoteMatrix = NDArray[np.integer | np.floating]
"""Votes between pairs of models, whole or weighted."""
Derivatives = Callable[[Vector], tuple[Vector, Matrix]]
Reach = Callable[[Vector], float]

LONGEST = 1.75  # logits; see the module's docstring
CLOSE = 1e-7  # logits; after a full step this short the error is of the order of its square
GRID = 2.0**14  # per logit
LIMIT = 100  # a ratio of 1e6:1 takes 15 steps from a cold start


class Stop(StrEnum):
    """Why an ascent has no result."""

    SEPARABLE = "separable"
    SINGULAR = "singular"
    NOT_FINITE = "not_finite"
    LIMIT = "limit"


class NotConverged(ArithmeticError):  # noqa: N818 - names what happened
    """There is no maximum, or it was not reached: raise rather than return a wrong result.

    Attributes
    ----------
    reason
        One of :class:`Stop`.
    """

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.value)
        self.reason = reason


def climb(derivatives: Derivatives, reach: Reach, start: Vector) -> tuple[Vector, int]:
    """Maximise a concave function.

    Parameters
    ----------
    derivatives
        x → (gradient, minus the Hessian), positive definite: gauge terms included in both.
    reach
        step → the largest change of any observation's logit (D above). It may overestimate as long as the result is
        below ``LONGEST``.
    start
        Starting point; the result does not depend on it.

    Returns
    -------
    The maximum, and the number of Newton steps taken.

    Raises
    ------
    NotConverged
        When the Hessian is singular, a step is not finite, or 100 steps were not enough.
    """
    point = start
    for steps in range(1, LIMIT + 1):
        step = _step(derivatives, point)
        seen = reach(step)
        # Moves that no observation sees (the gauge) need no damping, but must converge too.
        length = max(seen, float(np.abs(step).max(initial=0.0)))
        point = point + step * min(1.0, LONGEST / seen if seen > 0 else 1.0)
        if length <= CLOSE:
            return _settle(derivatives, point), steps + 2
    raise NotConverged(Stop.LIMIT)


def climb_warm(derivatives: Derivatives, reach: Reach, warm: Vector | None, cold: Vector) -> tuple[Vector, int]:
    """:func:`climb` from ``warm``; from ``cold`` when there is no ``warm`` or that fails.

    A warm start so far off that the curvature vanishes must not prevent a result.
    """
    if warm is not None:
        try:
            return climb(derivatives, reach, warm)
        except NotConverged:
            pass
    return climb(derivatives, reach, cold)


def _settle(derivatives: Derivatives, point: Vector) -> Vector:
    corner = np.round(point * GRID) / GRID
    nearer = corner + _step(derivatives, corner)
    return nearer + _step(derivatives, nearer)


def _step(derivatives: Derivatives, point: Vector) -> Vector:
    gradient, hessian = derivatives(point)
    try:
        step = np.asarray(np.linalg.solve(hessian, gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise NotConverged(Stop.SINGULAR) from None
    if not np.isfinite(step).all():
        raise NotConverged(Stop.NOT_FINITE)
    return step
