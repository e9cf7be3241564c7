"""What an audit of totals cannot say, and why."""

from __future__ import annotations

from streams.audit.facts import Facts
from streams.audit.shares import slots

_OF_TOTALS = (
    "Private variants: models that were tested and never listed are in no published total.",
    "Overfitting and prompt reuse: there are no prompts in the file.",
    "Declared sampling weights: none are published with the totals; drift is judged against each model's own past"
    " only, never against what was promised.",
)


def limits_of(facts: Facts) -> list[str]:
    """Sentences, the general ones first."""
    dates = facts.models.dates
    said = [] if facts.kind == "votes" else [*_OF_TOTALS]
    said += [
        "Battles that ended without a vote: a model whose answers make people leave looks like one that is shown less.",
        "Share of battles that involve a provider or class: totals give shares of slots; the share of battles lies"
        " between that and twice that.",
        "Why votes stopped: a retired interface, a wish of the provider and a decision of the arena look alike.",
        "The moment within an interval: a stop is dated to the snapshots around it.",
    ]
    if facts.strange_registry:
        said.insert(0, "Registry: it knows none of the models of this file; it is left out.")
    if not facts.registry:
        said.append(
            "Notices: without a registry it is not known which ends were announced; `inactive_without_notice`,"
            " `deprecated` and `retired` are null."
        )
    if len(dates) < 2:
        said.append("Exposure: one snapshot has totals only; activity, stops and shares need a second.")
    elif not facts.gains.known:
        said.append("Exposure: the file says nothing about votes; activity, stops and shares of slots are unknown.")
    elif not slots(facts.gains, 0, len(dates) - 1).any():
        said.append("Exposure: no total grew in the whole file; nothing is said about any model.")
    if len(facts.models.names) == 1:
        said.append("Stops: a single model has no others to be measured by.")
    if not facts.churn and facts.kind != "votes":
        said.append("Churn of the first place: the file has neither scores nor ranks.")
    if all(each == "unknown" for each in facts.models.providers):
        said.append("Providers: the file names none.")
    if all(each == "unknown" for each in facts.models.classes):
        said.append("Licence classes: the file names no licence, so retirement by class is not told.")
    return said
