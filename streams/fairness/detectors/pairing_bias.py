"""Pairing bias: the opponents of a model are not those that the declared weights give it.

Given that X is in a battle, its opponent is j with probability q_j = P(X, j)/π_X, where two draws without replacement
give P(i, j) ∝ w_i w_j (1/(W − w_i) + 1/(W − w_j)). A bet tilts this distribution by a factor f(j),

    e = f(j)/Z,   Z = Σ_j q_j f(j),   E[e] = 1

with f from four families: e^{t s_j}, s the opponents' ratings standardised; r for opponents above the weighted median
rating (a model that is shown only to the weaker half); r for opponents of X's own provider; r for those of its licence
class. Ratings are those of the last look, so they are known before the battle. Before the first look only the last two
families bet.

Opponents are weighted by their own share of late (`ShareRatio`): a class of models that is drawn less is everybody's
opponent less often, which `share_drift` reports once. An opponent with an alert of this kind is left out, because its
own alert explains whom it meets.

**Cost** of one tick at 500 models: see docs/methods/pairing_bias.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.sampling_policy import Mask, Play
from streams.fairness.arena.ticks import RowBattles, Ticks
from streams.fairness.detectors.base import ReviewDetector, Verdict
from streams.fairness.detectors.row_detector import ModelRowDetector, RowEvidence
from streams.fairness.detectors.share_alarm import rounded
from streams.fairness.detectors.share_ratio import ShareRatio, is_due, spans
from streams.fairness.statistics.cell_evidence import FREE, Cells, close_tick
from streams.fairness.statistics.expected_share import Vector

TILT, HALF, PROVIDER, LICENSE = range(4)
BETS = (
    (TILT, -1.0), (TILT, -0.5), (TILT, 0.5), (TILT, 1.0),
    (HALF, 0.02), (HALF, 0.25), (HALF, 4.0), (HALF, 50.0),
    (PROVIDER, 0.02), (PROVIDER, 0.25), (PROVIDER, 4.0),
    (LICENSE, 0.1), (LICENSE, 0.4), (LICENSE, 2.5), (LICENSE, 10.0),
)  # fmt: skip
"""Family and strength: t of a tilt, the factor r of the others."""
MILD = ((TILT, -0.4), (TILT, 0.4), (PROVIDER, 0.4), (PROVIDER, 2.2), (LICENSE, 0.5), (LICENSE, 2.0))
"""Of each way, a deviation smaller than the bets': for the onset and the recovery. They are near the smallest bets, so
that recovery is found soon; a deviation that such a bet wins on is still too large to count as recovered."""
FARTHEST = 3.0
"""Largest |s|: one outlier among the ratings does not make all bets on the others small."""
WAYS = ("weaker", "stronger", "fewer_own_provider", "more_own_provider", "fewer_own_license", "more_own_license")
WAY_OF = {TILT: 0, HALF: 0, PROVIDER: 2, LICENSE: 4}
Matrix = NDArray[np.float64]


def _way(family: int, strength: float) -> int:
    rises = strength > 0 if family == TILT else strength > 1
    return WAY_OF[family] + int(rises)


class Tables(NamedTuple):
    """What the bets need of the policy and the ratings: S subjects, B bets and mild deviations.

    `feature` is float64[S, 2], s and whether above the median; `opponent` float64[S, B], log f of an opponent in the
    families that bet on its rating, 0 in the others; `minus_log_z` float64[S, B]; `expected` float64[S, 3], the chance
    of an opponent above the median, of the same provider, of the same licence class.
    """

    feature: Matrix
    opponent: Matrix
    minus_log_z: Matrix
    expected: Matrix


@dataclass(slots=True)
class Pairings(RowEvidence):
    """State; cells are the subjects. `theta` is float64[S], logits of the last look, 0 where there are none."""

    cells: Cells = field(default_factory=lambda: Cells.start(tuple(_way(*bet) for bet in BETS)))
    ratio: ShareRatio = field(default_factory=ShareRatio)
    theta: Vector = field(default_factory=lambda: np.zeros(0))


class PairingBias(ModelRowDetector[Pairings], ReviewDetector[Pairings]):
    """Checks every model in play. Resolves on evidence that the opponents follow the declaration again."""

    kind = Kind.PAIRING_BIAS
    state = Pairings

    def resize(self, state: Pairings, subjects: int) -> None:
        """Grow the arrays to `subjects`."""
        state.cells.resize(subjects)
        grow(state, subjects, "theta")

    def review(self, state: Pairings, scene: Scene, ratings: Ratings | None) -> None:
        """Take the shares of the review, and new ratings, into the odds."""
        if ratings is not None:
            state.theta = scene.facts.theta.copy()
            state.tables += 1
        self._look(state, scene, scene.facts.seen, scene.facts.due, review=True)

    def close(self, state: Pairings, scene: Scene) -> None:
        """Update the evidence, and now and then the shares of the opponents."""
        super().close(state, scene)
        if is_due(scene):
            self._look(state, scene, scene.facts.seen, scene.facts.due, review=False)

    def settle(self, state: Pairings, scene: Scene, *, turned: bool) -> bool:
        """Raise and resolve alerts, and note whose are open: their pairs say nothing about the policy as a whole.

        When an outage ends, first leave it out of the shares of late.
        """
        if turned and not scene.facts.outage:
            state.ratio.pass_over(scene.facts.seen, scene.facts.due)
        changed = super().settle(state, scene, turned=turned)
        scene.facts.paired = state.cells.held != FREE
        return changed

    def run(self, state: Pairings, scene: Scene, ticks: Ticks) -> bool:
        """Run ticks, the odds between two looks being the same."""
        for first, until, looks in spans(ticks.ends):
            (battles, ends), play, cells = ticks.part(first, until), scene.play, state.cells
            cells.highest, near = _run(
                battles.a, battles.b, battles.exposure, play.in_play, play.provider, play.license,
                *self._tables(state, scene), _KIN, len(WAYS), cells.arrays, ends, ticks.levels,
            )  # fmt: skip
            if near:
                return False
            if looks:
                self._look(state, scene, ticks.seen[until - 1], ticks.due[until - 1], review=False)
        return True

    def _look(self, state: Pairings, scene: Scene, seen: Vector, due: Vector, *, review: bool) -> None:
        if scene.facts.outage:
            return
        play, key = scene.play, f"{self.kind.value} groups"
        known = play.tables.get(key)
        if known is None or known[1][0] is not state.theta:  # new ratings are a new array
            above = _features(play.weights, state.theta)[:, 1].astype(np.int64)
            every = np.stack([play.license[:-1], play.provider[:-1], above])
            made = state.theta, np.where(play.in_play[:-1], every, -1)
            known = play.tables[key] = 0, made
        groupings = known[1][1]
        state.tables += state.ratio.look(seen, due, groupings, review=review)

    def rows(self, state: Pairings, scene: Scene, battles: RowBattles, prepared: Any, start: int) -> None:
        """Bet on the opponents of both models of each exposure."""
        play, cells, tables = scene.play, state.cells, self._tables(state, scene)
        _bet(
            battles.a, battles.b, battles.exposure, play.in_play, play.provider, play.license, *tables,
            _KIN, len(WAYS),
            cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip

    def _tables(self, state: Pairings, scene: Scene) -> Tables:
        known = scene.play.tables.get(self.kind.value)
        if known is None or known[0] != state.tables:
            ratio = state.ratio.of(scene.play.pi.size)
            made = tables_of(scene.play, state.theta, ratio, state.cells.held == FREE)
            known = scene.play.tables[self.kind.value] = state.tables, made
        tables: Tables = known[1]
        return tables

    def evidence(self, state: Pairings, scene: Scene, cell: int) -> Evidence:
        """Which opponents, and how often."""
        trials, seen, due = state.cells.counted(cell)
        return {
            "opponents": WAYS[int(state.cells.way[cell])],
            "model_battles": int(trials),
            "observed_share": rounded(seen / trials if trials else 0.0),
            "declared_share": rounded(due / trials if trials else 0.0),
        }

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        way = str(e["opponents"])
        whom = {"provider": "models of its own provider", "license": "models of its own licence class"}.get(
            way.rsplit("_", 1)[-1], "models of the stronger half"
        )
        return (
            f"{verdict.subject.name} meets other opponents in arena {arena} than the declared weights give it since "
            f"about {day(verdict.starts_at)}: {percent(e['observed_share'])} of its {e['model_battles']:,} battles "
            f"are against {whom} where {percent(e['declared_share'])} were to be expected, evidence of "
            f"10^{e['log10_e']:.1f} to 1."
        )


_FAMILY = np.array([family for family, _ in (*BETS, *MILD)], np.int64)
_LOG = np.array([strength if family == TILT else np.log(strength) for family, strength in (*BETS, *MILD)])
_KIN = np.where(np.array([[PROVIDER], [LICENSE]]) == _FAMILY, _LOG, 0.0)
"""float64[2, B], log f of an opponent of the same provider, and of one of the same licence class."""


def tables_of(play: Play, theta: Vector, ratio: Vector, counts: Mask) -> Tables:
    """Compute the odds of every model's opponents.

    Parameters
    ----------
    play
        The policy in force.
    theta
        float64[S], logits of the last ratings, all 0 before the first.
    ratio
        float64[S], see `ShareRatio`.
    counts
        bool[S], whether battles against a model count.
    """
    drawn, size = play.weights, play.weights.size
    feature = _features(drawn, theta)
    if np.count_nonzero(drawn) < 2:
        nothing = np.zeros((size, _FAMILY.size))
        return Tables(feature, nothing, nothing, np.zeros((size, 3)))
    # Sums leave out the models that are not drawn: last digits depend on how many numbers a sum has, zeros included.
    inside, heaviest = drawn > 0, int(np.argmax(drawn))
    rest = np.array([drawn[inside].sum()]) - drawn
    rest[heaviest] = drawn[:heaviest][inside[:heaviest]].sum() + drawn[heaviest + 1 :][inside[heaviest + 1 :]].sum()
    chance = np.divide(1.0, rest, out=np.zeros(size), where=inside)
    mass = np.where(counts, drawn * ratio, 0.0)

    def opponents(factor: Vector) -> Vector:
        """Σ over the opponents j of each x of P(x, j) f(j), up to what is the same for all j."""
        one, two = mass * factor, mass * factor * chance
        return np.asarray(chance * (one[inside].sum() - one) + (two[inside].sum() - two))

    def same(group: NDArray[np.int64]) -> Vector:
        """The same over the opponents in the group of x."""
        number = np.where((group >= 0) & inside, group, size)
        one, two = mass, mass * chance
        in_one, in_two = np.bincount(number, one, size + 1), np.bincount(number, two, size + 1)
        found = chance * (in_one[number] - one) + (in_two[number] - two)
        return np.asarray(np.where(number < size, np.maximum(found, 0.0), 0.0))

    every = opponents(np.ones(size))
    lone = every <= 1e-12 * every.max(initial=0.0)  # nobody left to meet: no bet

    def share(part: Vector) -> Vector:
        return np.asarray(np.clip(np.divide(part, every, out=np.zeros(size), where=~lone), 0.0, 1.0))

    kin = {PROVIDER: share(same(play.provider[:-1])), LICENSE: share(same(play.license[:-1]))}
    above = share(opponents(feature[:, 1]))
    columns = []
    for family, log in zip(_FAMILY.tolist(), _LOG.tolist(), strict=True):
        if family == TILT:
            z = np.divide(opponents(np.exp(log * feature[:, 0])), every, out=np.ones(size), where=~lone)
        else:
            z = 1.0 + np.expm1(log) * (above if family == HALF else kin[family])
        columns.append(-np.log(np.maximum(z, 1e-300)))
    return Tables(
        feature=feature,
        opponent=np.where(_FAMILY <= HALF, _LOG * feature[:, np.minimum(_FAMILY, HALF)], 0.0),
        minus_log_z=np.stack(columns, axis=1),
        expected=np.stack([above, kin[PROVIDER], kin[LICENSE]], axis=1),
    )


def _features(drawn: Vector, theta: Vector) -> Matrix:
    """float64[S, 2]: the standardised rating of each model in play, and whether it is above the weighted median."""
    inside = drawn > 0
    feature = np.zeros((drawn.size, 2))
    if np.count_nonzero(inside) < 2 or np.ptp(theta[inside]) == 0.0:
        return feature
    values, part = theta[inside], drawn[inside] / drawn[inside].sum()
    mean = float(part @ values)
    spread = np.sqrt(float(part @ (values - mean) ** 2))
    order = np.argsort(values, kind="stable")
    middle = values[order][int(np.searchsorted(np.cumsum(part[order]), 0.5))]
    feature[inside, 0] = np.clip((values - mean) / max(spread, 1e-300), -FARTHEST, FARTHEST)
    feature[inside, 1] = values > middle
    return feature


@njit(cache=True)
def _bet(  # type: ignore[no-untyped-def]
    a, b, exposure, in_play, provider, license_, feature, opponent, minus_log_z, expected, kin, ways,
    held, gain, waiting, trials, seen, due,
):  # fmt: skip
    """Add the log e-values of battles; the last `ways` of the bets are mild deviations."""
    columns = kin.shape[1]
    bets = columns - ways
    amount, stranger = np.empty(columns), np.zeros(columns)
    for row in range(len(a)):
        if not (exposure[row] and in_play[a[row]] and in_play[b[row]]):
            continue
        same_provider, same_license = provider[a[row]] == provider[b[row]], license_[a[row]] == license_[b[row]]
        of_provider, of_license = kin[0] if same_provider else stranger, kin[1] if same_license else stranger
        for seat in range(2):
            x, other = (a[row], b[row]) if seat == 0 else (b[row], a[row])
            if held[other]:
                continue
            of_other, of_x, mine = opponent[other], minus_log_z[x], gain[x]
            for column in range(columns):
                amount[column] = (of_other[column] + of_provider[column] + of_license[column]) + of_x[column]
            for column in range(columns):
                mine[column] += amount[column]
            for way in range(ways):
                mine[columns + way] -= amount[bets + way]
            waiting[x] += 1
            trials[x] += 1.0
            seen[x, 0] += feature[other, 1]
            seen[x, 1] += same_provider
            seen[x, 2] += same_license
            for each in range(3):
                due[x, each] += expected[x, each]


@njit(cache=True)
def _run(  # type: ignore[no-untyped-def]
    a, b, exposure, in_play, provider, license_, feature, opponent, minus_log_z, expected, kin, ways,
    cells, ends, levels,
):  # fmt: skip
    """Bet on the battles of ticks, and close each; returns as `close_tick`, `near` of any."""
    start, highest, near = 0, 0.0, False
    for tick in range(len(ends.place)):
        part = slice(start, ends.place[tick])
        _bet(
            a[part], b[part], exposure[part], in_play, provider, license_, feature, opponent, minus_log_z, expected,
            kin, ways, cells.held, cells.gain, cells.waiting, cells.trials, cells.seen, cells.due,
        )  # fmt: skip
        highest, reached = close_tick(cells, ends.row[tick], ends.time[tick], ends.size, levels)
        near, start = near or reached, ends.place[tick]
    return highest, near
