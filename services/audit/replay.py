"""Replays votes and notices through the stream's fairness fold."""

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
    """Replays the votes of one arena, with its notices merged in by time.

    A notice comes before the first vote that is not older than it; votes keep the order of the file.

    Parameters
    ----------
    arena
        Name of the arena.
    registry
        Model records of the arena.
    options
        Options of the audit: days of notice, and the URL of the runbooks.
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
        """Fold rows, and the notices due before them and among them."""
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
        """The latest state of each alert: firing ones first, then by detection time."""
        return sorted(
            self._told.values(), key=lambda alert: (alert.status is not Status.FIRING, alert.detected_at, alert.id)
        )

    @property
    def headline(self) -> str:
        """A sentence with the number of firing alerts by kind."""
        counts = dict.fromkeys(Kind, 0)
        for alert in self._told.values():
            counts[alert.kind] += alert.status is Status.FIRING
        said = ", ".join(f"{count} {kind.value.replace('_', ' ')}" for kind, count in counts.items() if count)
        return f"Alerts against the declared policy at the end: {said or 'none'}."

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Declared and observed share of each model: share of all battles, so they add up to 2."""
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
        """Sentences on records of the registry that are not used."""
        if not self._waiting:
            return []
        return [f"Registry: {len(self._waiting)} records are later than the last vote and are left out."]
