"""The published view of an arena's fairness: shares, declared shares, evidence, removals, tables, counts and alerts.

Three quantities are easily mixed up and are always named: a *share of battles* is the part of battles that a model is
in (all models add to 2); the share of battles of a group is the part that involves at least one of its models; a *share
of slots* is the part of the two slots of each battle (all add to 1).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streams.contracts.alert import Alert
from streams.contracts.judged import Judged
from streams.contracts.view import Position

State = Literal["active", "deprecated", "retired", "removed", "inactive", "undeclared"]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model. `share_of_battles` is over the window; `log10_e` is the evidence against its declared share now.

    Unknown values are null: where the arena declares nothing, all that follows from a declaration, and `inactive` until
    a window is full; the shares before the first review; and the evidence where nothing is judged, such as before the
    first look, or for a model that is not declared to be drawn.

    `state`: the declared state, unless the model is `removed` silently, `inactive` (declared and without a battle in
    the window) or `undeclared`. `since`: since when it is out of play.
    """

    model: str
    provider: str | None
    license: str | None
    visibility: str | None
    state: State
    declared_share_of_battles: float | None
    share_of_battles: float | None
    share_of_slots: float | None
    battles: int
    last_seen: float | None
    log10_e: float | None
    log10_e_removal: float | None
    inactive: bool | None
    without_notice: bool | None
    since: float | None = None


class Census(msgspec.Struct, frozen=True):
    """Numbers of models; `private` are those in play that no public board shows.

    Numbers that follow from the registry alone are null where the arena declares nothing, and there `inactive` is null
    until a window is full. Elsewhere, until a window is full, it counts the models that the registry takes out of play.
    """

    models: int
    active: int
    deprecated: int | None
    retired: int | None
    inactive: int | None
    inactive_without_notice: int | None
    private: int | None


class Levels(msgspec.Struct, frozen=True):
    """The evidence at which an alert fires, as log10 of e-values, and the promise behind it.

    On average `battles_between_pages` battles or more pass between two false pages of all `detectors` together.
    """

    log10_warning: float
    log10_page: float
    detectors: int
    battles_between_pages: float
    tolerance: float


class Policy(msgspec.Struct, frozen=True):
    """The policy in force, and whether it is honoured as a whole: p = 10^−log10_e_max holds whenever one looks.

    `log10_e` is null where no battle was judged by it yet.
    """

    since: float
    since_battle: int
    log10_e: float | None
    log10_e_max: float | None


class Exposure(msgspec.Struct, frozen=True):
    """How battles are told from votes, and how many of them were judged.

    `votes_per_draw` is the estimate by which the evidence of votes with neither `battle` nor `voter` is divided; 1
    while they show no bunches. `unclear_share` is the share of such votes in the last review, `judged_share` the share
    of its battles that some declared policy judges. Both are null before the first review, and `judged_share` where
    the arena declares nothing.
    """

    votes_per_draw: float
    unclear_share: float | None
    judged_share: float | None


class Group(msgspec.Struct, frozen=True):
    """A provider or a licence class; shares are over the window. Unknown values are null, as for a model."""

    name: str
    declared_share_of_battles: float | None
    share_of_battles: float | None
    share_of_slots: float | None
    battles: int
    log10_e: float | None
    counts: Census


class Inequality(msgspec.Struct, frozen=True):
    """How unequal the providers' shares of slots are over the window; null where no provider or no window is known."""

    gini: float | None
    hhi: float | None
    largest: str | None


class FairnessView(msgspec.Struct, frozen=True):
    """One arena, published as `isonomy:{arena}:fairness`. `as_of` is on the clock of the votes, epoch seconds.

    `battles` counts draws and `votes` votes: a draw may have several votes or none.

    `judged` says which detectors judge: where one does not, the absence of its alerts means nothing. `levels`,
    `policy` and `removals` are null while the arena declares nothing.
    """

    arena: str
    as_of: float | None
    position: Position
    battles: int
    votes: int
    window_battles: int
    declares: bool
    note: str | None
    outage: bool
    judged: list[Judged]
    levels: Levels | None
    policy: Policy | None
    counts: Census
    removals: list[str] | None
    models: list[Line]
    providers: list[Group]
    licenses: list[Group]
    inequality: Inequality
    exposure: Exposure


class AlertsView(msgspec.Struct, frozen=True):
    """The alerts that fire, published as `isonomy:{arena}:alerts`, latest beginning first."""

    arena: str
    as_of: float | None
    position: Position
    alerts: list[Alert]
