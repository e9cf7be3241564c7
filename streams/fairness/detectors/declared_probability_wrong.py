"""Declared probability wrong: the arena's own `p_pair` is not the probability that its declared weights imply.

A vote may give the probability with which its pair was drawn. The declared weights imply one, too: first model by
weight, second by weight among the rest, in either order. Two declarations of one fact that differ cannot both be right,
so no statistics are needed. It is a warning and not a page: it says that the arena contradicts itself, and not yet that
a model is treated unfairly. A sampler that honestly does something else, such as drawing new models more often, is
named as well: its weights are not what it draws by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.alerts.summaries import day, percent
from streams.fairness.arena.context import Scene
from streams.fairness.arena.declared_pairs import PairTally
from streams.fairness.arena.ledger_position import Standing, stand
from streams.fairness.arena.ticks import Ticks
from streams.fairness.detectors.base import Tick, TickDetector, Verdict
from streams.fairness.detectors.share_alarm import rounded


@dataclass(slots=True)
class Probabilities:
    """State.

    Attributes
    ----------
    tally
        Of all battles since the alert began, or of none.
    wrong
        Battles of the current review that differ.
    compared
        Battles compared so far.
    """

    tally: PairTally = field(default_factory=PairTally)
    wrong: int = 0
    compared: int = 0
    standing: Standing = field(default_factory=dict)


class DeclaredProbabilityWrong(TickDetector[Probabilities]):
    """Checks each tick. Resolves after a review in which no `p_pair` differs."""

    kind = Kind.DECLARED_PROBABILITY_WRONG

    def tick(self, state: Probabilities, scene: Scene, tick: Tick, *, closes: bool) -> None:
        """Add a tick, or its stretch up to a notice."""
        if tick.pairs is None or not tick.pairs.compared:
            return
        state.compared += tick.pairs.compared
        state.wrong += tick.pairs.wrong
        if state.standing or tick.pairs.wrong:
            state.tally.add(tick.pairs)

    def settle(self, state: Probabilities, scene: Scene, *, turned: bool) -> bool:
        """Raise the alert at once, and end it with a review without a difference."""
        before = bool(state.standing)
        if state.wrong and not before:
            stand(state.standing, ["arena"], scene.now)
        if scene.facts.rows % scene.settings.review_battles == 0:
            if not state.wrong:
                stand(state.standing, [], scene.now)
                state.tally = PairTally()
            state.wrong = 0
        return bool(state.standing) != before

    def calm(self, state: Probabilities, scene: Scene, ticks: Ticks) -> bool:
        """Count what was compared, if nothing differs."""
        state.compared += ticks.pairs.compared
        return not (state.standing or state.wrong or ticks.pairs.wrong)

    def verdicts(self, state: Probabilities, scene: Scene) -> list[Verdict]:
        """The current alert, if any."""
        subjects, tally = scene.facts.roster.subjects, state.tally
        return [
            Verdict(
                Subject(),
                Severity.WARNING,
                since.onset,
                since.time,
                {
                    "battles": tally.compared,
                    "wrong_battles": tally.wrong,
                    "models": sorted(subjects[number].name for number in tally.pair),
                    "given": rounded(tally.given),
                    "implied": rounded(tally.implied),
                },
            )
            for since in state.standing.values()
        ]

    def judged(self, state: Probabilities, scene: Scene) -> Judged:
        """The arena, once it declares weights and a judged battle has a `p_pair`."""
        if not scene.declares:
            return Judged.not_yet(self.kind, Unjudged.NO_REGISTRY)
        if not state.compared:
            return Judged.not_yet(self.kind, Unjudged.NO_PROBABILITIES)
        return Judged(self.kind, judged=True, since_battle=scene.facts.roster.began)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        names = e["models"]
        pair = " and ".join(names) if isinstance(names, list) else str(names)
        return (
            f"Arena {arena} contradicts itself in {e['wrong_battles']:,} of {e['battles']:,} battles since "
            f"{day(verdict.starts_at)}: their `p_pair` is not the probability that its declared weights imply, by most "
            f"for {pair}, which it says it draws in {percent(e['given'])} of battles where the weights make "
            f"{percent(e['implied'])}."
        )
