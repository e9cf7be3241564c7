"""An audit of votes: counts them into snapshots, and with a registry runs the stream's fairness fold on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from services.audit.replay import ArenaReplay
from services.audit.tally import count_votes
from services.sources import Source, SourceError
from services.sources.summary import Summary
from streams.audit.assemble import audit_snapshots
from streams.audit.options import Options
from streams.audit.report.document import Report
from streams.contracts.model import Model
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
    source: Source, registry: Sequence[Model] | None, options: Options, arena: str | None, *, drop: bool = False
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
        raise SourceError(summary.unreadable("Nothing was judged: a report on the other rows would be a wrong one"))
    chosen = _choose(counted, arena)
    of_arena = None if registry is None else [each for each in registry if each.arena == chosen]
    if of_arena is not None and not of_arena:
        known = ", ".join(sorted({each.arena for each in registry or ()}))
        raise SourceError(f"the registry has no model of arena {chosen!r}; it is about {known}")
    return _report(source, counted[chosen], of_arena, replays.get(chosen), replace(options, arena=chosen)), summary


def _report(
    source: Source, votes: Counted, registry: Sequence[Model] | None, replay: ArenaReplay | None, options: Options
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
