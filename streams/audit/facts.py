"""The facts of an audit: all results, before the report puts them into words.

Two of them are made here: the churn of the first place (which model led when, and which changes are between overlapping
intervals), and how votes were distributed among active models (more to uncertain ones, more to strong ones, or evenly).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import numpy as np

from streams.audit.alerts.notices import RegistryNotice, most_private, notice_of, read_notices
from streams.audit.alerts.removals import removals
from streams.audit.alerts.retirement import Retirement, bias_alert, retirement_of
from streams.audit.alerts.stalls import stall
from streams.audit.board.absences import Absences, absences_of
from streams.audit.board.dates import iso
from streams.audit.board.depth import Depth, depth_of
from streams.audit.board.feed_remarks import Rename, remarks_of, renames_of
from streams.audit.board.gains import Gains, gains_of
from streams.audit.board.history import Matrix, Row, lay_out
from streams.audit.board.models import Models, by_spelling
from streams.audit.board.outages import set_aside
from streams.audit.board.remarks import Oddity, Remark, some
from streams.audit.board.renames import follow_renames
from streams.audit.board.shares import by_group, normed, slots
from streams.audit.options import Options
from streams.audit.stops.detect import watch
from streams.audit.stops.pauses import Pause, StopResults
from streams.audit.stops.states import ACTIVE, ModelStates, states_of
from streams.contracts.alert import Alert
from streams.contracts.model import Model

Leader = TypedDict("Leader", {"model": str, "from": str, "until": str})
"""A model that had the first place, and its first and last snapshot there."""


class LeaderChurn(TypedDict, total=False):
    """Changes of the first place: `by` score or rank, and how many were within intervals or by arrivals; or nothing."""

    by: str
    changes: int
    within_intervals: int
    arrivals: int
    leaders: list[Leader]


class VoteRates(TypedDict):
    """Votes a day of the active models."""

    least: float
    middle: float
    most: float


class Sampling(TypedDict):
    """How many active models there are, what they gained, and rank correlations of that, where these can be known."""

    models: int
    votes_a_day: NotRequired[VoteRates]
    with_interval: NotRequired[float]
    with_score: NotRequired[float]


@dataclass(frozen=True, slots=True)
class AuditFacts:
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
    watched: StopResults
    depth: Depth
    absences: Absences
    states: ModelStates
    renames: list[Rename]
    registry: bool
    strange_registry: bool
    private: dict[str, int]
    notices: list[RegistryNotice | None]
    alerts: list[Alert]
    remarks: list[Remark]
    provider_shares: dict[str, float]
    license_shares: dict[str, float]
    provider_shares_before: dict[str, float]
    license_shares_before: dict[str, float]
    retirement: Retirement
    sampling: Sampling
    churn: LeaderChurn

    def name(self, model: int) -> str:
        """The newest name of a model."""
        return self.models.names[model]


def find_facts(
    rows: list[Row], registry: Iterable[Model] | None, options: Options, kind: str = "snapshots"
) -> AuditFacts:
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
    return AuditFacts(
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


def true_pauses(watched: StopResults, models: Models) -> list[Pause]:
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


def _excused(models: Models, watched: StopResults) -> list[Remark]:
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


def churn_of(models: Models) -> LeaderChurn:
    """Return the leaders and their changes; empty when the file has neither scores nor ranks.

    The leader is the model with the highest score, or with rank 1 where there are only ranks; among equals the
    previous leader, then the model with more votes. A change is *within intervals* when both models are listed and
    their intervals overlap, and *an arrival* when the new leader's first row is in that snapshot.
    """
    scored = not np.isnan(models.score).all()
    strength = models.score if scored else -models.rank
    if np.isnan(strength).all():
        return {}
    leaders: list[Leader] = []
    changes = within = arrivals = 0
    before = -1
    for at in range(len(models.dates)):
        column = strength[:, at]
        if np.isnan(column).all():
            continue
        best = np.flatnonzero(column == np.nanmax(column))
        ordered = sorted((int(each) for each in best), key=lambda each: (-_votes(models, each, at), each))
        leader = before if before in ordered else ordered[0]
        if leader != before:
            if before >= 0:
                changes += 1
                within += _overlap(models, before, leader, at)
                arrivals += int(models.first[leader] == at)
            leaders.append({"model": models.names[leader], "from": iso(models.dates[at]), "until": ""})
        leaders[-1]["until"] = iso(models.dates[at])
        before = leader
    return {
        "by": "score" if scored else "rank",
        "changes": changes,
        "within_intervals": within,
        "arrivals": arrivals,
        "leaders": leaders,
    }


def _votes(models: Models, model: int, at: int) -> float:
    total = models.votes[model, at]
    return -1.0 if np.isnan(total) else float(total)


def _overlap(models: Models, before: int, leader: int, at: int) -> int:
    """Return 1 when both models have intervals in this snapshot and they overlap, else 0."""
    return int(models.lower[leader, at] <= models.upper[before, at])


LEAST = 8
"""Fewest active models for a rank correlation."""


def sampling_of(models: Models, gains: Gains, states: ModelStates) -> Sampling:
    """Return rank correlations of the votes gained in the last period, over active models listed at its start.

    `with_interval` is the correlation with the width of the interval at its start (near +1 for sampling by
    uncertainty), `with_score` that with the score (near +1 if strong models are favoured). Each is absent where there
    are no intervals or scores.
    """
    start, live = states.start, states.live
    active = np.array([state == ACTIVE for state in states.state], dtype=bool)
    through = active & models.listed[:, start] & ~np.isnan(states.rate)
    won = slots(gains, start, live)
    told: Sampling = {"models": int(through.sum())}
    if through.sum() < LEAST:
        return told
    rates = np.sort(states.rate[through])
    told["votes_a_day"] = {
        "least": round(float(rates[0]), 1),
        "middle": round(float(np.median(rates)), 1),
        "most": round(float(rates[-1]), 1),
    }
    width = models.upper[:, start] - models.lower[:, start]
    others: tuple[tuple[Literal["with_interval", "with_score"], Matrix], ...] = (
        ("with_interval", width),
        ("with_score", models.score[:, start]),
    )
    for name, other in others:
        both = through & ~np.isnan(other)
        if both.sum() >= LEAST and len({*other[both]}) > 1 and len({*won[both]}) > 1:
            told[name] = round(_spearman(won[both], other[both]), 3)
    return told


def _spearman(one: Matrix, other: Matrix) -> float:
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Matrix) -> Matrix:
    """Ranks from 0, equal values sharing their mean.

    >>> _ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray(((ends - count) + (ends - 1))[group] / 2.0)
