"""The Atom feed (RFC 4287) of an arena's alerts: one entry for each alert and status. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from streams.contracts.alert import Alert, Status
from streams.contracts.names import shown

NAMESPACE = "http://www.w3.org/2005/Atom"
_IDS = uuid.UUID("6f1f3a5e-8a2e-5c0b-9d55-3f8f3a7f6c11")
# Characters that XML 1.0 cannot hold, not even escaped; names of models are free text.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EPOCH = "1970-01-01T00:00:00Z"

ET.register_namespace("", NAMESPACE)


def feed(arena: str, alerts: Sequence[Alert], public_url: str, judged: str) -> bytes:
    """Write the feed, latest first; `judged` says what was judged, so that an empty feed does not suggest that all was.

    Ids derive from the ids of the alerts, so they stay when the address of the board changes. Times are on the clock of
    the votes, as in the alerts.
    """
    base = public_url.rstrip("/")
    entries = sorted(alerts, key=lambda alert: (-updated(alert), alert.id, alert.status))
    root = ET.Element(_tag("feed"))
    _text(root, "id", _id("feed", arena))
    _text(root, "title", f"Alerts of the arena {arena}")
    _text(root, "subtitle", f"What the arena did against its own declared rules, as Isonomy found it. {judged}")
    _text(root, "updated", _time(updated(entries[0])) if entries else _EPOCH)
    ET.SubElement(root, _tag("link"), rel="self", href=f"{base}/v1/arenas/{quote(arena)}/alerts.atom")
    ET.SubElement(root, _tag("link"), rel="alternate", type="text/html", href=f"{base}/#/{quote(arena)}/alerts")
    _text(ET.SubElement(root, _tag("author")), "name", "Isonomy")
    for alert in entries:
        _entry(root, alert, base)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def updated(alert: Alert) -> float:
    """When the alert reached its status, epoch seconds: the end of a resolved one, else its detection."""
    return alert.ends_at if alert.status is Status.RESOLVED and alert.ends_at is not None else alert.detected_at


def _entry(root: ET.Element, alert: Alert, base: str) -> None:
    entry = ET.SubElement(root, _tag("entry"))
    _text(entry, "id", _id(alert.id, alert.status))
    name = alert.subject.name or f"arena {alert.arena}"
    _text(entry, "title", f"{alert.severity} · {alert.kind} · {name} · {alert.status}")
    _text(entry, "published", _time(alert.detected_at))
    _text(entry, "updated", _time(updated(alert)))
    href = f"{base}/#/{quote(alert.arena)}/alerts/{quote(alert.id)}"
    ET.SubElement(entry, _tag("link"), rel="alternate", type="text/html", href=href)
    for scheme, term in (("kind", alert.kind), ("severity", alert.severity), ("status", alert.status)):
        ET.SubElement(entry, _tag("category"), term=term, label=f"{scheme}: {term}")
    _text(entry, "summary", alert.summary)
    evidence = "".join(f"\n{key}: {_value(value)}" for key, value in sorted(alert.evidence.items()))
    text = f"{alert.summary}\nSince {_time(alert.starts_at)}.{evidence}\nRunbook: {alert.runbook_url}"
    _text(entry, "content", text)


def _id(*words: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_IDS, '/'.join(words))}"


def _value(value: float | int | str | list[str]) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _text(parent: ET.Element, name: str, text: str) -> None:
    lines = "\n".join(map(shown, text.split("\n")))
    ET.SubElement(parent, _tag(name)).text = _NO_XML.sub("\ufffd", lines)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _time(seconds: float) -> str:
    bounded = min(max(seconds, 0.0), 253_402_300_799.0)  # the year 9999 is the last that can be written
    return datetime.fromtimestamp(bounded, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
