"""Did the sampler follow the policy in this epoch? A Dirichlet-multinomial e-process over all models, for the report.

For counts n of draws with declared probabilities p0, against a Dirichlet(κ·p0) mixture of everything else:

    ln E = lnΓ(κ) − lnΓ(κ + N) + Σ[lnΓ(κp0_i + n_i) − lnΓ(κp0_i)] − Σ n_i ln p0_i

Under the policy, P(ever E ≥ 1/α) ≤ α, so p = min 1/E is valid at every moment. E depends on the counts only, not on
their order. It starts over with every policy, and it gets slower with healthy data (a drop found in 7,500 battles at
the start takes 63,000 after 100,000 healthy ones): it is evidence for the report and never pages.

The draws are side A of each battle among declared models: sides are swapped at random, so side A is model i with
probability π_i/2, and the sides of different battles are independent. The first of the two *draws* would work as well,
but a record does not say which it was.

References
----------
.. [1] M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (package ssrm).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.statistics.expected_share import Vector


def log_e(counts: NDArray[np.int64], p0: Vector, prior: Vector) -> float:
    """Log E of counts, int64[M], under p0, float64[M], for a Dirichlet(prior) mixture.

    A count where p0 is 0 is infinite evidence; entries where p0 and the count are 0 do not matter.

    >>> round(log_e(np.array([1, 0, 0]), np.array([0.4, 0.4, 0.2]), np.ones(3)), 11)
    -0.18232155679
    """
    possible = p0 > 0
    if counts[~possible].any():
        return math.inf
    if not counts.any():  # also when fewer than two models can be drawn
        return 0.0
    n, p, a = counts[possible], p0[possible], prior[possible]
    total = math.lgamma(a.sum()) - math.lgamma(a.sum() + n.sum())
    seen = n > 0
    rising = sum(math.lgamma(x + k) - math.lgamma(x) for x, k in zip(a[seen].tolist(), n[seen].tolist(), strict=True))
    return float(total + rising - (n[seen] * np.log(p[seen])).sum())


@dataclass(slots=True)
class Epoch:
    """State: the current policy epoch.

    Attributes
    ----------
    counts
        int64[S], side A of the battles among declared models.
    since_row, since_time
        Where the policy came into force.
    best
        Largest ln E so far, updated at every review: p = e^−best. The view also includes the current ln E.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    since_row: int = 0
    since_time: float = 0.0
    best: float = 0.0

    def resize(self, subjects: int) -> None:
        """Grow the counts to `subjects`."""
        grow(self, subjects, "counts")

    def add(self, side_a: NDArray[np.int64]) -> None:
        """Count battles among declared models, int64[n] numbers of the models on side A."""
        self.counts += np.bincount(side_a, minlength=self.counts.size)

    def log_e(self, play: Play, kappa: float) -> float:
        """Log E of the epoch so far, under its policy; `kappa` is the concentration of the mixture."""
        models = np.flatnonzero(play.declared[:-1])
        p0 = play.pi[models] / 2
        return log_e(self.counts[models], p0, kappa * p0) if models.size else 0.0

    def review(self, play: Play, kappa: float) -> None:
        """Update `best` with the current ln E."""
        self.best = max(self.best, self.log_e(play, kappa))

    def begin(self, row: int, time: float) -> None:
        """Start a new epoch: another policy comes into force at this row and time."""
        self.counts = np.zeros_like(self.counts)
        self.since_row, self.since_time, self.best = row, time, 0.0
