"""Fragile graph: recent votes do not connect the ranked models, or a rank rests on old votes only.

Finite ratings exist only inside a strongly connected component of the win graph (Ford 1957). Old votes would keep
models connected forever, so only votes of the current and the previous period of `stale_days` count: an edge expires
after one to two periods.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.contracts.vote import MODEL_A, MODEL_B
from streams.fairness.alerts.summaries import as_number, day, some
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import NAMED, ReviewBattles, ReviewDetector, Verdict
from streams.ratings.components import strong_components

DAY = 86_400.0
BUSY = 100
"""Fewest battles in the window for a model to be checked: a new model is not connected by its first few battles."""
SINGLE = 10
"""Up to this many stale models get one alert each; more of them get one alert of the arena."""
Edges = NDArray[np.bool_]


@dataclass(slots=True)
class Graph:
    """State: "beat or drew with" by subject number, in the current and the previous period.

    Attributes
    ----------
    now, before
        bool[S, S].
    began
        Start of the current period, epoch seconds; negative before the first review.
    apart
        Models that recent votes do not connect with the others.
    stale
        Models ranked on old votes only.
    compared
        Number of models that the last look checked for a connection.
    """

    now: Edges = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    before: Edges = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    began: float = -1.0
    apart: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    compared: int = 0
    standing: Standing = field(default_factory=dict)

    def resize(self, subjects: int) -> None:
        """Grow the edges to `subjects`."""
        for name in ("now", "before"):
            edges = getattr(self, name)
            wider = np.zeros((subjects, subjects), np.bool_)
            wider[: edges.shape[0], : edges.shape[1]] = edges
            setattr(self, name, wider)

    def gather(self, a: NDArray[np.int64], b: NDArray[np.int64], winner: NDArray[np.uint8]) -> None:
        """Add the edges of votes between numbered models."""
        _connect(self.now, a, b, winner)


class GraphFragile(ReviewDetector[Graph]):
    """Checks every `ratings_reviews` reviews. Resolves when the next check finds the graph connected and up to date."""

    kind = Kind.GRAPH_FRAGILE

    def resize(self, state: Graph, subjects: int) -> None:
        """Grow the edges to `subjects`."""
        state.resize(subjects)

    def gather(self, state: Graph, battles: ReviewBattles) -> None:
        """Add wins and draws to the graph."""
        state.gather(battles.a, battles.b, battles.winner)

    def review(self, state: Graph, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review; `ratings` is None in reviews that do not solve the ratings."""
        period, now = scene.settings.stale_days * DAY, scene.now.time
        if state.began < 0:
            state.began = now
        elif now - state.began >= period:
            state.before, state.now, state.began = state.now, np.zeros_like(state.now), now
        if ratings is None:
            return
        state.apart, state.compared = self._apart(state, scene)
        state.stale = self._stale(scene, ratings)
        names = [f"model:{name}" for name in state.stale] if len(state.stale) <= SINGLE else []
        if state.apart or len(state.stale) > SINGLE:
            names.append("arena:")
        stand(state.standing, names, scene.now)

    def _apart(self, state: Graph, scene: Scene) -> tuple[list[str], int]:
        """Busy models outside the main component of recent votes, and the number of busy models."""
        models = np.array(list(scene.facts.roster.models.values()), np.int64)
        busy = models[scene.facts.window.recent[models] >= BUSY]
        if busy.size < 2:
            return [], int(busy.size)
        edges = state.now[np.ix_(busy, busy)] | state.before[np.ix_(busy, busy)]
        labels = strong_components(edges)
        main = np.argmax(np.bincount(labels))
        return sorted(scene.facts.roster.subjects[n].name for n in busy[labels != main]), int(busy.size)

    def _stale(self, scene: Scene, ratings: Ratings) -> list[str]:
        """Ranked models that are not declared retired, without a battle for `stale_days`."""
        roster, facts = scene.facts.roster, scene.facts
        old = facts.last_time[ratings.number] < facts.clock - scene.settings.stale_days * DAY
        stale = []
        for number in ratings.number[old & ratings.ranked].tolist():
            name = roster.subjects[number].name
            declared = roster.registry.get(name)
            ended = declared is None or declared.status == "retired"
            if not (ended and scene.declares):
                stale.append(name)
        return sorted(stale)

    def verdicts(self, state: Graph, scene: Scene) -> list[Verdict]:
        """Verdicts on stale models, and one on the arena."""
        facts, days = scene.facts, scene.settings.stale_days
        found = []
        for key, since in state.standing.items():
            field_, _, name = key.partition(":")
            if field_ == "model":
                number = facts.roster.models[name]
                last_seen = round(float(facts.last_time[number]), 3)
                evidence: Evidence = {"last_seen": last_seen, "stale_days": days, "votes": scene.votes_of(number)}
                subject = Subject(model=name)
            else:
                stale = state.stale if len(state.stale) > SINGLE else []
                evidence = {"stale_days": days, "models": state.compared, "apart": len(state.apart)}
                evidence |= {"apart_models": state.apart[:NAMED], "stale": len(stale), "stale_models": stale[:NAMED]}
                subject = Subject()
            found.append(Verdict(subject, Severity.WARNING, since.onset, since.time, evidence))
        return found

    def judged(self, state: Graph, scene: Scene) -> Judged:
        """Models in enough recent battles, after the first ratings."""
        if scene.facts.window.reviews < scene.settings.ratings_reviews:
            return Judged.not_yet(self.kind, Unjudged.FIRST_RATINGS)
        if state.compared < 2:
            return Judged.not_yet(self.kind, Unjudged.FEW_MODELS)
        return Judged(self.kind, judged=True, subjects=state.compared, since_battle=0)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        days = as_number(e["stale_days"])
        if verdict.subject.field == "model":
            return (
                f"{verdict.subject.name} is ranked in arena {arena} on old votes only: its last battle was at "
                f"{day(as_number(e['last_seen']))}, more than {days:g} days ago, and {e['votes']:,} votes stand."
            )
        parts = []
        if e["apart"]:
            parts.append(
                f"votes of the last {days:g} to {2 * days:g} days cannot compare {e['apart']:,} "
                f"of {e['models']:,} models with the others ({some(e['apart_models'], e['apart'])})"
            )
        if e["stale"]:
            names = some(e["stale_models"], e["stale"])
            parts.append(f"{e['stale']:,} ranked models hang on older votes only ({names})")
        return f"In arena {arena}, {' and '.join(parts)}."


@njit(cache=True)
def _connect(edges, a, b, winner):  # type: ignore[no-untyped-def]
    for vote in range(len(a)):
        if winner[vote] != MODEL_B:
            edges[a[vote], b[vote]] = True
        if winner[vote] != MODEL_A:
            edges[b[vote], a[vote]] = True
