"""Fisher's exact test of a 2 × 2 table, as a p-value and as an e-value.

Given both margins, the number of inactive models in one class is hypergeometric if the class does not matter, and has
odds ratio ω (Fisher's noncentral hypergeometric) if it does. The likelihood ratio, averaged over ω, has mean exactly 1
when the class does not matter: it is an e-value, and may be computed any number of times if data do not overlap.
"""

from __future__ import annotations

import math

ODDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 2.0, 4.0, 8.0, 16.0)
"""Odds ratios to bet on, with equal weights."""


def fisher(hit: int, of: int, hit_elsewhere: int, of_elsewhere: int) -> tuple[float, float]:
    """Two-sided p-value, and e-value, of the hypothesis of equal rates in both classes.

    Parameters
    ----------
    hit, of
        Inactive models of a class, and all its models.
    hit_elsewhere, of_elsewhere
        The same for the other class.

    Examples
    --------
    Fisher's tea (3 of 4 against 1 of 4), and a clear case:

    >>> p, e = fisher(3, 4, 1, 4)
    >>> round(p, 6), round(e, 4)
    (0.485714, 1.1474)
    >>> p, e = fisher(35, 40, 5, 40)
    >>> p < 1e-11, e > 1e8
    (True, True)
    """
    total_hit = hit + hit_elsewhere
    support = range(max(0, total_hit - of_elsewhere), min(of, total_hit) + 1)
    weights = [_log_choose(of, each) + _log_choose(of_elsewhere, total_hit - each) for each in support]
    at = hit - support.start
    whole = _log_sum(weights)
    # Tables as likely as this one, up to rounding, count as equally extreme.
    p = sum(math.exp(weight - whole) for weight in weights if weight <= weights[at] + 1e-7)
    ratios = []
    for odds in ODDS:
        tilted = [weight + each * math.log(odds) for weight, each in zip(weights, support, strict=True)]
        ratios.append(hit * math.log(odds) + whole - _log_sum(tilted))
    return min(1.0, p), math.exp(_log_sum(ratios) - math.log(len(ODDS)))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_sum(logs: list[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(each - top) for each in logs))
