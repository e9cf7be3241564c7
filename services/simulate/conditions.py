"""Conditions: what holds for all battles, whoever takes part; the arena-wide events change it."""

from __future__ import annotations

from dataclasses import dataclass

from services.simulate import events
from services.simulate.ground_truth import Deed, TruthEvent
from services.simulate.timeline import End, Step


@dataclass(slots=True)
class Conditions:
    """What holds now.

    Attributes
    ----------
    reuse
        Share of prompts that repeat an earlier one.
    flood
        The flood under way.
    zeros
        Whether no record has a vote.
    outage
        Seconds of silence that are still to come.
    """

    reuse: float
    flood: events.Flood | None = None
    zeros: bool = False
    outage: float = 0.0

    def apply(self, step: Step) -> list[TruthEvent]:
        """Let an event happen to the arena; returns what was done."""
        match step.what:
            case events.Flood() as flood:
                self.flood = flood
                favoured = [flood.favours] if flood.favours else []
                return [_done(step, Deed.FLOOD, favoured, share=flood.share, battles=flood.battles, voter=flood.voter)]
            case events.Zeros(battles=battles):
                self.zeros = True
                return [_done(step, Deed.ZEROS, battles=battles)]
            case events.Outage(hours=hours):
                self.outage += hours * 3_600
                return [_done(step, Deed.OUTAGE, hours=hours)]
            case events.Reuse(reuse=reuse):
                self.reuse = reuse
                return [_done(step, Deed.PROMPTS, reuse=reuse)]
            case End(of=events.Flood() as flood):
                # Another one may have begun meanwhile.
                self.flood = None if self.flood == flood else self.flood
                return []
            case End():
                self.zeros = False
                return []
        raise AssertionError(step.what)


def _done(step: Step, deed: Deed, models: list[str] | None = None, **detail: float | str) -> TruthEvent:
    return TruthEvent(battle=step.battle, deed=deed, models=models or [], detail=detail)
