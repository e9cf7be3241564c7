"""Conditions that apply to all battles, whichever models are in them; arena-wide events change them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.simulate import events
from services.simulate.ground_truth import Deed, TruthEvent
from services.simulate.timeline import End, Step

E = TypeVar("E", bound=events.Base)


@dataclass(slots=True)
class Ongoing:
    """An attack that goes on.

    Attributes
    ----------
    event
        What is done.
    who
        bool[M], the models that it is about; all for one of the arena.
    random
        Its own random numbers, so that it changes no others.
    done
        How often it was done: votes of bots, invented names.
    due
        int64, sorted: battles from now on which the votes of bots are due.
    """

    event: events.Base
    who: NDArray[np.bool_]
    random: np.random.Generator
    done: int = 0
    due: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


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
    attacks
        The attacks that go on, by their place in the scenario and their models.
    """

    reuse: float
    flood: events.Flood | None = None
    zeros: bool = False
    outage: float = 0.0
    attacks: dict[tuple[str, tuple[str, ...]], Ongoing] = field(default_factory=dict)

    def of(self, kind: type[E]) -> Iterator[tuple[E, Ongoing]]:
        """The attacks of one kind that go on, each with its event."""
        return ((each.event, each) for each in self.attacks.values() if isinstance(each.event, kind))

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

    def attack(self, step: Step, who: NDArray[np.bool_], random: np.random.Generator) -> list[TruthEvent]:
        """Begin or end an attack and return what was done.

        Parameters
        ----------
        who
            bool[M], the models that it is about.
        random
            Its random numbers.
        """
        names = [member.name for member in step.members]
        at = (step.where, tuple(names))
        if isinstance(step.what, End):
            self.attacks.pop(at)
            return []
        assert isinstance(step.what, events.ATTACKS)  # noqa: S101 -- for the type checker
        ongoing = self.attacks[at] = Ongoing(step.what, who, random)
        if isinstance(step.what, events.Bots):
            until = step.battle + step.what.battles
            ongoing.due = np.sort(random.integers(step.battle, until, step.what.votes))
        deed = Deed(str(step.what.__struct_config__.tag))
        detail = {key: getattr(step.what, key) for key in _DETAILS if getattr(step.what, key, None) is not None}
        return [_done(step, deed, names, **detail)]


_DETAILS = ("against", "side", "language", "category", "outcome", "part", "to", "factor", "votes", "voters", "share")
"""Keys of an attack that the truth repeats."""


def _done(step: Step, deed: Deed, models: list[str] | None = None, **detail: float | str) -> TruthEvent:
    return TruthEvent(battle=step.battle, deed=deed, models=models or [], detail=detail)
