"""The report of an audit, as written to JSON; dates are text, alerts have their own contract."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from streams.audit.alerts.retirement import Retirement
from streams.audit.board.remarks import Remark
from streams.audit.facts import LeaderChurn
from streams.contracts.alert import Alert

SHOWN, PARTLY, CANNOT_SAY = "shown", "partly", "cannot_say"
"""Verdicts of an `AuditAnswer`."""


class Period(msgspec.Struct, frozen=True):
    """The time that the report covers.

    `start` and `end` are the first and last date of the file, `live_until` the last date at which its feed was alive,
    `window` the start of the last period, over which states and shares are reported (it ends at `live_until`).
    """

    start: str
    end: str
    live_until: str
    window: str
    snapshots: int
    days: float


class Counts(msgspec.Struct, frozen=True):
    """Numbers of models. `models` = `listed` + `gone` + `beyond`; `listed` = `active` + `inactive` + unknown ones.

    `beyond` counts models that are not shown at the end but may only be below the deepest row. Counts that need a
    registry or votes are null without them.
    """

    models: int
    listed: int
    active: int | None
    inactive: int | None
    gone: int
    beyond: int
    renamed: int
    stopped: int | None
    joined: int
    deprecated: int | None
    retired: int | None
    inactive_without_notice: int | None


class ModelLine(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One model, or (`state` renamed) one former name of a model.

    `since` is the last date up to which an inactive model gained votes, or the first date without a model that is gone;
    it is absent where that was before the file. `found` is the date at which the file showed the stop or departure,
    `relisted` the date from which the file lists a model that is gone again, as a past model.
    """

    model: str
    provider: str
    license: str | None
    state: str
    last_seen: str
    license_class: str
    since: str | None = None
    found: str | None = None
    relisted: str | None = None
    renamed_to: str | None = None
    successor: str | None = None
    notice: str | None = None
    first_seen: str | None = None
    votes: int | None = None
    votes_a_day: float | None = None


class AuditAnswer(msgspec.Struct, frozen=True):
    """What the data show about one finding or demand. `verdict` is `shown`, `partly` or `cannot_say`."""

    id: str
    title: str
    verdict: str
    says: list[str]


class LeftOut(msgspec.Struct, frozen=True):
    """One distinct unreadable cell: its field, its value, how often it occurs, and its first place."""

    field: str
    value: str
    count: int
    first: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Account of every row of a file of snapshots: `read` = `other_boards` + `counted` + rows left out.

    Attributes
    ----------
    read, other_boards, counted
        Rows of the file, rows of boards that were not chosen, and rows that the report uses.
    duplicates
        Counted rows whose model the same date already had; the larger total counts.
    left_out
        Cells that could not be read and were left out by request. A row without its date or model is dropped; a row
        without its total still lists its model.
    columns, unused, ignored
        Column of each field; columns that are not used; columns whose cells could not be read as their field.
    number_format, date_format
        How the file writes 1234.5, and its dates.
    precision
        The unit to which totals are rounded, 0 when they are exact.
    without_total
        Counted rows whose total is unknown.
    """

    read: int
    other_boards: int
    counted: int
    duplicates: int
    left_out: list[LeftOut]
    columns: dict[str, str]
    unused: list[str]
    ignored: list[str]
    number_format: str
    date_format: str
    precision: float
    without_total: int


class RenameLine(TypedDict):
    """A change of name, with the totals on both sides."""

    model: str
    renamed_to: str
    date: str
    votes_before: int | None
    votes_after: int | None


PauseLine = TypedDict(
    "PauseLine",
    {"model": str, "from": str, "until": str, "expected": float, "observed": float, "log10_e": float},
)
"""A model that got no votes for a while and then got votes again."""


class GoneLine(TypedDict):
    """A model that left the board: whether it was still gaining, and which model replaced it."""

    model: str
    last_seen: str
    votes: int | None
    was_gaining: bool | None
    snapshots_away: int
    replaced: bool
    successor: str | None
    relisted: str | None


class AbsenceLine(TypedDict):
    """An absence from the board within its depth; `kind` is passing, ended, or departure."""

    model: str
    last_seen: str
    listed_again: str | None
    gained: int | None
    kind: str


class BoardLine(TypedDict):
    """One snapshot: models listed, running and stopped, and votes gained since the one before; null where unknown."""

    date: str
    listed: int
    running: int | None
    stopped: int | None
    slots: int | None


class RowRange(TypedDict):
    """Numbers of rows over the snapshots."""

    least: int
    middle: float
    most: int


class DepthLine(TypedDict):
    """How many rows the snapshots show, and whether they seem to be the top of a longer board; null where unknown."""

    cut: bool | None
    rows: RowRange
    beyond: int


class CutoffCount(TypedDict):
    """Models that are inactive by a cut-off in votes a day."""

    votes_a_day: float
    inactive: int


class CutoffLine(TypedDict):
    """The cut-off of inactivity, null without totals, and the inactive models by other ones."""

    votes_a_day: float | None
    inactive_by_cutoff: list[CutoffCount]


CourseStretch = TypedDict("CourseStretch", {"from": str, "until": str, "shares": dict[str, float]})
"""Shares of slots in one stretch of time."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An audit.

    `shares` are shares of slots among the votes gained in the last period, and `shares_basis` states that in words;
    `course` holds the same shares over time; `boards` the counts at each snapshot; `absences` every absence of a model
    from the board within its depth, for a while or for good; `depth` how many rows the snapshots show; `listings`, by
    provider and by licence class, how many models are listed at the end, arrived, left, and were listed again;
    `declared`, for votes with a registry, each model's declared and observed share of battles; `reading`, for a file of
    snapshots, the account of its rows.
    """

    source: str
    kind: str
    arena: str
    period: Period
    counts: Counts
    models: list[ModelLine]
    shares: dict[str, dict[str, float]]
    inequality: dict[str, float | None]
    churn: LeaderChurn
    alerts: list[Alert]
    cannot_say: list[str]
    headline: list[str]
    findings: list[AuditAnswer]
    demands: list[AuditAnswer]
    remarks: list[Remark]
    renames: list[RenameLine]
    pauses: list[PauseLine]
    gone: list[GoneLine]
    absences: list[AbsenceLine]
    depth: DepthLine
    listings: dict[str, dict[str, dict[str, int]]]
    cutoff: CutoffLine
    retirement: Retirement
    shares_basis: str
    course: dict[str, list[CourseStretch]]
    boards: list[BoardLine]
    method: dict[str, object]
    declared: dict[str, dict[str, float]] = {}
    reading: Reading | None = None
