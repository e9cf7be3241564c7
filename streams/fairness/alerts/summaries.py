"""The sentence of each alert: who, what, since when, and the numbers that a journalist would ask for.

A sentence is a function of the verdict alone, so a replay says the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streams.contracts.alert import Kind
from streams.fairness.detectors.base import Verdict
from streams.fairness.phrases import day, percent, some

SELECTION = 0.01
"""A share of unfinished battles below this means that the arena does not report them."""
REMOVED = 0.2
"""Below this part of the declared share, people who finish less often are no explanation."""


def summary(arena: str, kind: Kind, verdict: Verdict) -> str:
    """Put a verdict into one sentence."""
    return _SENTENCES[kind](arena, verdict, verdict.evidence)


def _who(arena: str, verdict: Verdict) -> str:
    subject = verdict.subject
    names = {"model": subject.name, "provider": f"provider {subject.name}", "license": f"licence class {subject.name}"}
    return names.get(subject.field, f"arena {arena}")


def _feed_stalled(arena: str, verdict: Verdict, e: Any) -> str:
    since = day(verdict.starts_at)
    if e["cause"] == "zeros":
        return (
            f"Arena {arena} has sent {e['battles']:,} battles in a row without a single vote since {since}: "
            "the feed has turned to zeros."
        )
    if e["cause"] == "silence":
        return (
            f"Arena {arena} has sent nothing for {e['silent_seconds'] / 60:,.0f} minutes, since {since}; "
            f"its usual silences are shorter than {e['usual_seconds'] / 60:,.0f} minutes."
        )
    return (
        f"{e['missing_models']:,} of {e['active_models']:,} active models of arena {arena} stopped together at {since} "
        f"({some(e['models'], e['missing_models'])}): this is reported as a stalled feed and not as so many removals."
    )


def _silent_removal(arena: str, verdict: Verdict, e: Any) -> str:
    return (
        f"{verdict.subject.name} ({e['provider']}, {e['license']}) is declared active in arena {arena} and is gone "
        f"from its battles since about {day(verdict.starts_at)}: {e['appearances']:,} of the last {e['battles']:,} "
        f"battles where its declared share of {percent(e['declared_share'])} makes {e['expected_appearances']:,.0f}, "
        f"evidence of 10^{e['log10_e']:.1f} to 1; no notice says so."
    )


def _share_drift(arena: str, verdict: Verdict, e: Any) -> str:
    who, what = _who(arena, verdict), "is in" if verdict.subject.field == "model" else "has models in"
    text = (
        f"{who} {what} {percent(e['observed_share'])} of the battles of arena {arena} since about "
        f"{day(verdict.starts_at)}, a {e['direction']} from its declared share of {percent(e['declared_share'])}: "
        f"{e['appearances']:,} of {e['battles']:,} battles where {e['expected_appearances']:,.0f} were to be expected, "
        f"evidence of 10^{e['log10_e']:.1f} to 1."
    )
    if e["observed_share"] < REMOVED * e["declared_share"]:
        return text
    if e["unfinished_share"] < SELECTION:
        return (
            f"{text} The arena does not report battles that end without a vote, so selection can be the cause too: "
            f"people may finish battles with it {'more' if e['direction'] == 'rise' else 'less'} often than others."
        )
    return f"{text} Battles without a vote are counted ({percent(e['unfinished_share'])} of all)."


def _unannounced_retirement(arena: str, verdict: Verdict, e: Any) -> str:
    how = {
        "retired": "was declared retired",
        "weight_0": "was given weight 0 while it is declared active",
        "deprecated_weight_0": "was declared deprecated and given weight 0",
        "unregistered": "was taken off the registry",
    }[e["how"]]
    given = f"{e['days_given']:.1f} days after its deprecation" if "days_given" in e else "without a deprecation before"
    return (
        f"{verdict.subject.name} ({e['provider']}, {e['license']}) {how} in arena {arena} at "
        f"{day(verdict.starts_at)} after {e['battles']:,} battles, {given}; {e['days_owed']:g} days of notice are owed."
    )


def _private_variants(arena: str, verdict: Verdict, e: Any) -> str:
    return (
        f"Provider {verdict.subject.name} has {e['variants']:,} private variants in play at once in arena {arena} "
        f"since {day(verdict.starts_at)} ({some(e['models'], e['variants'])}); the arena allows {e['cap']:,}."
    )


def _score_retraction(arena: str, verdict: Verdict, e: Any) -> str:
    return (
        f"{verdict.subject.name} ({e['provider']}) was withdrawn from arena {arena} at {day(verdict.starts_at)} with "
        f"{e['votes']:,} votes, and no public board ever showed its score; from {e['bound']:,} votes on it is owed. "
        f"{e['withdrawn']:,} of {e['tested']:,} variants that {e['provider']} tested in private ended so."
    )


def _best_of_n(arena: str, verdict: Verdict, e: Any) -> str:
    gain = (
        f"with scores that scatter by {e['sigma']:.1f} points, choosing the best of {e['variants']:,} equal ones gains "
        f"{e['expected_gain']:.1f} points by luck alone"
        if "sigma" in e
        else "the variants have too few votes to say what choosing among them gains"
    )
    return (
        f"{verdict.subject.name} was published in arena {arena} at {day(verdict.starts_at)} as one of "
        f"{e['variants']:,} variants that {e['provider']} tested in private "
        f"({some(e['models'], e['variants'])}): {gain}."
    )


def _data_inequality(arena: str, verdict: Verdict, e: Any) -> str:
    window = f"over the last {e['window_battles']:,} battles"
    if verdict.subject.field == "arena":
        return (
            f"The slots of arena {arena} are spread over {e['providers']:,} providers with a Gini coefficient of "
            f"{e['gini']:.2f} (bound {e['gini_bound']:.2f}) and a Herfindahl index of {e['hhi']:.2f} (bound "
            f"{e['hhi_bound']:.2f}) {window}; the largest is {e['largest']} with {percent(e['largest_share'])}."
        )
    return (
        f"{_who(arena, verdict)} takes {percent(e['share_of_slots'])} of the slots of arena {arena} {window} with "
        f"{e['models']:,} models ({percent(e['share_of_battles'])} of the battles involve it); "
        f"the bound is {percent(e['bound'])} of the slots."
    )


def _retirement_bias(arena: str, verdict: Verdict, e: Any) -> str:
    return (
        f"{e['left']:,} of {e['models']:,} {verdict.subject.name} models have left arena {arena} and "
        f"{e['others_left']:,} of {e['others']:,} others, where {e['expected_left']:.1f} of them were to be "
        f"expected by chance, evidence of 10^{e['log10_e']:.1f} to 1; "
        f"weaker models in one class would look the same, so compare ranks before judging."
    )


def _graph_fragile(arena: str, verdict: Verdict, e: Any) -> str:
    if verdict.subject.field == "model":
        return (
            f"{verdict.subject.name} is ranked in arena {arena} on old votes only: its last battle was at "
            f"{day(e['last_seen'])}, more than {e['stale_days']:g} days ago, and {e['votes']:,} votes stand."
        )
    parts = []
    if e["apart"]:
        parts.append(
            f"votes of the last {e['stale_days']:g} to {2 * e['stale_days']:g} days cannot compare {e['apart']:,} of "
            f"{e['models']:,} models with the others ({some(e['apart_models'], e['apart'])})"
        )
    if e["stale"]:
        names = some(e["stale_models"], e["stale"])
        parts.append(f"{e['stale']:,} ranked models hang on older votes only ({names})")
    return f"In arena {arena}, {' and '.join(parts)}."


def _rank_churn(arena: str, verdict: Verdict, e: Any) -> str:
    return (
        f"The first place of arena {arena} changed {e['changes']:,} times since {day(verdict.starts_at)} where the "
        f"intervals explain {e['expected_changes']:.1f}, evidence of 10^{e['log10_e']:.1f} to 1; it is {e['top']} now."
    )


def _prompt_reuse(arena: str, verdict: Verdict, e: Any) -> str:
    return (
        f"{percent(e['share'])} of the prompts of arena {arena} repeat one of the last {e['window_battles']:,} battles "
        f"since {day(verdict.starts_at)}, against {percent(e['baseline'])} before, "
        f"evidence of 10^{e['log10_e']:.1f} to 1."
    )


def _undeclared_model(arena: str, verdict: Verdict, e: Any) -> str:
    why = {
        "unregistered": "is not in its registry",
        "weight_0": "is declared with weight 0",
        "retired": "is declared retired",
    }[e["cause"]]
    return (
        f"{verdict.subject.name} was in {e['battles']:,} of the last {e['review_battles']:,} battles of arena {arena} "
        f"and {why}: its declared share is 0."
    )


_SENTENCES: dict[Kind, Callable[[str, Verdict, Any], str]] = {
    Kind.FEED_STALLED: _feed_stalled,
    Kind.SILENT_REMOVAL: _silent_removal,
    Kind.SHARE_DRIFT: _share_drift,
    Kind.UNANNOUNCED_RETIREMENT: _unannounced_retirement,
    Kind.PRIVATE_VARIANTS: _private_variants,
    Kind.SCORE_RETRACTION: _score_retraction,
    Kind.BEST_OF_N: _best_of_n,
    Kind.DATA_INEQUALITY: _data_inequality,
    Kind.RETIREMENT_BIAS: _retirement_bias,
    Kind.GRAPH_FRAGILE: _graph_fragile,
    Kind.RANK_CHURN: _rank_churn,
    Kind.PROMPT_REUSE: _prompt_reuse,
    Kind.UNDECLARED_MODEL: _undeclared_model,
}
