"""What published totals show about the five demands of The Leaderboard Illusion (arXiv 2504.20879)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from streams.audit.alerts.removals import replacement_of
from streams.audit.board.dates import days, in_days, iso, many
from streams.audit.board.history import Matrix
from streams.audit.facts import AuditFacts
from streams.audit.report.document import CANNOT_SAY, PARTLY, SHOWN, AuditAnswer
from streams.audit.report.findings import left_words, private_in_play

CAP = 3
"""Private variants of one provider at a time that the demand allows."""


NAMED = 10
"""Most models that are named one by one."""


def demands_of(facts: AuditFacts) -> list[AuditAnswer]:
    """The five demands, in the paper's order."""
    answers = (_no_retraction, _few_private, _fair_retirement, _fair_sampling, _public_log)
    return [answer(facts) for answer in answers]


def _no_retraction(facts: AuditFacts) -> AuditAnswer:
    models, states = facts.models, facts.states
    left = {each.model: each.last for each in states.departure if each is not None}
    gone = [*left]
    title = "No score is withdrawn"
    if len(models.dates) < 2:
        return AuditAnswer("no_retraction", title, CANNOT_SAY, ["One snapshot cannot show what was withdrawn."])
    totals = {each: _last_total(models.votes[each, : left[each] + 1]) for each in gone}
    votes = f" with {sum(totals.values()):,.0f} votes" if facts.gains.known else ""
    says = [f"{many(len(gone), 'model')} {left_words(facts)}{votes}."]
    says += [
        f"{models.names[model]} ({models.providers[model]}): last seen {iso(models.dates[left[model]])},"
        f" {f'{totals[model]:,.0f}' if facts.gains.known else 'an unknown number of'} votes"
        f"{_replaced(facts, model, left[model])}."
        for model in sorted(gone, key=lambda each: (left[each], models.names[each]))[:NAMED]
    ]
    if len(gone) > NAMED:
        says.append(f"And {len(gone) - NAMED} others: `gone` in the JSON has all.")
    ended = "withdrawal" if facts.depth.judged else "stretch without a row"
    back = [] if facts.absences.doubtful else facts.absences.ended
    for each in back[:NAMED]:
        more = "" if each.gained is None else f", with {each.gained:,.0f} more votes"
        says.append(
            f"{models.names[each.model]} ({models.providers[each.model]}) was not listed from"
            f" {iso(models.dates[each.last])} to {iso(models.dates[each.back or 0])}{more}: a {ended} that ended."
        )
    if len(back) > NAMED:
        says.append(f"And {len(back) - NAMED} others that came back: `absences` in the JSON has all.")
    if facts.renames:
        says.append(f"Changes of name that were followed, and are not counted: {len(facts.renames)}.")
    return AuditAnswer("no_retraction", title, PARTLY, says)


def _replaced(facts: AuditFacts, model: int, last: int) -> str:
    name = replacement_of(facts.models, model, last)
    return "" if name is None else f"; {name} took its place"


def _last_total(votes: Matrix) -> float:
    counted = votes[~np.isnan(votes)]
    return float(counted[-1]) if counted.size else 0.0


def _few_private(facts: AuditFacts) -> AuditAnswer:
    title = "At most three private variants of a provider at a time"
    if not facts.registry:
        says = ["Private variants are not in published totals; only a registry can show how many run at once."]
        return AuditAnswer("private_cap", title, CANNOT_SAY, says)
    over = {name: count for name, count in facts.private.items() if count > CAP}
    says = [private_in_play(facts), f"{many(len(over), 'provider')} had more than {CAP} at a time."]
    return AuditAnswer("private_cap", title, SHOWN, says)


def _fair_retirement(facts: AuditFacts) -> AuditAnswer:
    told, title = facts.retirement, "The bottom 30 % of each licence class retire"
    if "p" not in told:
        says = ["The file does not name models of both proprietary and open licences."]
        if not facts.gains.known:
            says = ["No total of votes is known, so which models are inactive is unknown."]
        return AuditAnswer("fair_retirement", title, CANNOT_SAY, says)
    says = [
        f"Inactive or gone: {told['open']['hit']} of {told['open']['of']} open models ({told['open']['rate']:.0%}),"
        f" {told['proprietary']['hit']} of {told['proprietary']['of']} proprietary ones"
        f" ({told['proprietary']['rate']:.0%}); Fisher's exact test p = {told['p']:.2g}, e = {told['e']:.2g}."
    ]
    for name, line in told["classes"].items():
        if "bottom" in line:
            low, rest = line["bottom"], line["rest"]
            says.append(
                f"{name.replace('_', ' ')}: of the lowest 30 % by score {low[0]} of {low[1]} are inactive or gone; of"
                f" the others, which the demand would keep, {rest[0]} of {rest[1]}."
            )
    return AuditAnswer("fair_retirement", title, SHOWN if len(says) > 1 else PARTLY, says)


def _fair_sampling(facts: AuditFacts) -> AuditAnswer:
    told, title = facts.sampling, "Sampling by uncertainty"
    says = []
    if "votes_a_day" in told:
        rates = told["votes_a_day"]
        says.append(
            f"{many(told['models'], 'active model')} gained {rates['least']:,.1f} to {rates['most']:,.1f} votes a day,"
            f" {rates['middle']:,.1f} in the middle."
        )
    if "with_interval" in told:
        says.append(
            f"Rank correlation of votes gained with the width of the interval: {told['with_interval']:+.2f} (sampling"
            " by uncertainty alone would be near +1)."
        )
    if "with_score" in told:
        says.append(f"Rank correlation of votes gained with the score: {told['with_score']:+.2f}.")
    if not facts.registry:
        says.append("The weights that the arena declared are not in the file.")
    return AuditAnswer("fair_sampling", title, PARTLY if len(says) > 1 else CANNOT_SAY, says)


def _public_log(facts: AuditFacts) -> AuditAnswer:
    dates = facts.models.dates
    gap = max((days(a, b) for a, b in pairwise(dates)), default=0.0)
    if facts.kind == "votes":
        says = [
            "The votes themselves are at hand, the best log of exposure; tests and retirements are in the registry."
        ]
        return AuditAnswer("public_log", "A public log of tests, sampling rates and retirements", PARTLY, says)
    says = [
        f"{len(dates)} snapshots in {in_days(days(dates[0], dates[-1]))}, at most {in_days(gap)} apart, show"
        f" {'totals' if facts.gains.known else 'who is listed'}; they do not show models tested, sampling weights or"
        " retirements.",
    ]
    title = "A public log of tests, sampling rates and retirements"
    return AuditAnswer("public_log", title, PARTLY if len(dates) > 1 else CANNOT_SAY, says)
