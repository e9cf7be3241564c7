"""Monitor shares: an e-CUSUM raises an alarm, the alarm is held, and a second e-CUSUM of recovery resolves it.

A held alarm does not depend on later values of log C, so a model that flickers gives one alert, not thirty. The second
e-CUSUM bets that the share is back at π, against the null that it is still at most r_back·π (after a rise: at least
π/r_back). r_back is nearer to 1 than any bet of the alarm, so there is a gap between the shares that raise an alarm and
those that resolve it (drift: below 0.64 π and above 0.84 π with δ = 0.2), and no share does both.

Recovery is a CUSUM, not the product since the alarm: after an absence of n battles the log of that product is
about −n·π·(1 − r), and a model that was away for a month would need a month to recover. A CUSUM restarts at 0, so it
finds recovery as fast after a month as after a day. A false recovery comes on average no sooner than `recovery_level`
ticks, and the alarm then fires again.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Severity
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.detectors.base import Tick, TickDetector
from streams.fairness.statistics.cusum import ALMOST_ONE, Cusum, Mark, Odds
from streams.fairness.statistics.expected_share import Vector

FREE, WARNED, PAGED = 0, 1, 2
SEVERITY = {WARNED: Severity.WARNING, PAGED: Severity.CRITICAL}
LN10 = float(np.log(10.0))


@dataclass(slots=True)
class ShareAlarms:
    """Evidence and alarms of S subjects.

    Attributes
    ----------
    top
        float64[S], max over bets of log C; `highest` is an upper bound of them.
    held
        int8[S], the alarm held: `FREE` (none), `WARNED` or `PAGED`.
    rose
        bool[S], the direction of a held alarm, True for a rise.
    peak
        float64[S], largest log M of a held alarm so far.
    recovery, recovery_bank
        float64[S], log of the e-CUSUM of recovery, and its increment in the current tick so far.
    since_row, since_time, since_hits, since_due
        [S], the onset of a held alarm.
    """

    cusum: Cusum
    top: Vector
    held: NDArray[np.int8]
    rose: NDArray[np.bool_]
    peak: Vector
    recovery: Vector
    recovery_bank: Vector
    since_row: NDArray[np.int64]
    since_time: Vector
    since_hits: Vector
    since_due: Vector
    highest: float = 0.0

    @classmethod
    def start(cls, bets: int) -> ShareAlarms:
        """Return the state without subjects."""
        return cls(
            cusum=Cusum.start(bets, 0),
            top=np.zeros(0),
            held=np.zeros(0, np.int8),
            rose=np.zeros(0, np.bool_),
            peak=np.zeros(0),
            recovery=np.zeros(0),
            recovery_bank=np.zeros(0),
            since_row=np.zeros(0, np.int64),
            since_time=np.zeros(0),
            since_hits=np.zeros(0),
            since_due=np.zeros(0),
        )

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(self.cusum, subjects, "log_c", "bank", "since_row", "since_time", "since_hits", "since_due")
        grow(self, subjects, "top", "held", "rose", "peak", "recovery", "recovery_bank")
        grow(self, subjects, "since_row", "since_time", "since_hits", "since_due")

    def update(self, odds: Odds, tick: Tick, *, closes: bool) -> None:
        """Add a stretch to the evidence; `closes` is True when the tick ends with it."""
        if closes:
            self.top, self.highest = self.cusum.update(odds, tick.in_play_hits, tick.in_play_battles, tick.mark)
        else:
            self.cusum.set_aside(odds, tick.in_play_hits, tick.in_play_battles)

    def recover(self, pi: Vector, back: float, hits: Vector, battles: float, *, closes: bool) -> None:
        """Add a stretch to the evidence of recovery of held alarms.

        Parameters
        ----------
        pi
            float64[S], declared shares.
        back
            r_back of drops; for rises it is 1/back.
        hits, battles
            float64[S] appearances, and the number of battles that they are counted in.
        """
        if not np.count_nonzero(self.held):  # 10x faster than any(), and this runs every tick
            return
        held = np.flatnonzero(self.held)
        ratio = np.where(self.rose[held], 1.0 / back, back)
        share = np.minimum(pi[held], ALMOST_ONE)
        null = np.minimum(ratio * share, ALMOST_ONE)
        miss = np.log1p(-share) - np.log1p(-null)
        self.recovery_bank[held] += hits[held] * (np.log(share) - np.log(null)) + (battles - hits[held]) * miss
        if closes:
            self.recovery[held] = np.maximum(self.recovery[held], 0.0) + self.recovery_bank[held]
            self.recovery_bank[held] = 0.0
            self.peak[held] = np.maximum(self.peak[held], self.cusum.log_e(held))

    def suspects(self, level: float, below: int = WARNED) -> list[int]:
        """Subjects with an alarm lower than `below`, whose log M is at or above the level."""
        if self.highest < level:
            return []
        near: list[int] = np.flatnonzero((self.top >= level) & (self.held < below)).tolist()
        return [subject for subject in near if self.cusum.log_e_of(subject) >= level]

    def recovered(self, level: float) -> list[int]:
        """Subjects with a held alarm whose evidence of recovery has reached the level."""
        if not np.count_nonzero(self.held):  # 10x faster than any(), and this runs every tick
            return []
        back: list[int] = np.flatnonzero((self.held != FREE) & (self.recovery >= np.log(level))).tolist()
        return back

    def hold(self, subject: int, severity: int, bets: tuple[float, ...]) -> None:
        """Hold an alarm, or raise a warning to a page; a new alarm has the onset of the bet with the most evidence."""
        if self.held[subject] == FREE:
            bet = self.winner(subject)
            self.rose[subject] = bets[bet] > 1
            for name in ("since_row", "since_time", "since_hits", "since_due"):
                getattr(self, name)[subject] = getattr(self.cusum, name)[bet, subject]
            self.recovery[subject] = self.recovery_bank[subject] = 0.0
            self.peak[subject] = 0.0
        self.held[subject] = severity
        self.peak[subject] = max(self.peak[subject], self.cusum.log_e_of(subject))

    def winner(self, subject: int) -> int:
        """Index of the bet with the most evidence."""
        return int(np.argmax(self.cusum.log_c[:, subject]))

    def release(self, subject: int, mark: Mark) -> None:
        """Drop the alarm of a subject and reset its evidence."""
        self.held[subject] = FREE
        self.recovery[subject] = self.recovery_bank[subject] = self.top[subject] = self.peak[subject] = 0.0
        self.cusum.reset(subject, mark)

    def evidence(self, subject: int, scene: Scene) -> Evidence:
        """Evidence of a held alarm, as published; shares are of battles."""
        facts, pi = scene.facts, float(scene.play.pi[subject])
        appearances = float(facts.seen[subject] - self.since_hits[subject])
        expected = float(facts.due[subject] - self.since_due[subject])
        return {
            "declared_share": rounded(pi),
            "observed_share": rounded(pi * appearances / expected if expected > 0 else 0.0),
            "battles": facts.rows - int(self.since_row[subject]),
            "appearances": int(appearances),
            "expected_appearances": rounded(expected),
            "log10_e": rounded(float(self.peak[subject]) / LN10),
            "log10_page": rounded(scene.page_level / LN10),
            "unfinished_share": rounded(scene.unfinished_share),
        }


class ShareDetector(TickDetector[ShareAlarms]):
    """Common base of the two share detectors.

    Without a declared policy both skip their ticks and report nothing.

    Attributes
    ----------
    bets
        Multipliers r of the declared share, as in `Odds.of`.
    """

    bets: tuple[float, ...]

    def start(self) -> ShareAlarms:
        """Return the state without subjects."""
        return ShareAlarms.start(len(self.bets))

    def resize(self, state: ShareAlarms, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        state.resize(subjects)

    @abstractmethod
    def watched(self, play: Play) -> Mask:
        """bool[S], the subjects whose evidence is kept; a subject that joins or leaves them is reset."""

    def subjects(self, play: Play) -> Mask:
        """bool[S], the subjects that can be reported."""
        return self.watched(play)

    def claims(self, state: ShareAlarms, scene: Scene) -> int:
        """The subjects in play that can be reported."""
        return int(np.count_nonzero(self.subjects(scene.play)))

    @abstractmethod
    def suspects(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Subjects about to be reported."""

    @abstractmethod
    def report(self, state: ShareAlarms, scene: Scene) -> bool:
        """Raise and resolve alerts; return whether anything changed."""

    def onsets(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Onsets of the suspects, each that of the bet with the most evidence."""
        return [int(state.cusum.since_row[state.winner(each), each]) for each in self.suspects(state, scene)]

    def settle(self, state: ShareAlarms, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve alerts; when an outage ends, first reset all subjects without a held alarm."""
        if turned and not scene.facts.outage:
            for subject in np.flatnonzero(state.held == FREE).tolist():
                state.release(subject, scene.mark)
        return self.report(state, scene)

    def follow(self, state: ShareAlarms, scene: Scene, before: Play) -> bool:
        """Reset subjects that start or stop being monitored; a reset never raises the false-alarm rate."""
        judged = self.watched(scene.play)
        known = np.zeros(judged.size, np.bool_)
        known[: before.pi.size] = self.watched(before)
        changed = np.flatnonzero(judged != known)
        withdrawn = bool((state.held[changed] != FREE).any())
        for subject in changed.tolist():
            state.release(subject, scene.mark)
        return withdrawn

    def judged(self, state: ShareAlarms, scene: Scene) -> Judged:
        """Subjects in play, since the policy came into force."""
        subjects = int(np.count_nonzero(self.subjects(scene.play)))
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not subjects:
            return Judged.not_yet(self.kind, Unjudged.NO_POLICY)
        if scene.facts.rows - scene.epoch.since_row < scene.settings.tick_battles:
            return Judged.not_yet(self.kind, Unjudged.NO_BATTLES)
        if scene.facts.outage:
            return Judged.not_yet(self.kind, Unjudged.FEED_STALLED)
        epoch = scene.epoch
        return Judged(self.kind, judged=True, subjects=subjects, since=epoch.since_time, since_battle=epoch.since_row)


def rounded(value: float) -> float:
    """Round to six significant digits: enough for a reader, and the same on every machine.

    >>> rounded(0.012345678)
    0.0123457
    """
    return float(f"{value:.6g}")
