"""The life of an alert: firing when a verdict is new, repeated while it stands, resolved when it is said no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.contracts.alert import VERSION, Alert, Kind, Status, alert_id, fingerprint, runbook_url
from streams.fairness.alerts.summaries import moved, over
from streams.fairness.arena.context import Scene
from streams.fairness.detectors.base import Detector, Verdict


@dataclass(slots=True)
class Open:
    """An alert that fires: as last emitted, and after how many battles that was."""

    alert: Alert
    emitted_row: int


Opened = dict[str, Open]
"""Alerts that fire, by fingerprint."""

Inherited = dict[str, Alert]
"""Alerts that fired in a state that was given up, by id, each as it is told when the refold does not raise it again."""


def reconcile(
    opened: Opened, scene: Scene, detector: Detector[Any], verdicts: Iterable[Verdict], *, repeat: bool = False
) -> list[Alert]:
    """Turn what a detector says now into what is to be told, in the order of subjects.

    Parameters
    ----------
    opened
        Alerts that fire; changed in place.
    scene
        Where the ledger stands.
    detector
        Whose verdicts these are: all that stand.
    repeat
        Whether alerts emitted at least `repeat_reviews` reviews ago are told again with today's evidence.

    Returns
    -------
    New alerts, those with another severity, repeats, and those that are over.
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


def firing(scene: Scene, detector: Detector[Any], verdict: Verdict, detected_at: float) -> Alert:
    """An alert from a verdict of a detector."""
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
    """The id, or the next one that was not told to be over: who heard of that takes what is told under it for old."""
    number, found = 1, name
    while found in settled:
        number += 1
        found = f"{name}.{number}"
    return found


def settle(inherited: Inherited, opened: Opened, settled: list[str]) -> list[Alert]:
    """Say what is to be told of inherited alerts once the refold is through: those that it did not raise are over.

    The fold takes those away that it ended by itself. An alert that now fires about the same thing under another id is
    told once more, behind the end: whoever keeps one statement of each fingerprint must not keep the end.

    An end says that it was detected when the alert began, or when the one that fires now was, if that is earlier. For
    what is told behind it may have been detected before it, by other settings, and would be taken for old.

    Parameters
    ----------
    inherited
        As the given up state left them, each as it ends; emptied.
    opened
        Alerts that fire.
    settled
        Ids that were told to be over in this way; added to.
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
    """An alert that is over since `time`."""
    return msgspec.structs.replace(alert, status=Status.RESOLVED, ends_at=time, summary=over(time, alert.summary))


def _resolved(opened: Opened, scene: Scene, about: str) -> Alert:
    alert = opened.pop(about).alert
    told = ended(alert, scene.now.time)
    # A drift that turns out to be a removal is not over: it is told once, as what it is.
    instead = fingerprint(scene.arena, Kind.SILENT_REMOVAL, alert.subject)
    if alert.kind is Kind.SHARE_DRIFT and instead in opened:
        told = msgspec.structs.replace(told, summary=moved(Kind.SILENT_REMOVAL, alert.summary))
    return told
