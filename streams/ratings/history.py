"""An arena's ratings over time: samples in three tiers, cut at exact positions of the ledger.

A sample is cut at the first vote at or after the end of a step, in whichever block it is. The clock is the newest
`tstamp` so far: it never runs backwards, alerts use the same clock, and votes from the future are refused, so no sender
can push it more than five minutes ahead of the broker. A sample is taken only

- *by day* when at least as many battles as there are models took place since the last sample, or half a day passed at
  the broker: a replay of a year in a minute gets days, and a clock that jumps a day with every vote costs nothing;
- *by hour and by five minutes* when half a step passed at the broker: a replay gets no such samples of its own;
- *by hour and by five minutes* when the votes arrived within the time that the tier keeps, counted back from `now`:
  catching up skips samples that would be dropped by its end. A refold of the whole ledger passes an infinite `now` and
  takes samples by day only.

So the time of folding may decide which fine samples exist, but never the content of a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streams.contracts.history import DAY, TIERS, Tier
from streams.contracts.history_wire import (
    VERSION,
    InvalidHistory,
    RatingsTier,
    counts,
    decode_ratings,
    encode_history,
    floats,
)
from streams.contracts.view import OVERALL
from streams.ledger.rows import Rows
from streams.ratings.counts import BoardCounts
from streams.ratings.leaderboard import solve_met
from streams.ratings.newton import NotConverged, Vector
from streams.ratings.settings import RatingsSettings

Reals = NDArray[np.float32]


LATEST = float(2**40)
"""About 35,000 years ahead: intake accepts no vote from then, and later step ends would not fit their integer type."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut before a row, and the tiers of which a step ends there, each with that end, epoch seconds.

    `wanted` are those tiers for which a sample is due regardless of the counts.
    """

    row: int
    ends: Mapping[Tier, int]
    wanted: frozenset[Tier]


def half_step(tier: Tier) -> int:
    """Return half a step in milliseconds."""
    return tier.seconds * 500


def find_cuts(
    tstamp: NDArray[np.float64],
    recorded: NDArray[np.int64],
    clock: float,
    newest: int,
    latest: Callable[[Tier], int],
    now: float,
) -> Iterator[Cut]:
    """Find the cuts of some rows, in order.

    Parameters
    ----------
    tstamp, recorded
        Vote and record times of the rows, epoch seconds and milliseconds.
    clock, newest
        The largest of each before these rows.
    latest
        Returns the record time of a tier's last sample, or of the first vote; called again for each cut.
    now
        Epoch seconds; infinite for days only.
    """

    def earliest(tier: Tier) -> float:
        """Return the record time from which a sample of the tier is due."""
        kept = 0.0 if tier is DAY else (now - tier.keep * tier.seconds) * 1000
        return max(latest(tier) + half_step(tier), kept)

    clock = min(clock, LATEST)
    last, arrived = min(max(clock, float(tstamp.max())), LATEST), max(newest, int(recorded.max()))
    crossing = [tier for tier in TIERS if last // tier.seconds > clock // tier.seconds]
    if not any(tier is DAY or arrived >= earliest(tier) for tier in crossing):
        return
    clocks = np.maximum.accumulate(np.concatenate([[clock], np.minimum(tstamp, LATEST)]))
    before = np.maximum.accumulate(np.concatenate([[newest], recorded[:-1]]))
    steps = {tier: np.floor(clocks / tier.seconds).astype(np.int64) for tier in crossing}
    rows = {tier: np.flatnonzero(np.diff(step)) for tier, step in steps.items()}
    at = 0
    while True:
        places = []
        for tier in crossing:
            first = at if tier is DAY else max(at, int(np.searchsorted(before, earliest(tier))))
            place = int(np.searchsorted(rows[tier], first))
            if place < rows[tier].size:
                places.append(int(rows[tier][place]))
        if not places:
            return
        row = min(places)
        ends = {
            tier: (int(steps[tier][row]) + 1) * tier.seconds
            for tier in crossing
            if steps[tier][row + 1] > steps[tier][row]
        }
        yield Cut(row, ends, frozenset(tier for tier in ends if before[row] >= earliest(tier)))
        at = row + 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One board at one position of the ledger; arrays are of length M, in the order of the board's members.

    Attributes
    ----------
    t
        End of the step that the sample closes, epoch seconds on the clock of the votes.
    recorded
        When the newest vote counted arrived at the broker, epoch milliseconds.
    total
        Battles of the board.
    rating, half_width
        Points; the half width of the interval is NaN while a model is provisional; both are NaN without a solution.
    battles
        int64, each model's.
    """

    t: int
    recorded: int
    total: int
    rating: Reals
    half_width: Reals
    battles: NDArray[np.int64]


def _kept(sample: Sample, kept: NDArray[np.bool_]) -> Sample:
    return replace(sample, rating=sample.rating[kept], half_width=sample.half_width[kept], battles=sample.battles[kept])


def _none() -> dict[Tier, list[Sample]]:
    return {tier: [] for tier in TIERS}


@dataclass(slots=True)
class RatingsHistory:
    """The samples of the board `overall`.

    Attributes
    ----------
    reweighted, settings
        How the board is solved; other settings make another history.
    began
        When the first vote arrived at the broker, epoch milliseconds; 0 before.
    samples
        Samples by tier, oldest first; at most as many as the tier keeps.
    """

    reweighted: bool = False
    settings: RatingsSettings = field(default_factory=RatingsSettings)
    began: int = 0
    samples: dict[Tier, list[Sample]] = field(default_factory=_none)
    _start: Vector | None = None
    _packed: dict[Tier, bytes] = field(default_factory=dict)

    def cuts(self, rows: Rows, clock: float, newest: int, now: float) -> Iterator[Cut]:
        """Find the cuts of the rows, at least one; see `find_cuts`."""
        if not self.began:
            self.began = int(rows.recorded[0])
        return find_cuts(rows.tstamp, rows.recorded, clock, newest, self._latest, now)

    def sample(self, board: BoardCounts, models: Mapping[str, int], cut: Cut, recorded: int) -> frozenset[str]:
        """Take the samples that are due at a cut; `board` and `recorded` are of the rows before it.

        `models` is the arena's dictionary.

        Returns
        -------
        Names of the tiers that got a sample. A sample of one tier is also added to each finer tier whose step ends
        here: it costs nothing, and after a refold the finer tiers start with the samples of the coarser ones.
        """
        wanted = set(cut.wanted)
        if DAY in cut.ends:
            last = self.samples[DAY][-1].total if self.samples[DAY] else 0
            # Beyond 256 models require more battles, as solving takes longer: in a replay many days may come at once.
            if board.battles - last >= max(1, len(board.members), len(board.members) ** 3 >> 16):
                wanted.add(DAY)
        if not wanted:
            return frozenset()
        numbers = [models.get(anchor, -1) for anchor in self.settings.anchors]
        taken, self._start = take_sample(
            board,
            0,
            recorded,
            start=self._start,
            reweighted=self.reweighted,
            settings=self.settings,
            anchors=tuple(map(board.members.index, numbers)) if set(numbers) <= set(board.members) else (),
        )
        coarsest = max(tier.seconds for tier in wanted)
        grown = [tier for tier in cut.ends if tier.seconds <= coarsest]
        for tier in grown:
            self._add(tier, replace(taken, t=cut.ends[tier]))
        return frozenset(tier.name for tier in grown)

    def _latest(self, tier: Tier) -> int:
        """Record time of the last sample, or of the first vote."""
        return self.samples[tier][-1].recorded if self.samples[tier] else self.began

    def _add(self, tier: Tier, sample: Sample) -> None:
        kept, oldest = self.samples[tier], sample.t - tier.keep * tier.seconds
        kept.append(sample)
        gone = next(number for number, each in enumerate(kept) if each.t > oldest)
        del kept[:gone]
        self._packed.pop(tier, None)

    def drop(self, kept: NDArray[np.bool_]) -> None:
        """Drop members of the board, bool[M], from every sample."""
        for tier, samples in self.samples.items():
            self.samples[tier] = [_kept(sample, kept[: sample.rating.size]) for sample in samples]
        self._packed.clear()
        self._start = None if self._start is None else self._start[kept[: self._start.size]]

    def encode(self, arena: str, models: Sequence[str]) -> dict[str, bytes]:
        """Encode every tier by name; unchanged tiers return the same bytes object.

        Parameters
        ----------
        models
            Names of the board's members, in order.
        """
        for tier, samples in self.samples.items():
            if tier not in self._packed:
                self._packed[tier] = encode_history(_lay_out(arena, tier, samples, models))
        return {tier.name: self._packed[tier] for tier in TIERS}

    @classmethod
    def decode(
        cls, packed: Mapping[str, bytes], began: int, reweighted: bool, settings: RatingsSettings
    ) -> RatingsHistory:
        """Decode the result of `encode`; raises `InvalidHistory`."""
        history = cls(reweighted, settings, began)
        for tier in TIERS:
            if tier.name not in packed:
                raise InvalidHistory(f"there is no tier {tier.name}")
            data = packed[tier.name]
            history.samples[tier] = _samples(decode_ratings(data))
            history._packed[tier] = data
        return history


def _lay_out(arena: str, tier: Tier, samples: Sequence[Sample], models: Sequence[str]) -> RatingsTier:
    known = [len(sample.rating) for sample in samples]
    return RatingsTier(
        v=VERSION,
        arena=arena,
        board=OVERALL,
        tier=tier.name,
        seconds=tier.seconds,
        models=list(models[: max(known, default=0)]),
        t=[sample.t for sample in samples],
        recorded=[sample.recorded for sample in samples],
        total=[sample.total for sample in samples],
        known=known,
        rating=floats([sample.rating for sample in samples]),
        half_width=floats([sample.half_width for sample in samples]),
        battles=counts([sample.battles for sample in samples]),
    )


def _samples(tier: RatingsTier) -> list[Sample]:
    ends = np.cumsum(tier.known)[:-1]
    columns = (np.split(column.array(), ends) for column in (tier.rating, tier.half_width, tier.battles))
    return (
        [Sample(*fields) for fields in zip(tier.t, tier.recorded, tier.total, *columns, strict=True)] if tier.t else []
    )


def take_sample(
    board: BoardCounts,
    t: int,
    recorded: int,
    *,
    start: Vector | None,
    reweighted: bool,
    settings: RatingsSettings,
    anchors: tuple[int, ...],
) -> tuple[Sample, Vector | None]:
    """Solve the board in its current state; also returns the logits, as the start of the next sample.

    `start` saves steps and changes no bit. `anchors` are indices into the board's members, all of them or none. A board
    without a maximum gives a sample without ratings: the stage reports it at the next refresh, and a ledger with such a
    position can still be folded.
    """
    met = board.met
    shown = met.counts.sum(axis=0)
    battles = met.per_model(shown, shown)
    nothing = np.full(len(battles), np.nan, np.float32)
    theta = None
    rating, half_width = nothing, nothing
    try:
        solution = solve_met(
            met,
            start=start,
            reweighted=reweighted,
            least=settings.least_votes,
            widest=settings.widest,
            anchors=anchors,
            anchor_rating=settings.anchor_rating,
        )
    except NotConverged:
        pass  # the NaNs show it
    else:
        theta = solution.theta
        rating = solution.rating.astype(np.float32)
        half_width = np.where(solution.provisional, np.nan, (solution.upper - solution.lower) / 2).astype(np.float32)
    return Sample(t, recorded, board.battles, rating, half_width, battles), theta
