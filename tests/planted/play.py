"""Play a scenario through the fold, and count for each kind how many battles after the defect it fired."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import msgspec
import numpy as np

from services.simulate import Deed, Scenario, Truth, TruthEvent, load_scenario, simulate
from streams.contracts.alert import Alert, Severity, Status
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import Block

QUIET = frozenset({Deed.JOINED, Deed.WEIGHT, Deed.RESTORED, Deed.ANNOUNCED})
"""What is no defect: an alert is not counted from it while there is something else to count from."""

SEVERITIES = [Severity.INFO, Severity.WARNING, Severity.CRITICAL]


@dataclass(slots=True)
class Fired:
    """One alert.

    Attributes
    ----------
    kind, subject
        The kind, and the name of the subject with its sort: `model x`; `arena` for the arena.
    severity
        The highest that it had.
    after
        Battles from the defect to its first statement; negative if it fired before.
    paged
        The same to its first critical statement; None if there is none.
    """

    kind: str
    subject: str
    severity: Severity
    after: float
    paged: float | None


@dataclass(slots=True)
class Run:
    """What one run of a scenario gave."""

    battles: int
    fired: list[Fired]

    def count(self, kind: str) -> int:
        """Number of alerts of a kind."""
        return Counter(each.kind for each in self.fired)[kind]

    def first(self, kinds: tuple[str, ...]) -> Fired | None:
        """The first alert of one of these kinds."""
        return min((each for each in self.fired if each.kind in kinds), key=lambda each: each.after, default=None)


def play(name: str, seed: int, battles: int | None = None, earlier: int = 0) -> Run:
    """Play a scenario.

    Parameters
    ----------
    name
        A shipped scenario.
    battles
        Battles to draw; the scenario's own number unless given.
    earlier
        Battles by which its events come earlier.
    """
    simulation = simulate(_sooner(load_scenario(name), earlier), seed, battles)
    state = ArenaFairness.start(simulation.world.arena, FairnessSettings())
    told: dict[str, list[Alert]] = {}
    times: list[np.ndarray] = []
    draws = 0.0
    for record in simulation:
        for alert in fold(state, record):
            if alert.status is Status.FIRING:
                told.setdefault(alert.id, []).append(alert)
        if isinstance(record, Block):
            times.append(record.rows.tstamp)
            draws = simulation.drawn / simulation.rows
    clock = np.maximum.accumulate(np.concatenate(times))
    return Run(simulation.drawn, [_fired(alerts, simulation.truth, clock, draws) for alerts in told.values()])


def _sooner(scenario: Scenario, battles: int) -> Scenario:
    """Let the events and later models come earlier, but not before the first battle."""
    moved = [msgspec.structs.replace(event, at=max(0, event.at - battles)) for event in scenario.events]
    joining = [msgspec.structs.replace(group, at=max(0, group.at - battles)) for group in scenario.models]
    return msgspec.structs.replace(scenario, events=moved, models=joining)


def _fired(alerts: list[Alert], truth: Truth, clock: np.ndarray, draws: float) -> Fired:
    """Sum up the statements of one alert; `draws` is the number of draws to a row."""
    first = alerts[0]
    row = int(np.searchsorted(clock, first.detected_at, side="right"))
    since = _since(first, truth, row)
    page = next((each for each in alerts if each.severity is Severity.CRITICAL), None)
    paged = None if page is None else int(np.searchsorted(clock, page.detected_at, side="right"))
    field = first.subject.field
    return Fired(
        kind=first.kind.value,
        subject=f"{field} {first.subject.name}".strip(),
        severity=max((each.severity for each in alerts), key=SEVERITIES.index),
        after=(row - since) * draws,
        paged=None if paged is None else (paged - since) * draws,
    )


def _since(alert: Alert, truth: Truth, row: int) -> int:
    """The row at which began what the alert is about: what was last done to its model, or first to the arena.

    Where nothing unfair is done, that is the first change of the declared weights, or the last model that joined.
    """
    done = [event for event in truth.events if event.row is not None and event.row <= row]
    loud = [event for event in done if event.deed not in QUIET]
    own = [event for event in loud if alert.subject.model in event.models]
    if own:
        last = own[-1]
        return _row(next(event for event in own if event.deed == last.deed and _unbroken(own, event)))
    if loud:
        return _row(loud[0])
    declared = [event for event in done if event.deed is Deed.WEIGHT]
    return _row(declared[0] if declared else [event for event in done if event.deed is Deed.JOINED][-1])


def _unbroken(own: list[TruthEvent], first: TruthEvent) -> bool:
    """Whether the same was done to the model from this event on: the steps of a ramp are one thing."""
    return len({event.deed for event in own[own.index(first) :]}) == 1


def _row(event: TruthEvent) -> int:
    return event.row or 0
