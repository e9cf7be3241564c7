"""Remarks about the feed: gaps, freezes, corrections, renames and switches, flickers, first rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streams.audit.board.absences import Absences
from streams.audit.board.dates import days, in_days, iso, many
from streams.audit.board.depth import Depth
from streams.audit.board.gains import RESET, Gains
from streams.audit.board.models import Models
from streams.audit.board.remarks import Oddity, Remark, some
from streams.audit.board.restated import Restatement

LONG_GAP = 3.0
"""A gap of more than this many usual intervals gets a remark."""

MANY, MANY_PART = 10, 0.2
"""At least this many new or relisted models, and this part of the board, are a switch of the source."""

RENAMED, RENAMED_PART = 5, 0.1
"""At least this many new names of models, and this part of the board, are a switch of naming."""


@dataclass(frozen=True, slots=True)
class Rename:
    """One change of a model's name, in the snapshot `at`; `last` is the last snapshot under the old name."""

    model: int
    old: str
    new: str
    last: int
    at: int


def renames_of(models: Models) -> list[Rename]:
    """Every change of name, in order of date."""
    found = []
    for model in range(len(models.names)):
        at = np.flatnonzero(models.called[model] >= 0)
        calls = models.called[model, at]
        for place in np.flatnonzero(np.diff(calls)):
            old, new = models.spellings[calls[place]], models.spellings[calls[place + 1]]
            found.append(Rename(model, old, new, int(at[place]), int(at[place + 1])))
    return sorted(found, key=lambda each: (each.at, each.old))


def remarks_of(models: Models, gains: Gains, renames: list[Rename], depth: Depth, absences: Absences) -> list[Remark]:
    """Return every remark that follows from the totals and listings, in order of kind and date."""
    dates = models.dates
    if len(dates) < 2:
        text = "There is one snapshot: totals say nothing about exposure until there is a second."
        return [Remark(Oddity.SMALL, text, iso(dates[0]), count=1)]
    return [
        *_gaps(models),
        *_frozen(models, gains),
        *_corrections(models, gains),
        *_resets(models, gains),
        *_names(models, renames),
        *_cut(models, depth, absences),
        *_arrivals(models, depth, absences),
        *_absences(models, absences, depth),
    ]


def usual_interval(dates: np.ndarray) -> float:
    """Median days between two snapshots."""
    return float(np.median(np.diff(dates))) / 86_400.0 if len(dates) > 1 else 0.0


def _gaps(models: Models) -> Iterator[Remark]:
    usual = usual_interval(models.dates)
    for start, end in zip(models.dates, models.dates[1:], strict=False):
        gap = days(start, end)
        if gap > LONG_GAP * usual and gap > 2:
            text = (
                f"No snapshot for {in_days(gap)} ({in_days(usual)} are usual): what happened in between is dated to"
                " the whole gap."
            )
            yield Remark(Oddity.GAP, text, iso(start), iso(end))


def _frozen(models: Models, gains: Gains) -> Iterator[Remark]:
    if not gains.known:
        return
    still = np.concatenate([[False], gains.all[1:] <= 0, [False]])
    still[[*gains.restated]] = False  # totals moved, but the gain is unknown
    edges = np.flatnonzero(np.diff(still.astype(int)))
    for start, end in edges.reshape(-1, 2):
        first, last = models.dates[start], models.dates[end]
        text = (
            f"No total grew for {in_days(days(first, last))}: the feed stood still, and nothing is concluded about"
            " models from it."
        )
        yield Remark(Oddity.FROZEN, text, iso(first), iso(last), int(end - start))


def _corrections(models: Models, gains: Gains) -> Iterator[Remark]:
    fell = (gains.change < 0) & ~gains.reset
    if not fell.any():
        return
    model, at = np.unravel_index(int(np.argmin(np.where(fell, gains.change, 0.0))), fell.shape)
    counted = ~np.isnan(gains.change)
    text = (
        f"{int(fell.sum()):,} of {int(counted.sum()):,} changes were negative, {-gains.change[fell].sum():,.0f} votes"
        f" in all: totals are corrected afterwards. The largest was {-gains.change[model, at]:,.0f} votes of"
        f" {models.names[model]} by {iso(models.dates[at])}. Nothing is concluded from the sign."
    )
    snapshots = np.flatnonzero(fell.any(axis=0))
    first, last = iso(models.dates[snapshots[0]]), iso(models.dates[snapshots[-1]])
    yield Remark(Oddity.CORRECTION, text, first, last, int(fell.sum()))


def _resets(models: Models, gains: Gains) -> Iterator[Remark]:
    for at, each in gains.restated.items():
        yield _restated(models, at, each)
    for model, at in np.argwhere(gains.reset):
        begin = gains.begin[model, at]
        if any(begin < each <= at for each in gains.restated):
            continue
        text = (
            f"The total of {models.names[model]} fell from {models.votes[model, begin]:,.0f} to"
            f" {models.votes[model, at]:,.0f}: it began again; what it gained in between is unknown."
        )
        yield Remark(Oddity.RESET, text, iso(models.dates[at]), count=1, models=[models.names[model]])


def _restated(models: Models, at: int, restated: Restatement) -> Remark:
    first, last = iso(models.dates[at - 1]), iso(models.dates[at])
    if restated.factor < RESET:
        how = f"began again: the one in the middle fell to {restated.factor:.0%} of what it was"
    elif restated.common:
        how = f"were restated: multiplied by about {restated.factor:.3g}"
    else:
        how = f"were restated: the one in the middle was multiplied by {restated.factor:.3g}, others by more or less"
    text = (
        f"Nearly all totals, of {restated.of} compared, {how}. What was gained from {first} to {last} is unknown, and"
        " nothing is concluded from it."
    )
    kind = Oddity.RESET if restated.factor < RESET else Oddity.RESTATED
    return Remark(kind, text, first, last, restated.of)


def _names(models: Models, renames: list[Rename]) -> Iterator[Remark]:
    for at in sorted({each.at for each in renames}):
        changed = [each for each in renames if each.at == at]
        board = int(models.listed[:, at].sum())
        if len(changed) >= max(RENAMED, RENAMED_PART * board):
            text = f"{len(changed)} of {board} models took another name at once: the source writes names differently."
            names = some([each.new for each in changed])
            yield Remark(Oddity.NAMING_SWITCH, text, iso(models.dates[at]), count=len(changed), models=names)


def _cut(models: Models, depth: Depth, absences: Absences) -> Iterator[Remark]:
    rows = depth.rows
    shows = f"{rows.min()} to {rows.max()} rows, {np.median(rows):.0f} in the middle"
    if depth.cut:
        beyond = np.flatnonzero(~models.listed[:, -1] & depth.unseen[:, -1])
        text = (
            f"The file seems to show the top of the board only, {shows}: of {many(depth.left, 'row')} that left from"
            f" one snapshot to the next {depth.lowest} were among the lowest. A board that retires its lowest models"
            " one by one would look alike. A model below the deepest row of a date is not seen on it, and nothing is"
            f" said about it: at the end about {many(int(beyond.size), 'model')}."
        )
        names = some([models.names[each] for each in beyond])
        yield Remark(Oddity.DEPTH, text, count=int(beyond.size), models=names)
    elif not depth.judged and absences.every:
        text = (
            f"Nothing orders the rows of the file, {shows}: whether it shows the whole board cannot be judged, and a"
            " model that is not listed any more may only be cut off."
        )
        if absences.doubtful:
            back = len({each.model for each in absences.every if each.back is not None})
            text += f" {back} of {len(models.names)} models come and go: nothing is concluded from an absence."
        yield Remark(Oddity.DEPTH, text, count=len({each.model for each in absences.every}))


def _arrivals(models: Models, depth: Depth, absences: Absences) -> Iterator[Remark]:
    first, votes = np.where(depth.emerged, 0, models.first), models.votes
    for at in range(1, len(models.dates)):
        came = [*np.flatnonzero(first == at)]
        back = [each.model for each in absences.every if each.back == at and not each.passing and not each.ran_after]
        board = int(models.listed[:, at].sum())
        if len(came) + len(back) >= max(MANY, MANY_PART * board) or at in absences.switches:
            new = f"{len(came)} models appeared" if came else ""
            old = f"{len(back)} of the past were listed again" if back else ""
            told = " and ".join(each for each in (new, old) if each)
            text = f"{told} at once on a board of {board}: the source has switched or was widened."
            names = some([models.names[each] for each in (*came, *back)])
            yield Remark(Oddity.SOURCE_SWITCH, text, iso(models.dates[at]), count=len(came) + len(back), models=names)
    later = np.flatnonzero(first > 0)
    carried = [float(votes[each, first[each]]) for each in later if votes[each, first[each]] > 0]
    if carried:
        text = (
            f"{many(len(carried), 'model')} joined with a first row that carries votes from before,"
            f" {np.median(carried):,.0f} in the middle; these are not counted as gained."
        )
        yield Remark(Oddity.FIRST_ROWS, text, count=len(carried))


def _absences(models: Models, absences: Absences, depth: Depth) -> Iterator[Remark]:
    passing = [each for each in absences.every if each.passing]
    ended = "withdrawal" if depth.judged else "stretch without a row"
    if passing:
        names = {models.names[each.model] for each in passing}
        longest = max(days(models.dates[each.last], models.dates[each.back or 0]) for each in passing)
        text = (
            f"{many(len(names), 'model')} not listed for a while and back, {many(len(passing), 'time')}, for up to"
            f" {in_days(longest)}; bridged, not removals."
        )
        yield Remark(Oddity.FLICKER, text, count=len(names), models=some([*names]))
    for each in absences.ended:
        if each.back is None or each.back in absences.switches or absences.doubtful:
            continue
        first, last, name = iso(models.dates[each.last]), iso(models.dates[each.back]), models.names[each.model]
        more = "" if each.gained is None else f"; its total had grown by {each.gained:,.0f} votes, which belong to it"
        text = f"{name} was not listed from {first} to {last}, a {ended} that ended{more}."
        yield Remark(Oddity.WITHDRAWN, text, first, last, 1, [name])
