"""Stratum removal: a model is missing from the battles of a language or a category, though not from the others.

Of the battles in a stratum (a language or category with a twentieth of all battles, see `Strata`) a model is in its
declared share, whatever the stratum. Its share there is tested like its share of all battles, drops only, with the
same tolerance. A model whose share is down everywhere is `share_drift`'s or `silent_removal`'s to report, and this
detector leaves it to them in two ways: it bets against the declared share times the model's share of late where that
is lower (`ShareRatio`), and it withholds an alert until the model keeps its share outside the stratum.

Strata are updated every ten ticks: each has a model's evidence in every model, so an update costs as much as one of
all shares. All strata in which a model is missing are one alert.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, percent, some
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Since
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.strata import Strata
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import ReviewBattles, ReviewDetector, Verdict
from streams.fairness.detectors.row_detector import RowDetector, RowEvidence
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.detectors.share_ratio import ShareRatio, is_due, spans
from streams.fairness.statistics.cell_evidence import PAGED, Cells, close_tick
from streams.fairness.statistics.expected_share import Vector

BETS = (0.02, 0.1, 0.25, 0.5)
"""Parts of the share that are left."""
MILD, BACK = 0.55, 0.7
"""Part of the share for the onset, and r_back of recovery, as `share_drift` has it."""
KEEPS, ENOUGH = 0.75, 8.0
"""A model keeps its share outside the stratum when it has this part of it, in at least so many expected battles."""
ALMOST_ONE = 1.0 - 1e-9
Numbers = NDArray[np.int64]


@dataclass(slots=True)
class StratumShares(RowEvidence):
    """State; with S subjects and K strata, cell k·S + s is subject s in stratum k.

    Attributes
    ----------
    hits, battles
        int64[K, S] and int64[K], appearances and battles that are not in the evidence yet.
    all_seen, all_due
        float64[K·S], the subject's counts in all battles at the onset of its cell.
    since
        By subject number, where the alert of a model began: it stays when further strata join it.
    """

    cells: Cells = field(default_factory=lambda: Cells.start((0,) * len(BETS)))
    strata: Strata = field(default_factory=Strata)
    ratio: ShareRatio = field(default_factory=ShareRatio)
    subjects: int = 0
    hits: Numbers = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    battles: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    all_seen: Vector = field(default_factory=lambda: np.zeros(0))
    all_due: Vector = field(default_factory=lambda: np.zeros(0))
    since: dict[int, Since] = field(default_factory=dict)


class StratumRemoval(RowDetector[StratumShares], ReviewDetector[StratumShares]):
    """Checks every model in play in every stratum. Resolves on evidence that the model is back."""

    kind = Kind.STRATUM_REMOVAL
    state = StratumShares

    def resize(self, state: StratumShares, subjects: int) -> None:
        """Make room for more subjects in every stratum."""
        more = subjects - state.subjects
        if more <= 0:
            return
        strata, cells = len(state.strata), state.cells
        if strata:
            place = np.full((strata, subjects), -1)
            place[:, : state.subjects] = np.arange(len(cells)).reshape(strata, -1)
            flat = place.ravel()
            flat[flat < 0] = np.arange(len(cells), flat.size)
            cells.resize(flat.size)
            cells.reorder(flat)
            grow(state, flat.size, "all_seen", "all_due")
            state.all_seen, state.all_due = state.all_seen[flat], state.all_due[flat]
        grow(state, subjects, "hits")
        state.subjects = subjects

    def gather(self, state: StratumShares, battles: ReviewBattles) -> None:
        """Count the languages and categories of the current review."""
        state.strata.gather(battles.rows)

    def review(self, state: StratumShares, scene: Scene, ratings: Ratings | None) -> None:
        """Follow the large strata, and take in the shares of the review."""
        self._take_in(state, scene.play, scene.settings.delta)
        self._look(state, scene, scene.facts.seen, scene.facts.due, review=True)
        joined = state.strata.turn(scene.settings.review_battles)
        if not joined:
            return
        before = len(state.cells)
        state.cells.resize(before + joined * state.subjects)
        grow(state, len(state.cells), "all_seen", "all_due")
        state.hits = np.concatenate([state.hits, np.zeros((joined, state.subjects), np.int64)])
        state.battles = np.concatenate([state.battles, np.zeros(joined, np.int64)])
        self.reset(state, scene, np.arange(before, len(state.cells)))

    def watched(self, state: StratumShares, play: Play) -> Mask:
        """bool[K·S], models in play in every stratum."""
        inside = np.zeros(state.subjects, np.bool_)
        inside[: play.pi.size] = play.in_play[:-1]
        return np.tile(inside, len(state.strata))

    def prepare(self, state: StratumShares, scene: Scene, battles: RowBattles) -> Any:
        """Look up the strata of the stretch's languages and categories."""
        return state.strata.membership(battles.rows)

    def rows(self, state: StratumShares, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Count the exposures of a tick by stratum."""
        if prepared is not None:
            _count(
                battles.a, battles.b, battles.exposure, scene.play.in_play, start,
                prepared.language, prepared.in_language, prepared.categories, prepared.in_categories,
                state.hits, state.battles,
            )  # fmt: skip

    def close(self, state: StratumShares, scene: Scene) -> None:
        """Update all strata every few ticks."""
        if not is_due(scene):
            return
        self._take_in(state, scene.play, scene.settings.delta)
        super().close(state, scene)
        self._closed(state, scene, scene.facts.seen, scene.facts.due)

    def run(self, state: StratumShares, scene: Scene, ticks: Ticks) -> bool:
        """Count the exposures of ticks, and update all strata every few of them."""
        prepared, size, start = self.prepare(state, scene, ticks.battles), ticks.ends.size, 0
        for _, until, looks in spans(ticks.ends):
            last, end = until - 1, int(ticks.ends.place[until - 1])
            self.rows(state, scene, ticks.battles.tick(start, end), prepared, start)
            start = end
            if not looks:
                continue
            self._take_in(state, scene.play, scene.settings.delta)
            state.cells.highest, near = close_tick(
                state.cells.arrays, int(ticks.ends.row[last]), float(ticks.ends.time[last]), size, ticks.levels
            )
            if near:
                return False
            self._closed(state, scene, ticks.seen[last], ticks.due[last])
        return True

    def _closed(self, state: StratumShares, scene: Scene, seen: Vector, due: Vector) -> None:
        """Note the subjects' counts in all battles, float64[S], where an onset may be, and look at the shares."""
        unmoved = np.flatnonzero(state.cells.onset[:, 0] <= 1.0)
        subject = unmoved % state.subjects
        state.all_seen[unmoved], state.all_due[unmoved] = seen[subject], due[subject]
        self._look(state, scene, seen, due, review=False)

    def settle(self, state: StratumShares, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve alerts; when an outage ends, first leave it out of the shares of late."""
        if turned and not scene.facts.outage:
            state.ratio.pass_over(scene.facts.seen, scene.facts.due)
        return super().settle(state, scene, turned=turned)

    @staticmethod
    def _look(state: StratumShares, scene: Scene, seen: Vector, due: Vector, *, review: bool) -> None:
        if scene.facts.outage:
            return
        play = scene.play
        groupings = np.where(play.in_play[:-1], np.stack([play.license[:-1], play.provider[:-1]]), -1)
        state.tables += state.ratio.look(seen, due, groupings, review=review)

    def follow(self, state: StratumShares, scene: Scene, before: Play) -> bool:
        """Take in the counts under the policy that ends, then reset cells that start or stop being tested."""
        self._take_in(state, before, scene.settings.delta)
        return super().follow(state, scene, before)

    def _take_in(self, state: StratumShares, play: Play, delta: float) -> None:
        """Turn the counts so far into evidence, under the policy that they were counted in."""
        if not state.battles.any():
            return
        known = play.tables.get(self.kind.value)
        if known is None or known[0] != state.tables:
            known = play.tables[self.kind.value] = state.tables, odds_of(play, state.ratio, delta)
        shown, missing, share = known[1]
        cells = state.cells
        _gain(
            state.hits, state.battles, shown, missing, share,
            cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip
        state.hits[:], state.battles[:] = 0, 0

    def admits(self, state: StratumShares, scene: Scene, cell: int) -> bool:
        """Whether the model keeps its share outside the stratum."""
        cells, facts, subject = state.cells, scene.facts, cell % state.subjects
        seen = facts.seen[subject] - state.all_seen[cell] - (cells.seen[cell, 0] - cells.since_seen[cell, 0])
        due = facts.due[subject] - state.all_due[cell] - (cells.due[cell, 0] - cells.since_due[cell, 0])
        return bool(due >= ENOUGH and seen >= KEEPS * due)

    def turned(self, state: StratumShares, scene: Scene, cell: int, *, held: bool) -> None:
        """Begin or end the model's alert."""
        subject = cell % state.subjects
        if held:
            row, time = int(state.cells.from_row[cell]), float(state.cells.from_time[cell])
            state.since.setdefault(subject, Since(str(row), time))

    def reset(self, state: StratumShares, scene: Scene, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> None:
        """Reset cells; a model without a held alarm has no alert."""
        super().reset(state, scene, chosen)
        held = set((np.flatnonzero(state.cells.held) % max(state.subjects, 1)).tolist())
        state.since = {subject: since for subject, since in state.since.items() if subject in held}

    def subject(self, scene: Scene, cell: int) -> Subject:
        """The model of a cell."""
        return scene.facts.roster.subjects[cell]

    def evidence(self, state: StratumShares, scene: Scene, cell: int) -> Evidence:
        """Share inside the stratum."""
        trials, seen, due = state.cells.counted(cell)
        return {
            "stratum_battles": int(trials),
            "appearances": int(seen),
            "expected_appearances": rounded(due),
            "observed_share": rounded(seen / trials if trials else 0.0),
            "declared_share": rounded(due / trials if trials else 0.0),
        }

    def verdicts(self, state: StratumShares, scene: Scene) -> list[Verdict]:
        """One verdict a model, with the numbers of the stratum with the most evidence."""
        cells, found = state.cells, []
        held = np.flatnonzero(cells.held)
        for subject in sorted(state.since):
            mine = held[held % state.subjects == subject]
            top = int(mine[int(np.argmax(cells.peak[mine]))])
            names = [state.strata.names[cell // state.subjects] for cell in mine.tolist()]
            since, paged = state.since[subject], bool((cells.held[mine] == PAGED).any())
            found.append(
                Verdict(
                    subject=self.subject(scene, subject),
                    severity=Severity.CRITICAL if paged else Severity.WARNING,
                    onset=since.onset,
                    starts_at=since.time,
                    evidence=self.evidence(state, scene, top)
                    | {
                        "strata": [f"{field_name} {name}" for field_name, name in names],
                        "battles": scene.facts.rows - int(since.onset),
                        "log10_e": rounded(float(cells.peak[top]) / LN10),
                        "log10_page": rounded(scene.page_level / LN10),
                    },
                )
            )
        return found

    def judged(self, state: StratumShares, scene: Scene) -> Judged:
        """Models in play, once a stratum is followed."""
        if scene.declares and not len(state.strata):
            return Judged.not_yet(self.kind, Unjudged.NO_STRATA)
        judged = super().judged(state, scene)
        if not judged.judged:
            return judged
        return Judged(self.kind, judged=True, subjects=int(np.count_nonzero(scene.play.in_play)))

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        strata = e["strata"]
        count = len(strata) if isinstance(strata, list) else 0
        return (
            f"{verdict.subject.name} is missing from battles of {some(strata, count)} in arena {arena} since about "
            f"{day(verdict.starts_at)}: {e['appearances']:,} of {e['stratum_battles']:,} where its declared share of "
            f"{percent(e['declared_share'])} makes {e['expected_appearances']:,.0f}, though it keeps its share of the "
            f"others, evidence of 10^{e['log10_e']:.1f} to 1."
        )


def odds_of(play: Play, ratio: ShareRatio, delta: float) -> tuple[NDArray[np.float64], NDArray[np.float64], Vector]:
    """Log e-values of an appearance, and of a battle without the model, float64[S, 6] each, and shares, float64[S].

    Columns are the bets, the onset and the recovery. The share of a subject that is not tested is 0.
    """
    declared = np.where(play.in_play[:-1], play.pi_play, 0.0)
    share = np.minimum(declared * np.minimum(ratio.of(declared.size), 1.0), ALMOST_ONE)
    tested = share > 0
    base = np.where(tested, share, 0.5)[:, None]
    part = np.array([*BETS, MILD])
    left = part * base / (1.0 - base + part * base)
    edge = (1.0 - delta) * base
    wins = left < edge  # a bet inside the band is no bet
    left = np.where(wins, left, edge)
    shown = np.concatenate([np.log(left / edge), -np.log(np.full_like(base, BACK))], axis=1)
    missing = np.concatenate([np.log1p(-left) - np.log1p(-edge), np.log1p(-base) - np.log1p(-BACK * base)], axis=1)
    return shown, missing, share


@njit(cache=True)
def _count(  # type: ignore[no-untyped-def]
    a, b, exposure, in_play, start, language, in_language, categories, in_categories, hits, battles,
):  # fmt: skip
    for row in range(len(a)):
        if not (exposure[row] and in_play[a[row]] and in_play[b[row]]):
            continue
        of_language, of_categories = in_language[language[start + row]], in_categories[categories[start + row]]
        for stratum in range(len(battles)):
            if of_language[stratum] or of_categories[stratum]:
                battles[stratum] += 1
                hits[stratum, a[row]] += 1
                hits[stratum, b[row]] += 1


@njit(cache=True)
def _gain(  # type: ignore[no-untyped-def]
    hits, battles, shown, missing, share, gain, waiting, trials, seen, due,
):  # fmt: skip
    strata, subjects = hits.shape
    for stratum in range(strata):
        if not battles[stratum]:
            continue
        for subject in range(len(share)):
            if share[subject] <= 0.0:
                continue
            cell = stratum * subjects + subject
            absent = battles[stratum] - hits[stratum, subject]
            for column in range(shown.shape[1]):
                gain[cell, column] += (
                    hits[stratum, subject] * shown[subject, column] + absent * missing[subject, column]
                )
            waiting[cell] += battles[stratum]
            trials[cell] += battles[stratum]
            seen[cell, 0] += hits[stratum, subject]
            due[cell, 0] += battles[stratum] * share[subject]
