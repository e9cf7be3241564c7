"""Examples of fairness, made by the code that they describe: an arena's view, its alerts, the message about them."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from examples import ARENA, BEGAN, block_record, fenced, rounded

from streams.contracts.alert import Alert
from streams.contracts.model import Model
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.view import alerts_view, fairness_view
from streams.ledger.codec import Notice, decode

_DECLARED = (
    # model, provider, license, visibility, weight
    ("ash-2", "Ash", "open_weight", "public", 1.0),
    ("birch", "Birch", "proprietary", "public", 1.0),
    ("cedar-1", "Cedar", "proprietary", "public", 2.0),
    *((f"cedar-2-{letter}", "Cedar", "proprietary", "private", 0.5) for letter in "abcd"),
)


def fairness_json() -> str:
    """Show the fairness view after the example block, its numbers rounded."""
    view = msgspec.to_builtins(fairness_view(_folded()[0]))
    for name in ("models", "providers", "licenses"):
        view[name] = view[name][:1]
    return fenced(rounded(view))


def changed_json() -> str:
    """Show the message that announces it."""
    state, _ = _folded()
    number = len(alerts_view(state).alerts)
    return fenced({"arena": ARENA, "fairness": True, "alerts": number, "ledger": state.position}, indent=None)


def alert_json() -> str:
    """Show the alert that the fourth private variant of one provider raises."""
    (alert,) = _folded()[1]
    return fenced(msgspec.to_builtins(alert))


@cache
def _folded() -> tuple[ArenaFairness, list[Alert]]:
    state, alerts = ArenaFairness.start(ARENA, FairnessSettings()), list[Alert]()
    for offset, (name, provider, license_, visibility, weight) in enumerate(_DECLARED):
        record: dict[str, Any] = {"arena": ARENA, "model": name, "provider": provider, "license": license_}
        record |= {"visibility": visibility, "status": "active", "weight": weight, "tstamp": float(BEGAN - 60)}
        alerts += fold(state, Notice(ARENA, name, msgspec.convert(record, Model), 0, offset, 1000 * (BEGAN - 59)))
        state.position += 1
    alerts += fold(state, decode(block_record()))
    state.position += 1
    return state, alerts
