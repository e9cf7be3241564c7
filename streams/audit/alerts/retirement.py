"""Retirement by licence class: inactive rates, an exact test, and the lowest 30 % of each class.

The test is Fisher's, of a 2 × 2 table, as a p-value and as an e-value. Given both margins, the number of inactive
models in one class is hypergeometric if the class does not matter, and has odds ratio ω (Fisher's noncentral
hypergeometric) if it does. The likelihood ratio, averaged over ω, has mean exactly 1 when the class does not matter: it
is an e-value, and may be computed any number of times if data do not overlap.
"""

from __future__ import annotations

import math
from typing import NotRequired, TypedDict

import numpy as np

from streams.audit.alerts.make import make_alert
from streams.audit.board.history import Matrix
from streams.audit.board.licences import CLASSES, PROPRIETARY, UNKNOWN
from streams.audit.board.models import Models
from streams.audit.options import Options
from streams.audit.stops.states import ACTIVE, GONE, INACTIVE, ModelStates
from streams.contracts.alert import Alert, Kind, Severity, Subject

TELLING = 1e3
"""e-value from which a difference between classes becomes an alert."""

BOTTOM = 0.3
"""The part of each class that an arena may retire under the paper's demand."""


class Rate(TypedDict):
    """Models that are inactive or gone, of how many."""

    hit: int
    of: int
    rate: float


class ClassRate(Rate):
    """The rate of one licence class, those of them that are gone, and `[hit, of]` of its lowest models and the rest."""

    gone: int
    bottom: NotRequired[list[int]]
    rest: NotRequired[list[int]]


class Retirement(TypedDict):
    """Rates by licence class; and of open against proprietary models, with the test, where there are both."""

    classes: dict[str, ClassRate]
    open: NotRequired[Rate]
    proprietary: NotRequired[Rate]
    p: NotRequired[float]
    e: NotRequired[float]


def retirement_of(models: Models, states: ModelStates) -> Retirement:
    """Compare proprietary models with open ones (open weights and open source together).

    `hit` counts models that are inactive or gone, `of` all models of the class with a known state. The p-value and the
    e-value test the hypothesis of equal rates; they do not adjust for age or strength. `bottom` and `rest`, where there
    are scores, are `[hit, of]` of the lowest 30 % of each class by last score, and of the others.
    """
    hit = np.array([state in (INACTIVE, GONE) for state in states.state], dtype=bool)
    known = hit | np.array([state == ACTIVE for state in states.state], dtype=bool)
    if ACTIVE not in states.state and INACTIVE not in states.state:
        return {"classes": {}}
    score = _last_scores(models)
    classes: dict[str, ClassRate] = {}
    for name in CLASSES:
        members = known & np.array([each == name for each in models.classes], dtype=bool)
        if not members.any():
            continue
        inactive, of = int((members & hit).sum()), int(members.sum())
        line: ClassRate = {
            "hit": inactive,
            "of": of,
            "rate": round(inactive / of, 4),
            "gone": sum(1 for each in np.flatnonzero(members) if states.state[each] == GONE),
        }
        scored = np.flatnonzero(members & ~np.isnan(score))
        if scored.size >= 4:
            order = scored[np.argsort(score[scored], kind="stable")]
            low = order[: int(np.ceil(BOTTOM * order.size))]
            rest = order[low.size :]
            line["bottom"] = [int(hit[low].sum()), int(low.size)]
            line["rest"] = [int(hit[rest].sum()), int(rest.size)]
        classes[name] = line
    told: Retirement = {"classes": classes}
    closed = known & np.array([each == PROPRIETARY for each in models.classes], dtype=bool)
    opened = known & np.array([each not in (PROPRIETARY, UNKNOWN) for each in models.classes], dtype=bool)
    if closed.any() and opened.any():
        open_hit, open_of = int((opened & hit).sum()), int(opened.sum())
        closed_hit, closed_of = int((closed & hit).sum()), int(closed.sum())
        p, e = fisher(open_hit, open_of, closed_hit, closed_of)
        told = {
            "classes": classes,
            "open": _rate(open_hit, open_of),
            "proprietary": _rate(closed_hit, closed_of),
            "p": float(f"{p:.4g}"),
            "e": float(f"{e:.4g}"),
        }
    return told


def _rate(hit: int, of: int) -> Rate:
    return {"hit": hit, "of": of, "rate": round(hit / of, 4)}


def bias_alert(told: Retirement, starts_at: float, ends_at: float, options: Options) -> list[Alert]:
    """Return an alert when the classes differ beyond chance, else nothing."""
    if told.get("e", 0.0) < TELLING:
        return []
    rates = {"open": told["open"], "proprietary": told["proprietary"]}
    worse, better = sorted(rates, key=lambda name: -rates[name]["rate"])
    high, low = rates[worse], rates[better]
    summary = (
        f"Of {high['of']} {worse} models {high['hit']} are inactive or gone ({high['rate']:.0%}),"
        f" of {low['of']} {better} ones {low['hit']} ({low['rate']:.0%}); chance explains"
        f" such a difference with p = {told['p']:.1g} (Fisher's exact test, not adjusted for age and strength)."
    )
    evidence: dict[str, float | int | str | list[str]] = {
        "hit": high["hit"],
        "of": high["of"],
        "hit_elsewhere": low["hit"],
        "of_elsewhere": low["of"],
        "p": told["p"],
        "e": told["e"],
    }
    kind, subject = Kind.RETIREMENT_BIAS, Subject(license=worse)
    return [
        make_alert(
            options.arena, kind, Severity.WARNING, subject, starts_at, ends_at, summary, evidence, options.runbooks
        )
    ]


def _last_scores(models: Models) -> Matrix:
    score = np.full(len(models.names), np.nan)
    for model in range(len(models.names)):
        known = models.score[model][~np.isnan(models.score[model])]
        if known.size:
            score[model] = known[-1]
    return score


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
