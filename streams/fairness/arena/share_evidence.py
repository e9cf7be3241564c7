"""Evidence about every declared share: one Shiryaev-Roberts sum per subject, which removal and drift read together.

Two nulls share a subject's budget half and half, once the second is known, when battles that nobody finished are not:

- *declared*: the share is the declared one, give or take the tolerance. A model launched at a wrong share is seen.
- *learned*: the odds are the multiple of the declared odds that they had over the subject's first `LEARNED` battles in
  play, ± `SURE` standard errors. Selection by the voters is a lasting multiple of the odds, so it is learned, and what
  changes later is seen although the tolerance would hide it.

Where all draws are known, selection cannot move a share, and one null remains: the declared share, without tolerance.
Whether they are known is the setting `draws`, or is learned (`auto`): from the first review on whose battles one in a
hundred ended without a vote, until a review without any. This is decided at the end of a review for the battles after
it, so it is known before they are, and no battle chooses the test that it is judged by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.fairness.arena.arrays import grow, pad
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.settings import FairnessSettings
from streams.fairness.statistics.cusum import Mark
from streams.fairness.statistics.odds_bets import BETS, OddsBets, outside
from streams.fairness.statistics.share_sums import NOBODY, Ends, ShareSums

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LEARNED = 200_000
"""Battles in play from which a subject's usual multiple is learned: at a share of 4 % known to 3.4 %, of 1 % to 7 %."""
SURE = 3.0
"""Standard errors on either side of a learned multiple that count as no change; the truth is outside once in 370."""
UNFINISHED = 0.01
"""Share of a review's battles without a vote from which all draws count as known."""
REGROUPED = 0.1
"""A group whose declared share has changed by this part since its multiple was learned is learned again."""


@dataclass(slots=True)
class Usual:
    """Each subject's usual multiple of its declared odds; arrays of length S.

    Attributes
    ----------
    hits, due, battles
        Observed and expected appearances, and battles in play, while the multiple is being learned.
    multiple
        The learned multiple; 0 while it is not known.
    spread
        `SURE` standard errors of its logarithm.
    paused
        int8[S], not 0 for subjects from which nothing is learned: above 0 for those with an open alert, its severity as
        in `ShareAlarms.held`; below 0 for parts of another's alert, whose shares are off for the same reason.
    known
        Counts the changes of the multiples: the key of what is computed from them.
    """

    hits: Vector = field(default_factory=lambda: np.zeros(0))
    due: Vector = field(default_factory=lambda: np.zeros(0))
    battles: Vector = field(default_factory=lambda: np.zeros(0))
    multiple: Vector = field(default_factory=lambda: np.zeros(0))
    spread: Vector = field(default_factory=lambda: np.zeros(0))
    paused: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    known: int = 0

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(self, subjects, "hits", "due", "battles", "multiple", "spread", "paused")

    def add(self, play: Play, hits: Matrix, battles: Vector) -> None:
        """Add ticks, float64[T, S] and float64[T], for the subjects that are being learned.

        Models of a group with an open alert and groups of such a model wait, too: their shares are off with it.
        """
        pi, told = play.pi_play, self.paused > 0
        learning = (pi > 0) & (self.multiple == 0) & (self.paused == 0)
        if not np.count_nonzero(learning):
            return
        if np.count_nonzero(told):
            for groups in (play.provider[:-1], play.license[:-1]):
                grouped = groups >= 0
                learning &= ~(grouped & told[groups])
                learning[groups[grouped & told]] = False
        _learn(learning, hits, battles, pi, self.hits, self.due, self.battles)

    def learn(self) -> None:
        """Fix the multiples of the subjects that have had `LEARNED` battles."""
        ready = (self.battles >= LEARNED) & (self.multiple == 0) & (self.hits > 0) & (self.hits < self.battles)
        ready &= (self.due > 0) & (self.due < self.battles)
        if not ready.any():
            return
        hits, due, n = self.hits[ready], self.due[ready], self.battles[ready]
        self.multiple[ready] = hits / (n - hits) * (n - due) / due
        self.spread[ready] = SURE * np.sqrt(n / (hits * (n - hits)))
        self.known += 1

    def regroup(self, play: Play) -> NDArray[np.bool_]:
        """Learn the groups again whose declared share is no longer near that at which they were learned: bool[S]."""
        groups = play.groups & (self.battles > 0)
        share = np.divide(self.due, self.battles, out=np.zeros_like(self.due), where=groups)
        changed = groups & (np.abs(play.pi_play - share) > REGROUPED * share)
        if changed.any():
            for array in (self.hits, self.due, self.battles, self.multiple, self.spread):
                array[changed] = 0.0
            self.known += 1
        return np.asarray(changed)


@njit(cache=True)
def _learn(learning, hits, battles, pi, all_hits, all_due, all_battles):  # type: ignore[no-untyped-def]
    for tick in range(len(hits)):
        for subject in range(len(pi)):
            if learning[subject]:
                all_hits[subject] += hits[tick, subject]
                all_due[subject] += battles[tick] * pi[subject]
                all_battles[subject] += battles[tick]


def _strongest(weights: Vector, followed: Matrix) -> tuple[Matrix, Matrix]:
    """The most evidence of one bet, float64[T, W], and where that bet began, float64[2, T, W]; see `ShareSums.run`."""
    stakes = weights[:, None] * followed[:, 0]
    best = np.argmax(stakes, axis=1)[:, None]
    top, *since = (np.take_along_axis(each, best, 1)[:, 0] for each in (stakes, followed[:, 1], followed[:, 2]))
    return top, np.stack(since)


@dataclass(slots=True)
class ShareEvidence:
    """State of an arena.

    Attributes
    ----------
    declared, learned
        The sums under the two nulls; `learned` has no bets where the declared null is exact.
    usual
        The multiples of the learned null.
    all_draws
        Whether unfinished battles are known.
    unfinished
        Battles without a vote up to the last review.
    log_m
        float64[S], log M at the end of the last tick; -inf where there is none.
    whole
        Whether an alert about the whole policy is open.
    """

    declared: ShareSums = field(default_factory=lambda: ShareSums.start(np.zeros(0)))
    learned: ShareSums = field(default_factory=lambda: ShareSums.start(np.zeros(0)))
    usual: Usual = field(default_factory=Usual)
    all_draws: bool = False
    unfinished: int = 0
    log_m: Vector = field(default_factory=lambda: np.zeros(0))
    whole: bool = False

    @classmethod
    def start(cls, settings: FairnessSettings) -> ShareEvidence:
        """Return the state without subjects."""
        evidence = cls()
        evidence._begin(settings, settings.draws == "all")
        return evidence

    def exact(self, settings: FairnessSettings) -> bool:
        """Whether shares are judged without tolerance: all draws are known, or the operator grants none."""
        return self.all_draws or settings.delta == 0

    def _begin(self, settings: FairnessSettings, all_draws: bool) -> None:
        self.all_draws = all_draws
        exact, size = self.exact(settings), self.log_m.size
        band = 0.0 if exact else min(settings.delta, settings.group_delta)
        self.declared = ShareSums.start(outside(1.0 - band, 1.0 + band), size)
        self.learned = ShareSums.start(np.zeros(0) if exact else np.array(BETS), size)

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        self.declared.resize(subjects)
        self.learned.resize(subjects)
        self.usual.resize(subjects)
        known = self.log_m.size
        grow(self, subjects, "log_m")
        self.log_m[known:] = -np.inf

    def set_aside(self, settings: FairnessSettings, play: Play, hits: Vector, battles: float, *, learns: bool) -> None:
        """Keep a stretch of a tick in play until the tick ends; see `run` for `learns`."""
        declared, learned = self._bets(settings, play)
        self.declared.set_aside(declared, hits, battles)
        if learned is not None:
            self.learned.set_aside(learned, hits, battles)
        if learns and not self.exact(settings):
            self.usual.add(play, hits[None], np.array([battles]))

    def run(
        self,
        settings: FairnessSettings,
        play: Play,
        hits: Matrix,
        battles: Vector,
        ends: Ends,
        *,
        learns: bool,
        watch: NDArray[np.int64] = NOBODY,
    ) -> tuple[Matrix, Matrix]:
        """Close T ticks in play.

        Parameters
        ----------
        hits, battles
            float64[T, S] and float64[T].
        ends
            The ends of the ticks.
        learns
            If not, the ticks say nothing of what is usual: the feed is stalled.
        watch
            int64[W], subjects to follow.

        Returns
        -------
        log_m : float64[T, S]
            Log M at the ends of the ticks.
        since : float64[2, T, W]
            `since_hits` and `since_due` of the bet with the most evidence then, of the subjects to follow.
        """
        hits, battles = np.ascontiguousarray(hits), np.ascontiguousarray(battles)
        declared, learned = self._bets(settings, play)
        m, followed = self.declared.run(declared, hits, battles, ends, watch)
        top, since = _strongest(self.declared.weights, followed)
        if learned is not None:
            other, followed = self.learned.run(learned, hits, battles, ends, watch)
            other_top, other_since = _strongest(self.learned.weights, followed)
            since = np.where(other_top > top, other_since, since)
            m = np.where(self.usual.multiple > 0, 0.5 * (m + other), m)
        if learns and not self.exact(settings):
            self.usual.add(play, hits, battles)
        with np.errstate(divide="ignore"):  # log 0 = -inf is the value: no evidence yet
            log_m = np.log(m)
        self.log_m = log_m[-1].copy()
        return np.asarray(log_m), np.asarray(since)

    def _bets(self, settings: FairnessSettings, play: Play) -> tuple[OddsBets, OddsBets | None]:
        """The bets against the declared null, and against the learned one once a multiple is known."""
        exact = self.exact(settings)
        declared = play.kept(("declared", exact), lambda: self._declared(settings, play))
        if exact or not self.usual.known:
            return declared, None
        return declared, play.kept(("learned", self.usual.known), lambda: self._learned(play))

    def _declared(self, settings: FairnessSettings, play: Play) -> OddsBets:
        if self.exact(settings):
            return OddsBets.of(play.pi_play, self.declared.bets)
        band = np.full(play.pi_play.size, settings.delta)
        # Selection averages out in a group of many models, and hardly in one of two.
        averaged = settings.delta / np.sqrt(play.members[play.groups])
        band[play.groups] = np.minimum(np.maximum(settings.group_delta, averaged), settings.delta)
        return OddsBets.of(play.pi_play, self.declared.bets, 1.0 - band, 1.0 + band)

    def _learned(self, play: Play) -> OddsBets:
        usual, spread = self.usual.multiple, np.exp(self.usual.spread)
        return OddsBets.of(play.pi_play, self.learned.bets, usual / spread, usual * spread, usual)

    def review(self, settings: FairnessSettings, rows: int, votes: int, mark: Mark) -> None:
        """Learn, and decide whether the next battles are judged as if all draws were known."""
        self.usual.learn()
        unfinished, self.unfinished = rows - votes - self.unfinished, rows - votes
        if settings.draws != "auto":
            return
        known = unfinished > 0 if self.all_draws else unfinished >= UNFINISHED * settings.review_battles
        if known != self.all_draws:
            self._begin(settings, known)
            for subject in range(self.log_m.size):
                self.reset(subject, mark)

    def follow(self, before: Play, play: Play, mark: Mark) -> None:
        """Reset the subjects that start or stop being judged when the policy changes from `before` to `play`.

        The groups of a model that is reported as removed begin anew, too: what they lacked so far was the model.
        """
        judged, known = play.pi_play > 0, pad(before.pi_play, play.pi_play.size)
        changed = judged != (known > 0)
        # Not for a new name alone: the fold learns it at the start of a block, wherever that was cut.
        if not np.array_equal(known, play.pi_play):
            changed |= self.usual.regroup(play)
        left = play.out[~np.isin(play.out, before.out)]
        changed[[number for groups in (play.provider, play.license) for number in groups[left].tolist()]] = True
        for subject in np.flatnonzero(changed).tolist():
            self.reset(subject, mark)

    def reset(self, subject: int, mark: Mark) -> None:
        """Reset one subject to its initial state; what was learned of it stays."""
        self.declared.reset(subject, mark)
        self.learned.reset(subject, mark)
        self.log_m[subject] = -np.inf

    def winner(self, subject: int) -> tuple[ShareSums, int]:
        """The sums and the index of the bet with the most evidence."""
        stakes = [sums.weights * sums.r[:, subject] for sums in (self.declared, self.learned)]
        if stakes[1].size and stakes[1].max() > stakes[0].max():
            return self.learned, int(np.argmax(stakes[1]))
        return self.declared, int(np.argmax(stakes[0]))

    def rises(self, subject: int) -> bool:
        """Whether the bet with the most evidence is on a rise."""
        sums, bet = self.winner(subject)
        return bool(sums.bets[bet] > 1)

    def onset(self, subject: int) -> int:
        """Battles at the onset of the bet with the most evidence."""
        sums, bet = self.winner(subject)
        return int(sums.since_row[bet, subject])

    def log_m_of(self, most: float) -> Vector:
        """float64[S], log of the part of M that is of bets r <= `most`."""
        part, other = (
            (((sums.bets <= most) * sums.weights)[:, None] * sums.r).sum(axis=0)
            for sums in (self.declared, self.learned)
        )
        part = np.where(self.usual.multiple > 0, 0.5 * (part + other), part)
        with np.errstate(divide="ignore"):  # log 0 = -inf is the value: no evidence yet
            return np.asarray(np.log(part))
