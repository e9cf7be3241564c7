"""Stalled feed: zeros, a freeze, or most models stopped at once; one alert instead of many removals."""

from __future__ import annotations

import numpy as np

from streams.audit.alerts.make import make_alert
from streams.audit.board.dates import days, in_days, iso
from streams.audit.board.feed_remarks import usual_interval
from streams.audit.board.gains import Gains
from streams.audit.board.models import Models
from streams.audit.board.outages import Cleaned
from streams.audit.board.remarks import Oddity, Remark, some
from streams.audit.options import Options
from streams.audit.stops.pauses import StopResults
from streams.contracts.alert import Alert, Evidence, Kind, Severity, Subject

FREEZE = 3.0
"""A freeze at the end is a stall when it lasts this many usual intervals."""


def stall(
    cleaned: Cleaned, models: Models, gains: Gains, watched: StopResults, options: Options
) -> tuple[list[Alert], list[Remark]]:
    """Return at most one alert, if the file ends in a stall, and remarks on intervals not used for single models."""
    remarks = [
        *_runs(models, watched.together, Oddity.STOPPED_TOGETHER, watched, gains),
        *_runs(models, watched.anew, Oddity.MOVED_TOGETHER, watched, gains),
    ]
    told = _told(cleaned, models, gains, watched)
    if told is None:
        return [], remarks
    starts, found, summary, evidence = told
    kind, severity = Kind.FEED_STALLED, Severity.CRITICAL
    alert = make_alert(options.arena, kind, severity, Subject(), starts, found, summary, evidence, options.runbooks)
    return [alert], remarks


def _told(
    cleaned: Cleaned, models: Models, gains: Gains, watched: StopResults
) -> tuple[float, float, str, Evidence] | None:
    dates = models.dates
    end = len(dates) - 1
    if cleaned.outage is not None:
        first, last, said = cleaned.outage
        summary = f"{said} The last true snapshot is that of {iso(dates[end])}."
        return first, first, summary, {"days": round(days(first, last), 2)}
    if not gains.known:
        return None
    frozen = end
    while frozen > 0 and gains.all[frozen] <= 0:
        frozen -= 1
    length = days(dates[frozen], dates[end])
    if 0 < frozen < end - 1 and length >= FREEZE * usual_interval(dates[: frozen + 1]):
        summary = (
            f"No total has grown since {iso(dates[frozen])}, for {in_days(length)}: the feed stands still; these are"
            " not removals."
        )
        return float(dates[frozen]), float(dates[end]), summary, {"days": round(length, 2)}
    start = end
    while start in watched.together:
        start -= 1
    if start == end:
        return None
    still = _still(models, watched, gains, start + 1)
    share = _pace(dates, gains, start)
    summary = (
        f"{len(still)} models stopped together after {iso(dates[start])}, half or more of those that were running:"
        f" an outage of the feed, or one decision about all of them. The others' votes go on, the whole at"
        f" {share:.0%} of its usual pace."
    )
    evidence: Evidence = {"stopped": len(still), "pace": round(share, 4), "models": some(still, 500)}
    return float(dates[start]), float(dates[start + 1]), summary, evidence


def _still(models: Models, watched: StopResults, gains: Gains, at: int) -> list[str]:
    """Models that ran before the interval that ends at `at`, and got at most a tenth of their expected votes in it."""
    expected = watched.baseline * (watched.units[:, at] - watched.units[:, at - 1])
    still = watched.running[:, at - 1] & (np.nan_to_num(gains.gained[:, at]) <= 0.1 * expected)
    return [models.names[each] for each in np.flatnonzero(still & (expected > 0))]


def _pace(dates: np.ndarray, gains: Gains, start: int) -> float:
    """Votes a day after `start`, as a part of those before it."""
    before = gains.all[: start + 1].sum() / max(days(dates[0], dates[start]), 1e-9)
    after = gains.all[start + 1 :].sum() / max(days(dates[start], dates[-1]), 1e-9)
    return float(after / before) if before > 0 else 0.0


def _runs(models: Models, chosen: list[int], kind: Oddity, watched: StopResults, gains: Gains) -> list[Remark]:
    remarks = []
    for at in chosen:
        if at - 1 in chosen:
            continue
        end = at
        while end + 1 in chosen:
            end += 1
        first, last = iso(models.dates[at - 1]), iso(models.dates[end])
        if kind is Oddity.STOPPED_TOGETHER:
            names = _still(models, watched, gains, at)
            text = (
                f"{len(names)} models, half or more of those that were running, got no votes at once: the feed, or"
                " one decision; no model is judged by it."
            )
        else:
            names = []
            text = "Most models that had stopped gained again at once: totals were counted anew; no model is judged."
        remarks.append(Remark(kind, text, first, last, end - at + 1, some(names)))
    return remarks
