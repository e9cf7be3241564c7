"""What published totals show about the four findings of The Leaderboard Illusion (arXiv 2504.20879)."""

from __future__ import annotations

import numpy as np

from streams.audit.board.dates import iso, many
from streams.audit.board.licences import PROPRIETARY, UNKNOWN
from streams.audit.board.shares import by_group
from streams.audit.facts import AuditFacts, true_pauses
from streams.audit.report.document import CANNOT_SAY, PARTLY, SHOWN, AuditAnswer
from streams.audit.report.figures import counts_of
from streams.contracts.alert import Kind
from streams.fairness.statistics.inequality import gini, herfindahl, largest
from streams.ratings.intervals import NORMAL_95

GAIN = ((5, 1.16), (10, 1.54), (20, 1.87), (50, 2.25))
"""Expected largest of N standard normal draws."""


def findings_of(facts: AuditFacts) -> list[AuditAnswer]:
    """The four findings, in the paper's order."""
    return [_private(facts), _access(facts), _overfitting(), _deprecation(facts)]


def _private(facts: AuditFacts) -> AuditAnswer:
    models = facts.models
    joined = [each for each in range(len(models.names)) if models.first[each] > 0 and not facts.depth.emerged[each]]
    says = ["Variants that were tested and never listed leave no trace in what is published."]
    if facts.registry:
        says = [private_in_play(facts)]
    elif facts.kind == "votes":
        says = ["Votes name their models, not whether these were public: only a registry can show private variants."]
    carried = np.array([models.votes[each, models.first[each]] for each in joined])
    carried = carried[carried > 0]
    if carried.size:
        says.append(
            f"{many(carried.size, 'model')} joined with votes collected before their first row: {carried.sum():,.0f}"
            f" in all, {np.median(carried):,.0f} in the middle, under what name is not shown."
        )
    at_once = _together(facts)
    if at_once:
        says.append(f"Most new models of one provider in one snapshot: {at_once}.")
    says += _luck(facts, joined)
    verdict = SHOWN if facts.registry else PARTLY if carried.size else CANNOT_SAY
    return AuditAnswer("private_testing", "Private testing and best of N", verdict, says)


def _luck(facts: AuditFacts, joined: list[int]) -> list[str]:
    """Say what choosing the best of N equal variants adds by chance; nothing where no new model has an interval.

    A variant is chosen when it is young, so σ is that of the half of the first rows that has the fewest votes: the
    others were listed long before the snapshot that first shows them, and errors shrink with every vote. On the last
    board most models have had years of votes since.
    """
    models = facts.models
    at = models.first[joined]
    width = models.upper[joined, at] - models.lower[joined, at]
    votes = models.votes[joined, at]
    known = (width > 0) & (votes > 0)  # false for nan, which stands for no interval
    if not known.any():
        return []
    young = known & (votes <= np.median(votes[known]))
    sigma = float(np.median(width[young])) / (2 * NORMAL_95)
    gains = ", ".join(f"{factor * sigma:.1f} points for N = {count}" for count, factor in GAIN)
    return [
        f"If a provider listed the best of N equal variants at the median interval of a young model"
        f" (±{NORMAL_95 * sigma:.1f} points in the {many(int(young.sum()), 'first row')} with the fewest votes, so"
        f" σ = {sigma:.1f}), chance alone would add {gains}; less where the variants differ in strength."
    ]


def private_in_play(facts: AuditFacts) -> str:
    """Return a sentence on the private variants in the registry."""
    most = ", ".join(f"{name} {count}" for name, count in list(facts.private.items())[:5]) or "none"
    return f"Private variants at once, at most, as the registry says: {most}."


def left_words(facts: AuditFacts) -> str:
    """Return the words for a departure: where nothing orders the rows, the file may have been cut."""
    return "left the board" if facts.depth.judged else "not listed any more"


def _together(facts: AuditFacts) -> str:
    models = facts.models
    counts: dict[tuple[str, int], int] = {}
    for model in range(len(models.names)):
        if models.first[model] > 0 and models.providers[model] != "unknown":
            key = models.providers[model], int(models.first[model])
            counts[key] = counts.get(key, 0) + 1
    if not counts:
        return ""
    (provider, at), count = max(counts.items(), key=lambda item: (item[1], item[0][0], -item[0][1]))
    return f"{count} of {provider} on {iso(models.dates[at])}" if count > 1 else ""


def _access(facts: AuditFacts) -> AuditAnswer:
    shares, states = facts.provider_shares, facts.states
    if not shares or [*shares] == ["unknown"]:
        why = "The file names no provider." if shares else "No votes were gained in the last period."
        if not facts.gains.known:
            return _access_by_listing(facts)
        return AuditAnswer("data_access", "Unequal access to data", CANNOT_SAY, [why])
    window = f"{iso(facts.models.dates[states.start])} to {iso(facts.models.dates[states.live])}"
    top = ", ".join(f"{name} {share:.1%}" for name, share in list(shares.items())[:4])
    values = np.array(list(shares.values()))
    values /= values.sum()  # they are rounded
    says = [
        f"Share of slots (each battle has two), {window}: {top}.",
        f"The largest provider has {largest(values, 1):.1%}, the largest three {largest(values, 3):.1%}, the largest"
        f" five {largest(values, 5):.1%} of the slots; Gini {gini(values):.2f}, Herfindahl {herfindahl(values):.3f}"
        f" over {many(len(values), 'provider')}.",
    ]
    classes = facts.license_shares
    opened = sum(share for name, share in classes.items() if name not in (PROPRIETARY, UNKNOWN))
    members = sum(1 for each in facts.models.classes if each not in (PROPRIETARY, UNKNOWN))
    if classes.get(PROPRIETARY, 0) or opened:
        says.append(
            f"By licence class: proprietary {classes.get(PROPRIETARY, 0):.1%} of the slots, the {members} open models"
            f" together {opened:.1%}. Over the whole period: proprietary"
            f" {facts.license_shares_before.get(PROPRIETARY, 0):.1%}."
        )
    return AuditAnswer("data_access", "Unequal access to data", SHOWN, says)


def _access_by_listing(facts: AuditFacts) -> AuditAnswer:
    """Answer without votes: count the models of each provider on the board, which is not a share of the data."""
    models = facts.models
    listed = by_group(models.listed[:, -1].astype(float), models.providers)
    says = ["No total of votes is known, so who got how many is unknown."]
    if [*listed] != ["unknown"]:
        most = ", ".join(f"{name} {count:.0f}" for name, count in [*listed.items()][:6])
        says.append(f"Models listed at the end: {most}, of {int(models.listed[:, -1].sum())}.")
    return AuditAnswer("data_access", "Unequal access to data", CANNOT_SAY, says)


def _overfitting() -> AuditAnswer:
    says = ["Totals hold no prompts: neither repeated prompts nor training on arena data can be seen."]
    return AuditAnswer("overfitting", "Overfitting to the arena", CANNOT_SAY, says)


def _deprecation(facts: AuditFacts) -> AuditAnswer:
    states, models, counts = facts.states, facts.models, counts_of(facts)
    title = "Silent deprecation" if facts.registry else "Deprecation, announced or not"
    left = f"{many(counts.gone, 'model')} {left_words(facts)}."
    if counts.inactive is None or len(models.dates) < 2:
        why = "No total of votes is known: which models stopped or are inactive is unknown."
        if len(models.dates) < 2:
            return AuditAnswer("silent_deprecation", title, CANNOT_SAY, ["One snapshot cannot show what stopped."])
        return AuditAnswer("silent_deprecation", title, PARTLY, [left, why])
    # Models listed at the end that never ran, and gained at most the cut-off.
    never = sum(
        1
        for model in range(len(models.names))
        if models.listed[model, -1] and not facts.watched.running[model].any() and states.rate[model] <= states.cutoff
    )
    stopped = (
        "Which models stopped within the file is unknown, as none could be judged"
        if counts.stopped is None
        else f"The votes of {many(counts.stopped, 'model')} stopped for good within the file"
    )
    says = [
        f"{counts.inactive} of {counts.listed} listed models are inactive: they gained at most {states.cutoff:.3g}"
        f" votes a day since {iso(models.dates[states.start])}, or stopped in that time. {left}",
        f"{stopped}; {many(never, 'listed model')} hardly gained in all of it.",
        "With another cut-off: "
        + ", ".join(f"≤ {each:g} a day {states.inactive_at(each)}" for each in (1.0, 10.0, 100.0))
        + f" of {counts.listed}.",
    ]
    pauses = true_pauses(facts.watched, models)
    if pauses:
        off = len({each.model for each in pauses})
        says.append(f"{many(off, 'model')} got no votes for a while, and then did again.")
    if facts.registry:
        ends = sum(alert.kind is Kind.SILENT_REMOVAL for alert in facts.alerts)
        says.append(f"Without a notice in the registry: {ends} of the models that stopped or left.")
    else:
        says.append("Which of them were announced is not known here: give a registry with --registry.")
    return AuditAnswer("silent_deprecation", title, SHOWN, says)
