"""Retirement by licence class: inactive rates, an exact test, and the lowest 30 % of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.audit.alerts.exact import fisher
from streams.audit.alerts.make import make_alert
from streams.audit.board.history import Matrix
from streams.audit.board.licences import CLASSES, PROPRIETARY, UNKNOWN
from streams.audit.board.models import Models
from streams.audit.options import Options
from streams.audit.stops.states import ACTIVE, GONE, INACTIVE, States
from streams.contracts.alert import Alert, Kind, Severity, Subject

TELLING = 1e3
"""e-value from which a difference between classes becomes an alert."""

BOTTOM = 0.3
"""The part of each class that an arena may retire under the paper's demand."""


def retirement_of(models: Models, states: States) -> dict[str, Any]:
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
    classes: dict[str, dict[str, Any]] = {}
    for name in CLASSES:
        members = known & np.array([each == name for each in models.classes], dtype=bool)
        if not members.any():
            continue
        line: dict[str, Any] = {"hit": int((members & hit).sum()), "of": int(members.sum())}
        line["rate"] = round(line["hit"] / line["of"], 4)
        line["gone"] = sum(1 for each in np.flatnonzero(members) if states.state[each] == GONE)
        scored = np.flatnonzero(members & ~np.isnan(score))
        if scored.size >= 4:
            order = scored[np.argsort(score[scored], kind="stable")]
            low = order[: int(np.ceil(BOTTOM * order.size))]
            rest = order[low.size :]
            line["bottom"] = [int(hit[low].sum()), int(low.size)]
            line["rest"] = [int(hit[rest].sum()), int(rest.size)]
        classes[name] = line
    told: dict[str, Any] = {"classes": classes}
    closed = known & np.array([each == PROPRIETARY for each in models.classes], dtype=bool)
    opened = known & np.array([each not in (PROPRIETARY, UNKNOWN) for each in models.classes], dtype=bool)
    if closed.any() and opened.any():
        open_hit, open_of = int((opened & hit).sum()), int(opened.sum())
        closed_hit, closed_of = int((closed & hit).sum()), int(closed.sum())
        p, e = fisher(open_hit, open_of, closed_hit, closed_of)
        told |= {
            "open": {"hit": open_hit, "of": open_of, "rate": round(open_hit / open_of, 4)},
            "proprietary": {"hit": closed_hit, "of": closed_of, "rate": round(closed_hit / closed_of, 4)},
            "p": float(f"{p:.4g}"),
            "e": float(f"{e:.4g}"),
        }
    return told


def bias_alert(told: dict[str, Any], starts_at: float, ends_at: float, options: Options) -> list[Alert]:
    """Return an alert when the classes differ beyond chance, else nothing."""
    if told.get("e", 0.0) < TELLING:
        return []
    worse, better = sorted(("open", "proprietary"), key=lambda name: -told[name]["rate"])
    summary = (
        f"Of {told[worse]['of']} {worse} models {told[worse]['hit']} are inactive or gone ({told[worse]['rate']:.0%}),"
        f" of {told[better]['of']} {better} ones {told[better]['hit']} ({told[better]['rate']:.0%}); chance explains"
        f" such a difference with p = {told['p']:.1g} (Fisher's exact test, not adjusted for age and strength)."
    )
    evidence: dict[str, float | int | str | list[str]] = {
        "hit": told[worse]["hit"],
        "of": told[worse]["of"],
        "hit_elsewhere": told[better]["hit"],
        "of_elsewhere": told[better]["of"],
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
