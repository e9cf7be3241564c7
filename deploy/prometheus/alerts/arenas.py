"""The arenas' own alerts, raised by the fairness stage and only forwarded here.

An Alertmanager subscribed through the herald gets these alerts there, with their evidence: then leave these rules out.
"""

from __future__ import annotations

from deploy.prometheus.rule import CRITICAL, WARNING, Alert, Story

_ONSET = 'isonomy_arena_alert_starts_at_seconds{{severity="{severity}"}}'
_FIRING = "max by (arena, kind, about, name) (" + _ONSET + ") > 0"
_TOLD = (
    "Arena {{ $labels.arena }}: {{ $labels.kind }}, {{ $labels.about }} {{ $labels.name }},"
    " since {{ $value | humanizeTimestamp }}."
)
_SUBJECT = {"arena": "text", "kind": "silent_removal", "about": "model", "name": "m7"}


def _series(severity: str, name: str = "m7", instance: str = "a") -> str:
    return (
        f'isonomy_arena_alert_starts_at_seconds{{arena="text",kind="silent_removal",severity="{severity}",'
        f'about="model",name="{name}",instance="{instance}"}}'
    )


ARENAS = (
    Alert(
        name="ArenaUnfair",
        expr=_FIRING.format(severity="critical"),
        severity=CRITICAL,
        wait="0s",
        summary=_TOLD,
        # Two board processes export the same alert.
        fires=Story(
            {
                _series("critical", instance="a"): "_x5 1767225600x20",
                _series("critical", instance="b"): "_x5 1767225600x20",
            },
            "10m",
            ((_SUBJECT, "Arena text: silent_removal, model m7, since 2026-01-01 00:00:00 +0000 UTC."),),
        ),
        # A warning does not page; a resolved alert has no series.
        quiet=Story({_series("warning"): "1767225600x20", _series("critical"): "1767225600x3 stale _x16"}, "10m"),
    ),
    Alert(
        name="ArenaDoubtful",
        expr=_FIRING.format(severity="warning"),
        severity=WARNING,
        wait="0s",
        summary=_TOLD,
        fires=Story(
            {_series("warning"): "1767225600x20"},
            "10m",
            ((_SUBJECT, "Arena text: silent_removal, model m7, since 2026-01-01 00:00:00 +0000 UTC."),),
        ),
        quiet=Story({_series("info"): "1767225600x20"}, "10m"),
    ),
)
