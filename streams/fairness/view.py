"""Build the published fairness and alerts views of an arena, with the census, and the history point of a review.

The census is every model's state, and the number of models in each, whether or not an alert fires. A model is
*inactive* when it is not drawn, whatever the registry says: retired, of weight 0, off the registry, reported as
removed, or without a battle over the whole window. It is *inactive without notice* when it is also public or
undeclared, and its end was not announced long enough before. The census counts both.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.contracts.fairness_view import (
    AlertsView,
    Census,
    Exposure,
    FairnessView,
    Group,
    Inequality,
    Levels,
    Line,
    Policy,
    State,
)
from streams.contracts.view import Position
from streams.fairness.arena.draws import UNCLEAR
from streams.fairness.arena.registry import sampled
from streams.fairness.detectors.catalog import BY_KIND, SHARE_DRIFT, SILENT_REMOVAL
from streams.fairness.detectors.data_inequality import slot_shares
from streams.fairness.detectors.share_alarm import FREE, LN10, rounded
from streams.fairness.detectors.silent_removal import removal_evidence
from streams.fairness.evidence_history import Point, Reals
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.statistics.expected_share import Vector
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
        exposure=_exposure(state),
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


def _exposure(state: ArenaFairness) -> Exposure:
    facts = state.scene.facts
    draws, (unjudged, judged, _) = facts.draws, facts.policies.last
    reviewed = facts.window.reviews > 0
    return Exposure(
        votes_per_draw=rounded(draws.votes_per_draw),
        unclear_share=rounded(int(draws.last[UNCLEAR]) / int(draws.last[:4].sum())) if reviewed else None,
        judged_share=rounded(judged / (unjudged + judged)) if reviewed and state.scene.declares else None,
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
    evidence = np.maximum(facts.shares.log_m, 0.0)
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
            log10_e=_log10_e(facts.shares.log_m),
            log10_e_removal=_log10_e(removal_evidence(facts, states.of(SILENT_REMOVAL))),
            appearances=facts.window.total.copy(),
        )
    )


def _log10_e(log_m: Vector) -> Reals:
    """log10 of the evidence as in the view: never below 0."""
    return (np.maximum(log_m, 0.0) / LN10).astype(np.float32)


def census(models: Iterable[Line], *, declares: bool, full: bool) -> Census:
    """Count models by state; `declares` says whether the arena has a registry, `full` whether a window is full."""
    every = list(models)

    def count(*states: State) -> int:
        return sum(line.state in states for line in every)

    return Census(
        models=len(every),
        active=count("active"),
        deprecated=count("deprecated") if declares else None,
        retired=count("retired") if declares else None,
        inactive=sum(bool(line.inactive) for line in every) if declares or full else None,
        inactive_without_notice=sum(bool(line.inactive and line.without_notice) for line in every)
        if declares
        else None,
        private=sum(line.visibility == "private" and not line.inactive for line in every) if declares else None,
    )


def lines(state: ArenaFairness) -> list[Line]:
    """Every model that was ever declared or in a battle, by name."""
    facts, play, declares = state.scene.facts, state.scene.play, state.scene.declares
    drift, removal = state.states.of(SHARE_DRIFT), state.states.of(SILENT_REMOVAL)
    recent, current, total = facts.window.recent, facts.window.current, facts.window.total
    window = state.scene.settings.review_battles * min(facts.window.reviews, state.scene.settings.window_reviews)
    drift_e, removal_e = facts.shares.log_m, removal_evidence(facts, removal)
    looked = declares and facts.rows >= state.scene.settings.tick_battles
    drift_judged = looked & ((play.pi_play > 0) | (drift.held != FREE))
    removal_judged = looked & ((play.active & (play.pi > 0)) | (removal.held != FREE))
    found = []
    for name, number in sorted(facts.roster.models.items()):
        known, declared = facts.roster.known.get(name), facts.roster.registry.get(name)
        tenure = facts.roster.tenures.get(name)
        shown_lately = bool(recent[number] + current[number])
        began = tenure.since_row if tenure else 0
        quiet = facts.window.full and not shown_lately and began <= facts.rows - window
        what: State
        since = None
        if known is None or tenure is None:
            what = "undeclared" if declares else ("inactive" if quiet else "active")
        elif not sampled(declared):
            what, since = "retired", tenure.left_at
        elif removal.held[number] != FREE:
            what, since = "removed", float(removal.since_time[number])
        elif quiet:
            what, since = "inactive", float(facts.last_time[number])
        else:
            what = "deprecated" if declared and declared.status == "deprecated" else "active"
        inactive = what in ("retired", "removed", "inactive") or (what == "undeclared" and quiet)
        owed = known is None or known.visibility == "public"
        deprecated = declared is not None and declared.status == "deprecated"
        noticed = tenure is not None and (tenure.noticed if what == "retired" else deprecated)
        found.append(
            Line(
                model=name,
                provider=known.provider if known else None,
                license=known.license if known else None,
                visibility=known.visibility if known else None,
                state=what,
                declared_share_of_battles=rounded(float(play.pi[number])) if declares else None,
                share_of_battles=rounded(float(recent[number]) / window) if window else None,
                share_of_slots=rounded(float(recent[number]) / (2 * window)) if window else None,
                battles=int(total[number]),
                last_seen=round(float(facts.last_time[number]), 3) if total[number] else None,
                log10_e=_log10(drift_e[number]) if drift_judged[number] else None,
                log10_e_removal=_log10(removal_e[number]) if removal_judged[number] else None,
                inactive=inactive if declares or facts.window.full else None,
                without_notice=inactive and owed and not noticed if declares else None,
                since=since,
            )
        )
    return found


def _log10(evidence: float) -> float:
    return rounded(max(float(evidence), 0.0) / LN10)
