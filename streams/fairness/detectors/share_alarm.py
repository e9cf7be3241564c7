"""Monitor shares: evidence raises an alarm, the alarm is held, and an e-CUSUM of recovery resolves it.

A held alarm does not depend on later evidence, so a model that flickers gives one alert, not thirty. The e-CUSUM bets
that the odds are back where they belong (at the declared ones, or at the subject's usual multiple of them), against the
null that they are still at most r_back times that (after a rise: at least). r_back lies between the bet that raised the
alarm and 1, so there is a gap between the shares that raise an alarm and those that resolve it, and no share does both.

Recovery is a CUSUM, not the product since the alarm: after an absence of n battles the log of that product is
about -n·π·(1 - r), and a model that was away for a month would need a month to recover. A CUSUM restarts at 0, so it
finds recovery as fast after a month as after a day. A false recovery comes on average no sooner than `recovery_level`
ticks, and the alarm then fires again.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Severity
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.detectors.base import TickDetector
from streams.fairness.statistics.cusum import ALMOST_ONE
from streams.fairness.statistics.expected_share import Vector
from streams.fairness.statistics.odds_bets import shifted

FREE, WARNED, PAGED = 0, 1, 2
PART = -1
"""In `Usual.paused`: the subject is part of another's alert."""
SEVERITY = {WARNED: Severity.WARNING, PAGED: Severity.CRITICAL}
GAP = 0.5
"""r_back is at least this part of the way, on logarithms, from 1 to the bet r that raised the alarm: r^GAP. Shares
nearer to 1 than about half of that resolve the alert: a drop found by r = 0.7 above 0.92 π. With 0.75 the share of a
provider at 1.31 of its odds, paged by the bet on 1.4, was resolved 200 ticks later; with the same r_back of 0.7 for
the bet on 0.7 as for larger drops, chance resolved 44 % of alerts on 0.75 of the odds within 100,000 battles, now 0.5 %
(400 runs at a share of 5 %)."""
LN10 = float(np.log(10.0))
Matrix = NDArray[np.float64]


def _reals() -> Vector:
    return np.zeros(0)


@dataclass(slots=True)
class ShareAlarms:
    """Alarms of S subjects; their evidence is in `ArenaFacts.shares`.

    Attributes
    ----------
    held
        int8[S], `FREE`, `WARNED` or `PAGED`.
    rose
        bool[S], whether a held alarm is about a rise.
    peak
        float64[S], largest log M of a held alarm so far.
    usual, back
        float64[S], of a held alarm: the multiple of the declared odds that recovery leads to, and r_back.
    recovery, recovery_bank
        float64[S], log of the e-CUSUM of recovery, and its increment in the current tick so far.
    since_row, since_time, since_hits, since_due
        [S], the onset of a held alarm.
    part
        int64[S], one more than the number of the subject whose alert explains this one; 0 when none does.
    """

    held: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    rose: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    peak: Vector = field(default_factory=_reals)
    usual: Vector = field(default_factory=_reals)
    back: Vector = field(default_factory=_reals)
    recovery: Vector = field(default_factory=_reals)
    recovery_bank: Vector = field(default_factory=_reals)
    since_row: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    since_time: Vector = field(default_factory=_reals)
    since_hits: Vector = field(default_factory=_reals)
    since_due: Vector = field(default_factory=_reals)
    part: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def resize(self, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        grow(self, subjects, "held", "rose", "peak", "usual", "back", "recovery", "recovery_bank", "part")
        grow(self, subjects, "since_row", "since_time", "since_hits", "since_due")

    def recover(self, pi: Vector, hits: Vector, battles: float, log_m: Vector, *, closes: bool) -> None:
        """Add a stretch to the evidence of recovery of held alarms.

        Parameters
        ----------
        pi
            float64[S], declared shares.
        hits, battles
            float64[S] appearances, and the number of battles that they are counted in.
        log_m
            float64[S], evidence at the end of the tick.
        """
        if not np.count_nonzero(self.held):  # 10x faster than any(), and this runs every tick
            return
        # Battles under a past policy say nothing about a subject that was not in it.
        held = np.flatnonzero((self.held != FREE) & (pi > 0.0))
        declared = np.minimum(pi[held], ALMOST_ONE)
        share = shifted(declared, self.usual[held])
        null = shifted(declared, self.usual[held] * self.back[held])
        miss = np.log1p(-share) - np.log1p(-null)
        self.recovery_bank[held] += hits[held] * (np.log(share) - np.log(null)) + (battles - hits[held]) * miss
        if closes:
            self.recovery[held] = np.maximum(self.recovery[held], 0.0) + self.recovery_bank[held]
            self.recovery_bank[held] = 0.0
            self.peak[held] = np.maximum(self.peak[held], log_m[held])

    def suspects(self, scene: Scene, level: float, below: int = WARNED) -> list[int]:
        """Subjects whose log M is at or above the level, with an alarm lower than `below`, most evidence first."""
        log_m = scene.facts.shares.log_m
        if not log_m.size or log_m.max() < level:
            return []
        near = np.flatnonzero((log_m >= level) & (self.held < below) & (self.part == 0))
        order: list[int] = near[np.argsort(-log_m[near], kind="stable")].tolist()
        return order

    def recovers(self, scene: Scene, pi: Vector, hits: Matrix, battles: Vector, log_m: Matrix) -> bool:
        """Add ticks to the evidence of recovery, see `recover`; return whether an alarm would be resolved."""
        if not np.count_nonzero(self.held):
            return False
        for tick, count in enumerate(battles.tolist()):
            self.recover(pi, hits[tick], count, log_m[tick], closes=True)
            if self.recovered(scene.settings.recovery_level):
                return True
        return False

    def recovered(self, level: float) -> list[int]:
        """Subjects with a held alarm whose evidence of recovery has reached the level."""
        if not np.count_nonzero(self.held):  # 10x faster than any(), and this runs every tick
            return []
        back: list[int] = np.flatnonzero((self.held != FREE) & (self.recovery >= np.log(level))).tolist()
        return back

    def hold(self, subject: int, severity: int, scene: Scene, back: float) -> None:
        """Hold an alarm, or raise a warning to a page; a new alarm has the onset of the bet with the most evidence.

        `back` is the r_back of drops farthest from 1; that of a rise is 1/`back`.
        """
        shares = scene.facts.shares
        if self.held[subject] == FREE:
            sums, bet = shares.winner(subject)
            r = float(sums.bets[bet])
            self.rose[subject] = r > 1
            for name in ("since_row", "since_time", "since_hits", "since_due"):
                getattr(self, name)[subject] = getattr(sums, name)[bet, subject]
            self.usual[subject] = shares.usual.multiple[subject] if sums is shares.learned else 1.0
            self.back[subject] = nearest(r, back)
            self.recovery[subject] = self.recovery_bank[subject] = 0.0
            self.peak[subject] = 0.0
        self.held[subject] = shares.usual.paused[subject] = severity
        self.peak[subject] = max(self.peak[subject], float(shares.log_m[subject]))

    def release(self, subject: int, scene: Scene) -> None:
        """Drop the alarm of a subject and reset its evidence."""
        self.drop(subject, scene)
        scene.facts.shares.reset(subject, scene.mark)

    def drop(self, subject: int, scene: Scene) -> None:
        """Drop the alarm of a subject."""
        self.held[subject] = FREE
        self.recovery[subject] = self.recovery_bank[subject] = self.peak[subject] = 0.0
        self.part[subject] = 0
        scene.facts.shares.usual.paused[subject] = FREE

    def join(self, subject: int, cause: int, scene: Scene) -> bool:
        """Make a subject, and its parts, part of another's alert; return whether it had one of its own."""
        own = self.held[subject] != FREE
        if own:
            self.drop(subject, scene)
        self.part[self.part == subject + 1] = cause + 1
        self.part[subject] = cause + 1
        scene.facts.shares.usual.paused[subject] = PART
        return bool(own)

    def part_with(self, subject: int, scene: Scene) -> None:
        """Make a part a subject of its own."""
        self.part[subject] = 0
        scene.facts.shares.usual.paused[subject] = FREE

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
    """Common base of the two share detectors, which read the same evidence and so have one claim per subject.

    Without a declared policy both skip their ticks and report nothing.
    """

    def resize(self, state: ShareAlarms, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        state.resize(subjects)

    @abstractmethod
    def watched(self, play: Play) -> Mask:
        """bool[S], the subjects that may have an alarm; one that joins or leaves them loses it."""

    def subjects(self, play: Play) -> Mask:
        """bool[S], the subjects that can be reported."""
        return self.watched(play)

    @abstractmethod
    def suspects(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Subjects about to be reported."""

    @abstractmethod
    def report(self, state: ShareAlarms, scene: Scene) -> bool:
        """Raise and resolve alerts; return whether anything changed."""

    def onsets(self, state: ShareAlarms, scene: Scene) -> list[int]:
        """Onsets of the suspects, each that of the bet with the most evidence."""
        return [scene.facts.shares.onset(each) for each in self.suspects(state, scene)]

    def settle(self, state: ShareAlarms, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve alerts; when an outage ends, first reset all subjects without a held alarm."""
        if turned and not scene.facts.outage:
            for subject in np.flatnonzero(state.held == FREE).tolist():
                state.release(subject, scene)
        return self.report(state, scene)

    def follow(self, state: ShareAlarms, scene: Scene, before: Play) -> bool:
        """Drop the alarms of subjects that start or stop being monitored; their evidence begins anew by itself."""
        judged = self.watched(scene.play)
        known = np.zeros(judged.size, np.bool_)
        known[: before.pi.size] = self.watched(before)
        changed = np.flatnonzero(judged != known)
        withdrawn = bool((state.held[changed] != FREE).any())
        for subject in changed[state.held[changed] != FREE].tolist():
            state.release(subject, scene)
        for subject in changed[state.part[changed] > 0].tolist():
            state.part_with(subject, scene)
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


def nearest(r: float, back: float) -> float:
    """r_back of an alarm that the bet r raised: at most as far from 1 as `back`, or 1/`back` for a rise.

    >>> [round(nearest(r, 0.7), 3) for r in (0.02, 0.6, 0.8, 1.25, 4.0)]
    [0.7, 0.775, 0.894, 1.118, 1.429]
    """
    return float(min(1.0 / back, r**GAP) if r > 1 else max(back, r**GAP))


def rounded(value: float) -> float:
    """Round to six significant digits: enough for a reader, and the same on every machine.

    >>> rounded(0.012345678)
    0.0123457
    """
    return float(f"{value:.6g}")
