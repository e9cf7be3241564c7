"""Conditions that apply to all battles, whichever models are in them; arena-wide events change them."""

from __future__ import annotations

from dataclasses import dataclass

from services.simulate import events
from services.simulate.ground_truth import Deed, TruthEvent
from services.simulate.timeline import End, Step


@dataclass(slots=True)
class Conditions:
    """The conditions in force now.

    Attributes
    ----------
    reuse
        Share of prompts that repeat an earlier one.
    flood
        The current flood, None if there is none.
    zeros
        Whether every battle has the winner `none`.
    outage
        Seconds of silence still to be added to the clock.
    """

    reuse: float
    flood: events.Flood | None = None
    zeros: bool = False
    outage: float = 0.0

    def apply(self, step: Step) -> list[TruthEvent]:
        """Apply an arena-wide event and return what was done."""
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
                # Another flood may have started in the meantime.
                self.flood = None if self.flood == flood else self.flood
                return []
            case End():
                self.zeros = False
                return []
        raise AssertionError(step.what)


def _done(step: Step, deed: Deed, models: list[str] | None = None, **detail: float | str) -> TruthEvent:
    return TruthEvent(battle=step.battle, deed=deed, models=models or [], detail=detail)
