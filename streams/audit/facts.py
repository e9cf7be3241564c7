"""The facts of an audit: all results, before the report puts them into words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.audit.alerts.notices import Notice, most_private, notice_of, read_notices
from streams.audit.alerts.removals import removals
from streams.audit.alerts.retirement import bias_alert, retirement_of
from streams.audit.alerts.stalls import stall
from streams.audit.board.absences import Absences, absences_of
from streams.audit.board.depth import Depth, depth_of
from streams.audit.board.feed_remarks import Rename, remarks_of, renames_of
from streams.audit.board.gains import Gains, gains_of
from streams.audit.board.history import Row, lay_out
from streams.audit.board.models import Models, by_spelling
from streams.audit.board.outages import set_aside
from streams.audit.board.remarks import Oddity, Remark, some
from streams.audit.board.renames import follow_renames
from streams.audit.board.shares import by_group, normed, slots
from streams.audit.churn import churn_of
from streams.audit.options import Options
from streams.audit.sampling import sampling_of
from streams.audit.stops.detect import watch
from streams.audit.stops.pauses import Pause, Watched
from streams.audit.stops.states import States, states_of
from streams.contracts.alert import Alert
from streams.contracts.model import Model


@dataclass(frozen=True, slots=True)
class Facts:
    """Results of an audit; see the modules that define the types.

    Attributes
    ----------
    kind
        `snapshots`, or `votes` counted into snapshots.
    start, end
        First and last date of the file, also of snapshots that were set aside.
    registry, strange_registry
        Whether there is a registry that knows some of the models, or one that knows none.
    private
        Largest number of private variants in play at once, of each provider, from the registry.
    notices
        Notice of each model; None where the registry does not know the model.
    provider_shares, license_shares
        Shares of slots in the last period; `*_before` hold those of the whole file, up to `states.live`.
    """

    kind: str
    options: Options
    start: float
    end: float
    models: Models
    gains: Gains
    watched: Watched
    depth: Depth
    absences: Absences
    states: States
    renames: list[Rename]
    registry: bool
    strange_registry: bool
    private: dict[str, int]
    notices: list[Notice | None]
    alerts: list[Alert]
    remarks: list[Remark]
    provider_shares: dict[str, float]
    license_shares: dict[str, float]
    provider_shares_before: dict[str, float]
    license_shares_before: dict[str, float]
    retirement: dict[str, Any]
    sampling: dict[str, Any]
    churn: dict[str, Any]

    def name(self, model: int) -> str:
        """The newest name of a model."""
        return self.models.names[model]


def find_facts(rows: list[Row], registry: Iterable[Model] | None, options: Options, kind: str = "snapshots") -> Facts:
    """Audit the rows of dated snapshots, in any order; at least one row. `kind` is what they were made of."""
    history, remarks = lay_out(rows)
    start, end = float(history.dates[0]), float(history.dates[-1])
    cleaned = set_aside(history)
    models = follow_renames(by_spelling(cleaned.history, options.providers))
    gains = gains_of(models)
    watched = watch(gains, options.precision)
    depth = depth_of(models.score, models.rank, models.place, models.listed)
    absences = absences_of(models, gains, watched, depth)
    states = states_of(models, gains, watched, absences, options)
    renames = renames_of(models)
    records = list(registry or ())
    told = read_notices(records, end)
    notices = [notice_of(told, _names(models, model)) for model in range(len(models.names))]
    # A registry that knows none of the models belongs to another arena: ignore it.
    has_registry = any(notice is not None for notice in notices)
    stalled, odd = stall(cleaned, models, gains, watched, options)
    gone = removals(models, gains, watched, states, notices, has_registry, bool(stalled), options)
    retirement = retirement_of(models, states)
    alerts = [*stalled, *gone, *bias_alert(retirement, start, float(models.dates[states.live]), options)]
    last, whole = slots(gains, states.start, states.live), slots(gains, 0, states.live)
    return Facts(
        kind=kind,
        options=options,
        start=start,
        end=end,
        models=models,
        gains=gains,
        watched=watched,
        depth=depth,
        absences=absences,
        states=states,
        renames=renames,
        registry=has_registry,
        strange_registry=registry is not None and not has_registry,
        private=most_private(records, end) if has_registry else {},
        notices=notices,
        alerts=alerts,
        remarks=[
            *cleaned.remarks,
            *remarks,
            *remarks_of(models, gains, renames, depth, absences),
            *odd,
            *_excused(models, watched),
        ],
        provider_shares=normed(by_group(last, models.providers)),
        license_shares=normed(by_group(last, models.classes)),
        provider_shares_before=normed(by_group(whole, models.providers)),
        license_shares_before=normed(by_group(whole, models.classes)),
        retirement=retirement,
        sampling=sampling_of(models, gains, states),
        churn=churn_of(models),
    )


def true_pauses(watched: Watched, models: Models) -> list[Pause]:
    """Return ended pauses other than late counts, corrections, and those with more votes expected than ever counted."""
    return [each for each in watched.pauses if each.end is not None and not _excuse(each, models)]


def _excuse(pause: Pause, models: Models) -> Oddity | None:
    if pause.end is None:
        return None
    if pause.caught_up:
        return Oddity.LATE_COUNT
    if pause.fell:
        return Oddity.SHRANK
    # A baseline that expects more votes in one pause than the model's largest total is wrong.
    return Oddity.OUT_OF_PROPORTION if pause.expected > np.nanmax(models.votes[pause.model]) else None


def _excused(models: Models, watched: Watched) -> list[Remark]:
    remarks = []
    for kind, what in (
        (Oddity.LATE_COUNT, "stood still and then caught up: their votes were counted late."),
        (Oddity.SHRANK, "shrank for a while and went on: corrections outweighed their votes."),
        (
            Oddity.OUT_OF_PROPORTION,
            "stood still for a while and would have got more than they ever had: not claimed.",
        ),
    ):
        names = {models.names[each.model] for each in watched.pauses if _excuse(each, models) is kind}
        if names:
            text = f"{len(names)} model{'s' if len(names) > 1 else ''} {what}"
            remarks.append(Remark(kind, text, count=len(names), models=some([*names])))
    return remarks


def _names(models: Models, model: int) -> list[str]:
    return [models.spellings[each] for each in sorted({*models.called[model].tolist()} - {-1})]
