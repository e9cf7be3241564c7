"""Which detectors judge an arena now, whom, and since when; and why the others do not: published with the view.

A detector that has nothing to go by is silent, and so is one that finds nothing. Readers must be able to tell the two
apart, or an arena that declares nothing would look like one that keeps its word.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.contracts.alert import Kind
from streams.contracts.judged import Judged, Unjudged
from streams.fairness.arena.context import Facts
from streams.fairness.detectors import catalog as rules
from streams.fairness.fold_state import ArenaFairness


def judged(state: ArenaFairness) -> list[Judged]:
    """Every detector, in the order of the kinds of alerts."""
    kinds = {rule.kind for rule in rules.EVERY}
    return [_JUDGES[kind](state, kind) for kind in Kind if kind in kinds]


def _feed(state: ArenaFairness, kind: Kind) -> Judged:
    facts = state.scene.facts
    return Judged(kind, judged=True, since_battle=0) if facts.rows else Judged.not_yet(kind, Unjudged.NO_BATTLES)


def _exposure(state: ArenaFairness, kind: Kind) -> Judged:
    """Detectors that look at every tick, and hold battles against the declared weights."""
    scene, facts, epoch = state.scene, state.scene.facts, state.states.whole_policy
    play = scene.play
    shares = play.pi_play > 0
    subjects = int(np.count_nonzero(shares & play.active if kind is Kind.SILENT_REMOVAL else shares))
    if not scene.declares:
        return Judged.not_yet(kind, Unjudged.NO_REGISTRY)
    if not subjects:
        return Judged.not_yet(kind, Unjudged.NO_POLICY)
    if facts.rows - epoch.since_row < scene.settings.tick_battles:
        return Judged.not_yet(kind, Unjudged.NO_BATTLES)
    if facts.outage:
        return Judged.not_yet(kind, Unjudged.FEED_STALLED)
    return Judged(kind, judged=True, subjects=subjects, since=epoch.since_time, since_battle=epoch.since_row)


def _of_public(state: ArenaFairness, kind: Kind) -> Judged:
    public = sum(tenure.was_public for tenure in state.scene.facts.roster.tenures.values())
    return _of_registry(state, kind, public, Unjudged.NO_PUBLIC_MODELS)


def _of_private(state: ArenaFairness, kind: Kind) -> Judged:
    private = sum(tenure.was_private for tenure in state.scene.facts.roster.tenures.values())
    return _of_registry(state, kind, private, Unjudged.NO_PRIVATE_MODELS)


def _of_classes(state: ArenaFairness, kind: Kind) -> Judged:
    classes = len(state.scene.facts.roster.licenses)
    return _of_registry(state, kind, classes if classes > 1 else 0, Unjudged.ONE_CLASS)


def _of_registry(state: ArenaFairness, kind: Kind, subjects: int, otherwise: Unjudged) -> Judged:
    """Detectors that look at every notice of the registry."""
    if not state.scene.declares:
        return Judged.not_yet(kind, Unjudged.NO_REGISTRY)
    if not subjects:
        return Judged.not_yet(kind, otherwise)
    return Judged(kind, judged=True, subjects=subjects, since_battle=_registry_began(state.scene.facts))


def _inequality(state: ArenaFairness, kind: Kind) -> Judged:
    scene, roster = state.scene, state.scene.facts.roster
    if not scene.declares:
        return Judged.not_yet(kind, Unjudged.NO_REGISTRY)
    if not scene.facts.window.full:
        return Judged.not_yet(kind, Unjudged.FIRST_WINDOW)
    bounds = (
        (roster.providers, scene.settings.max_provider_share),
        (roster.licenses, scene.settings.max_license_share),
    )
    subjects = sum(len(names) for names, bound in bounds if len(names) * bound > 1)
    return Judged(kind, judged=True, subjects=subjects, since_battle=_registry_began(scene.facts))


def _undeclared(state: ArenaFairness, kind: Kind) -> Judged:
    facts = state.scene.facts
    if not state.scene.declares:
        return Judged.not_yet(kind, Unjudged.NO_REGISTRY)
    if not facts.window.reviews:
        return Judged.not_yet(kind, Unjudged.FIRST_REVIEW)
    return Judged(kind, judged=True, since_battle=_registry_began(facts))


def _prompts(state: ArenaFairness, kind: Kind) -> Judged:
    prompts, window = state.states.prompt_reuse, state.scene.settings.window_reviews
    if not prompts.reviews and not prompts.pending.size:
        return Judged.not_yet(kind, Unjudged.NO_PROMPTS)
    return Judged.not_yet(kind, Unjudged.NO_BASELINE) if prompts.reviews <= 2 * window else Judged(kind, judged=True)


def _graph(state: ArenaFairness, kind: Kind) -> Judged:
    if state.scene.facts.window.reviews < state.scene.settings.ratings_reviews:
        return Judged.not_yet(kind, Unjudged.FIRST_RATINGS)
    compared = state.states.graph_fragile.compared
    if compared < 2:
        return Judged.not_yet(kind, Unjudged.FEW_MODELS)
    return Judged(kind, judged=True, subjects=compared, since_battle=0)


def _churn(state: ArenaFairness, kind: Kind) -> Judged:
    """The first look takes down who is first, and the second can find a change."""
    settings = state.scene.settings
    if state.states.rank_churn.top < 0 or state.scene.facts.window.reviews < 2 * settings.ratings_reviews:
        return Judged.not_yet(kind, Unjudged.FIRST_RATINGS)
    return Judged(kind, judged=True, since_battle=settings.ratings_reviews * settings.review_battles)


def _registry_began(facts: Facts) -> int | None:
    return min((tenure.since_row for tenure in facts.roster.tenures.values()), default=None)


_JUDGES: dict[Kind, Callable[[ArenaFairness, Kind], Judged]] = {
    Kind.FEED_STALLED: _feed,
    Kind.SILENT_REMOVAL: _exposure,
    Kind.SHARE_DRIFT: _exposure,
    Kind.UNANNOUNCED_RETIREMENT: _of_public,
    Kind.PRIVATE_VARIANTS: _of_private,
    Kind.SCORE_RETRACTION: _of_private,
    Kind.BEST_OF_N: _of_private,
    Kind.DATA_INEQUALITY: _inequality,
    Kind.RETIREMENT_BIAS: _of_classes,
    Kind.GRAPH_FRAGILE: _graph,
    Kind.RANK_CHURN: _churn,
    Kind.PROMPT_REUSE: _prompts,
    Kind.UNDECLARED_MODEL: _undeclared,
}
