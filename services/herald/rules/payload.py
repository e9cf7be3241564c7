"""Message bodies: Alertmanager's webhook JSON, a text for people, and alerts for Alertmanager's API. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from services.herald.rules.matching import rank
from streams.contracts.alert import Alert, Status
from streams.contracts.names import shown

NEVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes for an alert that has not ended."""
MOST_TITLE, MOST_TITLE_BYTES = 120, 240
"""Most characters, and most bytes of UTF-8. Apprise (2.3.0) encodes a mail's subject in one line, three characters for
each byte, and RFC 5321 forbids lines over 998. Without the limit, a long model name could block its own alerts."""

_encode = msgspec.json.Encoder(order="deterministic").encode


def labels_of(alert: Alert) -> dict[str, str]:
    """Labels of an alert, under the names that receivers of Alertmanager expect."""
    subject = {field: value for field, value in msgspec.structs.asdict(alert.subject).items() if value}
    return {
        "alertname": alert.kind.value,
        "arena": alert.arena,
        "severity": alert.severity.value,
        **subject,
    }


def notes_of(alert: Alert) -> dict[str, str]:
    """Annotations of an alert: summary, runbook, evidence as JSON, id."""
    return {
        "summary": alert.summary,
        "runbook_url": alert.runbook_url,
        "evidence": json.dumps(alert.evidence, sort_keys=True, ensure_ascii=False),
        "alert_id": alert.id,
    }


def page_of(alert: Alert, public_url: str) -> str:
    """URL of the arena's alerts on the board."""
    return f"{public_url.rstrip('/')}/v1/arenas/{alert.arena}/alerts"


def webhook_body(alerts: Sequence[Alert], receiver: str, public_url: str) -> bytes:
    """Body in the format of Alertmanager's webhook, version 4; the same bytes in every attempt.

    Parameters
    ----------
    alerts
        At least one, all with the same arena and status.
    receiver
        The subscription's name.
    public_url
        Public URL of the board.
    """
    first = alerts[0]
    said = [(labels_of(alert), notes_of(alert)) for alert in alerts]
    return _encode(
        {
            "version": "4",
            "groupKey": f'{{}}:{{arena="{first.arena}"}}',
            "truncatedAlerts": 0,
            "status": first.status.value,
            "receiver": receiver,
            "groupLabels": {"arena": first.arena},
            "commonLabels": _common([each for each, _ in said]),
            "commonAnnotations": _common([each for _, each in said]),
            "externalURL": public_url,
            "alerts": [
                {
                    "status": alert.status.value,
                    "labels": about,
                    "annotations": notes,
                    "startsAt": timestamp(alert.starts_at),
                    "endsAt": NEVER if alert.ends_at is None else timestamp(alert.ends_at),
                    "generatorURL": page_of(alert, public_url),
                    "fingerprint": alert.fingerprint,
                }
                for alert, (about, notes) in zip(alerts, said, strict=True)
            ],
        }
    )


def alertmanager_body(alerts: Sequence[Alert], public_url: str, now: float, ahead: float) -> bytes:
    """Body of `POST /api/v2/alerts`.

    Alertmanager uses wall time. A firing alert ends `ahead` seconds from now unless it is sent again; a resolved one
    ends now. A start in the future of our clock becomes one second ago, because an alert must not end before it starts.
    """
    return _encode(
        [
            {
                "labels": labels_of(alert),
                "annotations": notes_of(alert),
                "startsAt": timestamp(min(alert.starts_at, now - 1)),
                "endsAt": timestamp(now + ahead if alert.status is Status.FIRING else now),
                "generatorURL": page_of(alert, public_url),
            }
            for alert in alerts
        ]
    )


def text_message(
    alerts: Sequence[Alert], public_url: str, literal: Callable[[str], str] = lambda text: text
) -> tuple[str, str]:
    """Title and text for a person; `literal` escapes words that come from outside."""
    first = alerts[0]
    over = first.status is Status.RESOLVED
    worst = "RESOLVED" if over else max((alert.severity for alert in alerts), key=rank).value.upper()
    about = first.subject.name or first.arena
    what = f"{first.kind.value} {about}" if len(alerts) == 1 else f"{len(alerts)} alerts"
    title = f"[{worst}] {first.arena}: {what}"
    title = _cut(literal(shown(title) if len(title) <= MOST_TITLE else shown(title)[: MOST_TITLE - 1] + "…"))
    parts = [
        f"{literal(shown(alert.summary))}\nSince {timestamp(alert.starts_at)}"
        + (f", until {timestamp(alert.ends_at)}" if alert.ends_at is not None else "")
        + f". Runbook: {alert.runbook_url}"
        for alert in alerts
    ]
    return title, "\n\n".join([*parts, page_of(first, public_url)])


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds.

    >>> timestamp(1767225540.0)
    '2025-12-31T23:59:00.000Z'
    """
    bounded = min(max(seconds, 0.0), 253_402_300_799.0)  # the year 9999 is the last that can be written
    text = datetime.fromtimestamp(bounded, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _cut(title: str) -> str:
    written = title.encode()
    if len(written) <= MOST_TITLE_BYTES:
        return title
    return written[: MOST_TITLE_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"


def _common(each: list[dict[str, str]]) -> dict[str, str]:
    return {name: value for name, value in each[0].items() if all(other.get(name) == value for other in each)}
