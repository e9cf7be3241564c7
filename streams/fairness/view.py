"""Build the published fairness and alerts views of an arena, and the history point of a review."""

from __future__ import annotations

import numpy as np

from streams.contracts.fairness_view import AlertsView, FairnessView, Group, Inequality, Levels, Line, Policy
from streams.contracts.view import Position
from streams.fairness.census import census, lines
from streams.fairness.detectors.catalog import BY_KIND, SHARE_DRIFT, SILENT_REMOVAL
from streams.fairness.detectors.data_inequality import slot_shares
from streams.fairness.detectors.share_alarm import FREE, LN10, ShareAlarms, rounded
from streams.fairness.evidence_history import Point, Reals
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.inequality import gini, herfindahl

NO_POLICY = (
    "This arena declares no models: shares are shown, and whether models are treated as declared cannot be judged."
)


def fairness_view(state: ArenaFairness, position: Position | None = None) -> FairnessView:
    """Build the fairness view; `position` defaults to the state's."""
    scene, facts = state.scene, state.scene.facts
    roster, models = facts.roster, lines(state)
    return FairnessView(
        arena=state.arena,
        as_of=facts.clock if facts.rows else None,
        position=position or _position(state),
        battles=facts.rows,
        votes=facts.votes,
        window_battles=scene.settings.review_battles * min(facts.window.reviews, scene.settings.window_reviews),
        declares=scene.declares,
        note=None if scene.declares else NO_POLICY,
        outage=facts.outage,
        judged=[each.judged(state.states.of(each), scene) for each in BY_KIND],
        levels=_levels(state) if scene.declares else None,
        policy=_policy(state) if scene.declares else None,
        counts=census(models, declares=scene.declares, full=scene.facts.window.full),
        removals=[line.model for line in models if line.state == "removed"] if scene.declares else None,
        models=models,
        providers=_groups(state, roster.providers, models, "provider"),
        licenses=_groups(state, roster.licenses, models, "license"),
        inequality=_inequality(state),
    )


def alerts_view(state: ArenaFairness, position: Position | None = None) -> AlertsView:
    """Build the view of the alerts that fire."""
    facts = state.scene.facts
    return AlertsView(state.arena, facts.clock if facts.rows else None, position or _position(state), state.firing)


def _levels(state: ArenaFairness) -> Levels:
    scene = state.scene
    return Levels(
        log10_warning=rounded(scene.warning_level / LN10),
        log10_page=rounded(scene.page_level / LN10),
        detectors=scene.facts.most_judged,
        battles_between_pages=scene.settings.ticks_between_pages * scene.settings.tick_battles,
        tolerance=scene.settings.delta,
    )


def _policy(state: ArenaFairness) -> Policy:
    epoch = state.scene.epoch
    log_e, counted = epoch.log_e(state.scene.play, state.scene.settings.kappa), bool(epoch.counts.any())
    return Policy(
        since=epoch.since_time,
        since_battle=epoch.since_row,
        log10_e=rounded(log_e / LN10) if counted else None,
        log10_e_max=rounded(max(epoch.best, log_e) / LN10) if counted else None,
    )


def _inequality(state: ArenaFairness) -> Inequality:
    roster, shares = state.scene.facts.roster, slot_shares(state.scene)
    providers = list(roster.providers.values())
    if not providers or not state.scene.facts.window.reviews:
        return Inequality(None, None, None)
    return Inequality(
        gini=rounded(gini(shares[providers])),
        hhi=rounded(herfindahl(shares[providers])),
        largest=max(sorted(roster.providers), key=lambda name: float(shares[roster.providers[name]])),
    )


def _groups(state: ArenaFairness, numbers: dict[str, int], models: list[Line], field: str) -> list[Group]:
    facts, play = state.scene.facts, state.scene.play
    recent, shares = facts.window.recent, slot_shares(state.scene)
    window = state.scene.settings.review_battles * min(facts.window.reviews, state.scene.settings.window_reviews)
    drift, declares = state.states.of(SHARE_DRIFT), state.scene.declares
    evidence = np.maximum(drift.cusum.log_e(), 0.0)
    looked = declares and facts.rows >= state.scene.settings.tick_battles
    judged_now = looked & ((play.pi_play > 0) | (drift.held != FREE))
    groups = [
        Group(
            name=name,
            declared_share_of_battles=rounded(float(play.pi[number])) if declares else None,
            share_of_battles=rounded(float(recent[number]) / window) if window else None,
            share_of_slots=rounded(float(shares[number])) if window else None,
            battles=int(facts.window.total[number]),
            log10_e=rounded(float(evidence[number]) / LN10) if judged_now[number] else None,
            counts=census(
                [line for line in models if getattr(line, field) == name], declares=declares, full=facts.window.full
            ),
        )
        for name, number in numbers.items()
    ]
    return sorted(groups, key=lambda group: (-(group.share_of_slots or 0.0), group.name))


def _position(state: ArenaFairness) -> Position:
    return Position(state.position, dict(sorted(state.watermark.items())))


def remember(state: ArenaFairness) -> None:
    """Add the evidence, declared shares and alert levels at the end of a review to the history."""
    scene, facts, states = state.scene, state.scene.facts, state.states
    state.history.add(
        Point(
            t=facts.clock,
            reviews=1,
            battles=facts.rows,
            warning=rounded(scene.warning_level / LN10),
            page=rounded(scene.page_level / LN10),
            policy=rounded(scene.epoch.best / LN10),
            declared=scene.play.pi.astype(np.float32),
            log10_e=_log10_e(states.of(SHARE_DRIFT)),
            log10_e_removal=_log10_e(states.of(SILENT_REMOVAL)),
            appearances=facts.window.total.copy(),
        )
    )


def _log10_e(watched: ShareAlarms) -> Reals:
    """log10 of the evidence as in the view: never below 0."""
    return (np.maximum(watched.cusum.log_e(), 0.0) / LN10).astype(np.float32)
