"""The census: every model's state, and the number of models in each; published whether or not an alert fires.

A model is *inactive* when it is not drawn, whatever the registry says: retired, of weight 0, off the registry, reported
as removed, or without a battle over the whole window. It is *inactive without notice* when it is also public or
undeclared, and its end was not announced long enough before. The census counts both.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.contracts.fairness_view import Census, Line, State
from streams.fairness.arena.registry import sampled
from streams.fairness.detectors.catalog import SHARE_DRIFT, SILENT_REMOVAL
from streams.fairness.detectors.share_alarm import FREE, LN10, rounded
from streams.fairness.fold_state import ArenaFairness


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
    drift_e, removal_e = drift.cusum.log_e(), removal.cusum.log_e()
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
