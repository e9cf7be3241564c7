"""An audit of votes: counts them into snapshots, and with a registry runs the stream's fairness fold on them.

The snapshots are the totals of each model at the ends of equal time intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import ceil

import numpy as np
from numpy.typing import NDArray

from services.sources import SourceError, VoteSource
from services.sources.summary import Summary
from streams.audit.assemble import audit_snapshots
from streams.audit.board.handovers import handovers_of
from streams.audit.board.history import Row
from streams.audit.options import Options
from streams.audit.report.document import Report
from streams.contracts.alert import RUNBOOKS, Alert, Kind, Status
from streams.contracts.model import Model
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows

NO_REGISTRY = (
    "Declared policy: without a registry nothing is declared, so shares are shown and drift is not judged; inactivity"
    " is judged by each model's own past."
)

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
"""No arena is older: an earlier time comes from a number that is no time."""


@dataclass
class Counted:
    """Votes of one arena: the models of each battle as numbers, and the times."""

    names: dict[str, int] = field(default_factory=dict)
    first: list[np.ndarray] = field(default_factory=list)
    second: list[np.ndarray] = field(default_factory=list)
    times: list[np.ndarray] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        """Add rows."""
        numbers = np.array([self.names.setdefault(name, len(self.names)) for name in rows.models], dtype=np.int64)
        self.first.append(numbers[rows.model_a])
        self.second.append(numbers[rows.model_b])
        self.times.append(rows.tstamp)


def audit_votes(
    source: VoteSource, registry: Sequence[Model] | None, options: Options, arena: str | None, *, drop: bool = False
) -> tuple[Report, Summary]:
    """Audit the votes of a source.

    Parameters
    ----------
    source
        Votes, of one arena or of several.
    registry
        Model records, None for none.
    options
        Options of the audit; their arena is replaced.
    arena
        The arena; None if there is only one.
    drop
        Leave out rows that cannot be read.

    Raises
    ------
    SourceError
        When rows cannot be read, there is no vote, no arena is chosen among several, or the registry does not know it.
    """
    counted: dict[str, Counted] = {}
    replays: dict[str, ArenaReplay] = {}
    summary = Summary(source)
    for batch in source.rows():
        summary.take(batch)
        for name, rows in batch.rows.items():
            if arena is not None and name != arena:
                counted.setdefault(name, Counted())
                continue
            counted.setdefault(name, Counted()).add(rows)
            if registry is not None:
                if name not in replays:
                    replays[name] = ArenaReplay(name, [each for each in registry if each.arena == name], options)
                replays[name].play(rows)
    if summary.refused and not drop:
        instead = "Nothing was judged: a report on the other rows would be a wrong one"
        raise SourceError(summary.unreadable(instead, needs_times=True))
    chosen = _choose(counted, arena)
    of_arena = None if registry is None else [each for each in registry if each.arena == chosen]
    if of_arena is not None and not of_arena:
        known = ", ".join(sorted({each.arena for each in registry or ()}))
        raise SourceError(f"the registry has no model of arena {chosen!r}; it is about {known}")
    return _report(source, counted[chosen], of_arena, replays.get(chosen), replace(options, arena=chosen)), summary


def _report(
    source: VoteSource, votes: Counted, registry: Sequence[Model] | None, replay: ArenaReplay | None, options: Options
) -> Report:
    records = {record.model: record for record in sorted(registry or (), key=lambda each: each.tstamp)}
    if not source.timed:
        raise SourceError("the votes have no times. An audit tells when votes stopped, so it needs a column of times")
    times = np.concatenate(votes.times)
    if times.min() < EARLIEST:
        raise SourceError(
            f"the earliest time is {datetime.fromtimestamp(times.min(), UTC):%Y-%m-%d}: numbers are read as seconds"
            " since 1970, and these are no such times; --columns tstamp=NAME names another column"
        )
    rows = count_votes(list(votes.names), np.concatenate(votes.first), np.concatenate(votes.second), times, records)
    unsaid = [NO_REGISTRY] if replay is None else replay.unsaid
    if source.note:
        unsaid = [f"Times and order: {source.note}.", *unsaid]
    # With a declared policy, the fold's alerts replace those against each model's own baseline.
    return audit_snapshots(
        rows,
        source=source.name,
        registry=registry,
        options=options,
        kind="votes",
        cannot_say=unsaid,
        alerts=None if replay is None else replay.alerts,
        lead=None if replay is None else replay.headline,
        declared=None if replay is None else replay.shares,
    )


def _choose(counted: dict[str, Counted], arena: str | None) -> str:
    if not counted:
        raise SourceError("there is no vote to audit")
    if arena is None and len(counted) > 1:
        raise SourceError(f"the votes are of several arenas, choose one with --arena: {', '.join(sorted(counted))}")
    chosen = arena or next(iter(counted))
    if chosen not in counted:
        raise SourceError(f"there is no vote of arena {chosen!r}; there are {', '.join(sorted(counted))}")
    return chosen


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


UNITS = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0)
"""Lengths of intervals in seconds; the shortest that is long enough is used."""

MOST = 120
"""Maximum number of intervals."""

VOTES = 50.0
"""Average number of slots per model that each interval should have at least."""


def count_votes(
    names: list[str],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    times: NDArray[np.float64],
    records: Mapping[str, Model],
) -> list[Row]:
    """Make the rows of snapshots.

    Parameters
    ----------
    names
        M names.
    first, second
        int64[n], the two models of each battle, as indices of `names`.
    times
        float64[n], epoch seconds.
    records
        Model to its record, for provider, licence and handovers.
    """
    start, end = float(times.min()), float(times.max())
    stretches = min(MOST, max(2, int(2 * len(times) / (len(names) * VOTES))))
    length = next((unit for unit in UNITS if unit >= (end - start) / stretches), (end - start) / stretches)
    begin = start // length * length
    count = max(1, ceil((end - begin) / length - 1e-9))
    place = np.minimum(((times - begin) / length).astype(np.int64), count - 1)
    counts = np.zeros((len(names), count), dtype=np.int64)
    for models in (first, second):
        np.add.at(counts, (models, place), 1)
    totals = np.concatenate([np.zeros((len(names), 1), dtype=np.int64), counts.cumsum(axis=1)], axis=1)
    # A row of zero before a model's first votes: unlike a published total, this one is known to start at zero.
    known = totals > 0
    known[:, :-1] |= known[:, 1:]
    for each in handovers_of(names, first, second, times, records):
        # As on a board: the old name up to here, the new one from here on, with the votes of both.
        at = min(int((each.when - begin) / length), count - 1)
        if each.same:
            totals[each.new] += totals[each.old]
            totals[each.old, : at + 1] = totals[each.new, : at + 1]
        known[each.old, at + 1 :] = False
        known[each.new, : at + 1] = False
        known[each.new, at + 1 :] = True
    rows = []
    for at in range(count + 1):
        # Clip to the first and the last vote: outside of them, it is unknown whether there were votes.
        date = min(max(begin + at * length, start), end) if end > start else begin + at * length
        for model in np.flatnonzero(known[:, at]):
            record = records.get(names[model])
            rows.append(
                Row(
                    date=date,
                    model=names[model],
                    provider=record.provider if record else None,
                    license=record.license if record else None,
                    votes=float(totals[model, at]),
                )
            )
    return rows
