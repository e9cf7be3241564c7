"""A replay of votes and notices through the stream's fairness fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streams.audit.options import Options
from streams.contracts.alert import RUNBOOKS, Alert, Kind, Status
from streams.contracts.model import Model
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows


class ArenaReplay:
    """Votes of one arena, with its notices placed among them by their time.

    A notice comes before the first vote that is not older than it; votes keep the order of the file.

    Parameters
    ----------
    arena
        Its name.
    registry
        Its model records.
    options
        Days of notice, and where the runbooks are.
    """

    def __init__(self, arena: str, registry: Sequence[Model], options: Options) -> None:
        settings = FairnessSettings(notice_days=options.notice_days, runbooks=options.runbooks or RUNBOOKS)
        self._state = ArenaFairness.start(arena, settings)
        ordered = sorted(registry, key=lambda record: (record.tstamp, record.model))
        self._waiting = [
            Notice(arena, record.model, record, 0, offset, int(record.tstamp * 1000))
            for offset, record in enumerate(ordered)
        ]
        self._clock = -np.inf
        self._told: dict[str, Alert] = {}

    def play(self, rows: Rows) -> None:
        """Fold rows, and the notices before and among them."""
        for record in self._merged(rows):
            for alert in fold(self._state, record):
                self._told[alert.id] = alert

    def _merged(self, rows: Rows) -> Iterator[Block | Notice]:
        clock = np.maximum.accumulate(np.maximum(rows.tstamp, self._clock))
        at = 0
        while self._waiting and len(rows):
            cut = int(np.searchsorted(clock, self._waiting[0].recorded / 1000, side="left"))
            if cut == len(rows):
                break
            if cut > at:
                yield Block(self._state.arena, rows.take(slice(at, cut)), {})
                at = cut
            yield self._waiting.pop(0)
        if at < len(rows):
            yield Block(self._state.arena, rows.take(slice(at, len(rows))), {})
        self._clock = float(clock[-1]) if len(rows) else self._clock

    @property
    def alerts(self) -> list[Alert]:
        """The last statement of each alert: firing ones first, then by the time they were detected."""
        return sorted(
            self._told.values(), key=lambda alert: (alert.status is not Status.FIRING, alert.detected_at, alert.id)
        )

    @property
    def headline(self) -> str:
        """How many alerts there are, by kind."""
        counts = dict.fromkeys(Kind, 0)
        for alert in self._told.values():
            counts[alert.kind] += alert.status is Status.FIRING
        said = ", ".join(f"{count} {kind.value.replace('_', ' ')}" for kind, count in counts.items() if count)
        return f"Alerts against the declared policy at the end: {said or 'none'}."

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Declared share of battles (of all battles, so these add to 2) of each model, beside what was seen."""
        facts, pi = self._state.scene.facts, self._state.scene.play.pi
        whole = max(1, facts.rows)
        return {
            name: {
                "declared": round(float(pi[number]), 6),
                "seen": round(float(facts.window.total[number]) / whole, 6),
            }
            for name, number in sorted(facts.roster.models.items())
        }

    @property
    def unsaid(self) -> list[str]:
        """What the registry leaves open."""
        if not self._waiting:
            return []
        return [f"Registry: {len(self._waiting)} records are later than the last vote and are left out."]
