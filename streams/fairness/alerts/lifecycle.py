"""Alert lifecycle: fire on a new verdict, re-emit while it persists, resolve when the detector stops reporting it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from streams.contracts.alert import VERSION, Alert, Kind, Status, alert_id, fingerprint, runbook_url
from streams.fairness.alerts.summaries import moved, over
from streams.fairness.arena.context import Scene
from streams.fairness.detectors.base import AnyDetector, Verdict


@dataclass(slots=True)
class Open:
    """An alert that fires, as last emitted, and the number of battles at that time."""

    alert: Alert
    emitted_row: int


Opened = dict[str, Open]
"""Alerts that fire, by fingerprint."""

Inherited = dict[str, Alert]
"""Alerts that fired in a discarded state, by id, each in the resolved form to emit unless the refold fires it again."""


def reconcile(
    opened: Opened, scene: Scene, detector: AnyDetector, verdicts: Iterable[Verdict], *, repeat: bool = False
) -> list[Alert]:
    """Turn a detector's current verdicts into the alerts to emit, in the order of subjects.

    Parameters
    ----------
    opened
        Alerts that fire; changed in place.
    scene
        Current scene of the arena.
    detector
        The detector that reported the verdicts.
    verdicts
        All current verdicts of the detector; its open alerts without a verdict are resolved.
    repeat
        Whether to re-emit alerts last emitted at least `repeat_reviews` reviews ago, with current evidence.

    Returns
    -------
    New alerts, alerts whose severity changed, repeats, and resolved alerts.
    """
    told: list[Alert] = []
    standing = set()
    due = scene.facts.rows - scene.settings.repeat_reviews * scene.settings.review_battles
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.subject.field, verdict.subject.name)):
        alert = firing(scene, detector, verdict, scene.now.time)
        standing.add(alert.fingerprint)
        known = opened.get(alert.fingerprint)
        if known is not None and known.alert.id != alert.id:
            told.append(_resolved(opened, scene, alert.fingerprint))
            known = None
        if known is not None:
            alert = msgspec.structs.replace(alert, detected_at=known.alert.detected_at)
            if known.alert.severity == alert.severity and not (repeat and known.emitted_row <= due):
                continue
        opened[alert.fingerprint] = Open(alert, scene.facts.rows)
        told.append(alert)
    finished = [each for each, known in opened.items() if known.alert.kind == detector.kind and each not in standing]
    finished.sort(key=lambda each: (opened[each].alert.subject.field, opened[each].alert.subject.name))
    return told + [_resolved(opened, scene, each) for each in finished]


def firing(scene: Scene, detector: AnyDetector, verdict: Verdict, detected_at: float) -> Alert:
    """Make a firing alert from a detector's verdict."""
    kind = detector.kind
    about = fingerprint(scene.arena, kind, verdict.subject)
    return Alert(
        id=_occurrence(alert_id(about, verdict.onset), scene.settled),
        fingerprint=about,
        arena=scene.arena,
        kind=kind,
        severity=verdict.severity,
        status=Status.FIRING,
        subject=verdict.subject,
        starts_at=verdict.starts_at,
        detected_at=detected_at,
        summary=detector.summary(scene.arena, verdict),
        evidence=verdict.evidence,
        runbook_url=runbook_url(kind, scene.settings.runbooks),
        version=VERSION,
    )


def _occurrence(name: str, settled: Collection[str]) -> str:
    """Return the id, or the next free one if it was settled: receivers ignore further records of a resolved id."""
    number, found = 1, name
    while found in settled:
        number += 1
        found = f"{name}.{number}"
    return found


def settle(inherited: Inherited, opened: Opened, settled: list[str]) -> list[Alert]:
    """Resolve the inherited alerts that do not fire once the refold has caught up; return the alerts to emit.

    The fold already removes those that it resolved itself. If an alert with the same fingerprint now fires under
    another id, it is emitted again after the resolution, so that a reader that keeps one alert per fingerprint keeps
    the firing one.

    `detected_at` of a resolution is the earliest of its own `detected_at`, its `starts_at`, and the `detected_at` of
    the alert that fires now. The firing alert may have been detected earlier, under other settings, and readers would
    otherwise ignore it as old.

    Parameters
    ----------
    inherited
        Alerts of the discarded state, in their resolved form; emptied.
    opened
        Alerts that fire.
    settled
        Ids resolved in this way; extended.
    """
    told: list[Alert] = []
    for alert in inherited.values():
        now = opened.get(alert.fingerprint)
        if now is not None and now.alert.id == alert.id:
            continue
        known = [alert.detected_at, alert.starts_at] + ([] if now is None else [now.alert.detected_at])
        told.append(msgspec.structs.replace(alert, detected_at=min(known)))
        told += [] if now is None else [now.alert]
        settled.append(alert.id)
    inherited.clear()
    return told


def ended(alert: Alert, time: float) -> Alert:
    """Return the alert as resolved at `time`."""
    return msgspec.structs.replace(alert, status=Status.RESOLVED, ends_at=time, summary=over(time, alert.summary))


def _resolved(opened: Opened, scene: Scene, about: str) -> Alert:
    alert = opened.pop(about).alert
    told = ended(alert, scene.now.time)
    # A drift that turns out to be a removal is not over: its summary says that the removal alert replaces it.
    instead = fingerprint(scene.arena, Kind.SILENT_REMOVAL, alert.subject)
    if alert.kind is Kind.SHARE_DRIFT and instead in opened:
        told = msgspec.structs.replace(told, summary=moved(Kind.SILENT_REMOVAL, alert.summary))
    return told
