"""Removals: which stops and departures become alerts, and how a notice changes them."""

from __future__ import annotations

import numpy as np

from streams.audit.alerts.make import CRITICAL, in_tens, make_alert
from streams.audit.alerts.notices import RegistryNotice
from streams.audit.board.absences import Absence
from streams.audit.board.dates import DAY, days, in_days, iso
from streams.audit.board.gains import LOOK_BACK, Gains
from streams.audit.board.models import Models
from streams.audit.board.names import alike, redated
from streams.audit.options import Options
from streams.audit.stops.pauses import Pause, StopResults
from streams.audit.stops.states import ModelStates
from streams.contracts.alert import Alert, Evidence, Kind, Severity, Subject


def removals(
    models: Models,
    gains: Gains,
    watched: StopResults,
    states: ModelStates,
    notices: list[RegistryNotice | None],
    registry: bool,
    stalled: bool,
    options: Options,
) -> list[Alert]:
    """Return alerts for models whose votes stopped for good, and running models that left; by date, then name.

    A model that left when the next build under its label arrived is not a removal; the report lists it as gone, with
    its successor. If the source lists a removed model again later, as a past model, the alert stays. A model that left
    while the feed stood still at the end (`stalled`) was not gaining, because no model was, so it gets no alert.
    """
    alerts = []
    frozen = stalled and not (gains.all[states.live + 1 :] > 0).any()
    for model, (pause, absence) in enumerate(zip(states.stop, states.departure, strict=True)):
        if pause is not None:
            begin, found = float(models.dates[pause.begin]), float(models.dates[pause.found])
            sure = pause.evidence >= CRITICAL
            text = _stopped(models, pause)
            evidence: Evidence = _numbers(pause, gains)
        elif absence is not None and absence.ran_before:
            unseen = frozen and absence.last >= states.live
            if unseen or replacement_of(models, model, absence.last) is not None:
                continue
            begin, found = float(models.dates[absence.last]), float(models.dates[absence.found])
            sure = absence.back is not None or len(models.dates) - 1 - absence.last > LOOK_BACK
            text, evidence = _left(models, gains, watched, absence)
        else:
            continue
        told = _by_notice(notices[model], begin, found, registry, options)
        if told is None:
            continue
        kind, said = told
        # Without a registry the end may have been announced: a warning, not a page.
        grave = Severity.CRITICAL if sure and registry else Severity.WARNING
        subject = Subject(model=models.names[model])
        summary = f"{text}{said}"
        alerts.append(
            make_alert(options.arena, kind, grave, subject, begin, found, summary, evidence, options.runbooks)
        )
    return sorted(alerts, key=lambda alert: (alert.detected_at, alert.subject.name))


def replacement_of(models: Models, model: int, last: int) -> str | None:
    """Return the next build under the same label, if it arrived just as this one left (after `last`)."""
    came = (each for each in _came(models, model, last) if redated(models.names[each], models.names[model]))
    return next((models.names[each] for each in came), None)


def successor_of(models: Models, model: int, last: int) -> str | None:
    """Return a model of the same provider and class that arrived just as this one left, perhaps its next version."""
    came = [each for each in _came(models, model, last) if models.providers[each] != "unknown"]
    close = max(came, key=lambda each: (alike(models.names[each], models.names[model]), -each), default=None)
    if close is None or (len(came) > 1 and alike(models.names[close], models.names[model]) < 0.5):
        return None
    return models.names[close]


def _came(models: Models, model: int, last: int) -> list[int]:
    """Models of the same provider and class whose first row is in the first snapshot without this model."""
    return [
        int(each)
        for each in np.flatnonzero(models.first == last + 1)
        if models.providers[each] == models.providers[model] and models.classes[each] == models.classes[model]
    ]


def _by_notice(
    notice: RegistryNotice | None, begin: float, found: float, registry: bool, options: Options
) -> tuple[Kind, str] | None:
    """Return the kind, and the end of the summary; None when the end was announced in time.

    The exact end within the interval is unknown, so the latest possible time is used, in favour of the arena.
    """
    if notice is None or notice.announced is None:
        if registry:
            return Kind.SILENT_REMOVAL, "; the registry has no notice of it."
        return Kind.SILENT_REMOVAL, "; whether there was a notice is not known here."
    if notice.announced <= found - options.notice_days * DAY:
        return None
    said = iso(notice.announced)
    if notice.announced <= found:
        lead = max(0.0, days(notice.announced, found))
        text = f"; announced {said}, at most {in_days(lead)} before, where {in_days(options.notice_days)} are owed."
        return Kind.UNANNOUNCED_RETIREMENT, text
    return Kind.SILENT_REMOVAL, f"; announced only on {said}, {in_days(days(begin, notice.announced))} after."


def _stopped(models: Models, pause: Pause) -> str:
    name, begin, found = models.names[pause.model], models.dates[pause.begin], models.dates[pause.found]
    shown = (
        f"{name} stopped getting votes after {iso(begin)}: {pause.shown_observed:,.0f} by {iso(found)}, where"
        f" {pause.shown_expected:,.0f} were to be expected from its own share before"
    )
    if pause.until == pause.found:
        return shown
    return (
        f"{shown} (by {iso(models.dates[pause.until])}: {pause.observed:,.0f} instead of about {pause.expected:,.0f})"
    )


def _numbers(pause: Pause, gains: Gains) -> Evidence:
    return {
        "expected_when_found": round(pause.shown_expected, 1),
        "observed_when_found": round(pause.shown_observed, 1),
        "log10_e_when_found": in_tens(pause.shown_evidence),
        "expected": round(pause.expected, 1),
        "observed": round(pause.observed, 1),
        "log10_e": in_tens(pause.evidence),
        "intervals": pause.spans,
        "share_of_slots_before": _share_before(gains, pause.model, pause.begin),
    }


def _left(models: Models, gains: Gains, watched: StopResults, absence: Absence) -> tuple[str, Evidence]:
    model, last = absence.model, absence.last
    counted = np.flatnonzero(~np.isnan(models.votes[model, : last + 1]))
    total = float(models.votes[model, counted[-1]])
    end = len(models.dates) if absence.back is None else absence.back
    passed = watched.units[model, min(end, len(models.dates) - 1)] - watched.units[model, last]
    expected, away = float(watched.baseline[model] * passed), end - 1 - last
    text = (
        f"{models.names[model]} is not listed any more after {iso(models.dates[last])}, where it had {total:,.0f} votes"
        f" and was getting more; no other name took its votes over"
    )
    if absence.back is not None:
        more = "" if absence.gained is None else f" with {absence.gained:,.0f} more votes"
        text += f" (listed again from {iso(models.dates[absence.back])} on{more}, and not getting any since)"
    elif away <= LOOK_BACK:
        text += f" (away in the last {away} snapshot{'s' if away > 1 else ''} only: it may come back)"
    return text, {
        "votes": round(total, 1),
        "expected_since": round(expected, 1),
        "snapshots_away": away,
        "share_of_slots_before": _share_before(gains, model, last),
    }


def _share_before(gains: Gains, model: int, at: int) -> float:
    """Share of slots over the last five spans of a model up to a snapshot."""
    spans = [each for each in range(1, at + 1) if gains.begin[model, each] >= 0 and not gains.reset[model, each]][-5:]
    whole = sum(float(gains.all[gains.begin[model, each] + 1 : each + 1].sum()) for each in spans)
    own = sum(float(gains.gained[model, each]) for each in spans)
    return round(own / whole, 6) if whole > 0 else 0.0
