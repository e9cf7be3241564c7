"""Notices: the status of each model in a registry, and when its end was announced."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.audit.board.names import plain
from streams.contracts.model import Model


class RegistryNotice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Status of one model in a registry.

    Attributes
    ----------
    status
        Status in its newest record: active, deprecated or retired.
    announced
        Epoch seconds of the first announcement of its end; None while there is none.
    reason
        Reason given with the announcement.
    """

    status: str
    announced: float | None = None
    reason: str | None = None


def read_notices(records: Iterable[Model], until: float) -> dict[str, RegistryNotice]:
    """Read the records made up to the time `until`, by name without case and punctuation.

    A later record that declares the model active, without `announced_at`, withdraws the announcement.
    """
    notices: dict[str, RegistryNotice] = {}
    for record in sorted(records, key=lambda record: (record.tstamp, record.model)):
        if record.tstamp > until:
            continue
        name = plain(record.model)
        before = notices.get(name)
        if record.status == "active" and record.announced_at is None:
            notices[name] = RegistryNotice(record.status)
            continue
        said = record.tstamp if record.announced_at is None else record.announced_at
        if before is not None and before.announced is not None:
            said = min(said, before.announced)
        reason = record.reason or (before.reason if before else None)
        notices[name] = RegistryNotice(record.status, said, reason)
    return notices


def most_private(records: Iterable[Model], until: float) -> dict[str, int]:
    """Largest number of private variants in play at once, per provider that ever had one, largest first."""
    in_play: dict[str, str] = {}
    most: dict[str, int] = {}
    for record in sorted(records, key=lambda record: (record.tstamp, record.model)):
        if record.tstamp > until:
            break
        if record.visibility == "private" and record.status != "retired" and record.weight > 0:
            in_play[record.model] = record.provider
            now = list(in_play.values()).count(record.provider)
            most[record.provider] = max(now, most.get(record.provider, 0))
        else:
            in_play.pop(record.model, None)
    return dict(sorted(most.items(), key=lambda item: (-item[1], item[0])))


def notice_of(notices: dict[str, RegistryNotice], names: Iterable[str]) -> RegistryNotice | None:
    """Return the notice under any of a model's names; the earliest announcement first, then one without."""
    found = [notices[plain(name)] for name in names if plain(name) in notices]
    return min(found, key=lambda each: (each.announced is None, each.announced or 0.0), default=None)
