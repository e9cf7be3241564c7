"""What an audit of totals cannot say, and why."""

from __future__ import annotations

from streams.audit.board.dates import many
from streams.audit.board.shares import slots
from streams.audit.facts import AuditFacts
from streams.audit.report.document import Reading

_PRIVATE = "Private variants: models that were tested and never listed are in no published total."
_PROMPTS = "Overfitting and prompt reuse: there are no prompts in the file."
_WEIGHTS = (
    "Declared sampling weights: none are published with the totals; drift is judged against each model's own past"
    " only, never against what was promised."
)
_OF_VOTES = (
    "Battles that ended without a vote: a model whose answers make people leave looks like one that is shown less.",
    "Share of battles that involve a provider or class: totals give shares of slots; the share of battles lies"
    " between that and twice that.",
    "Why votes stopped: a retired interface, a wish of the provider and a decision of the arena look alike.",
    "The moment within an interval: a stop is dated to the snapshots around it.",
)


def limits_of(facts: AuditFacts, reading: Reading | None = None) -> list[str]:
    """Return the limits as sentences, general ones first; `reading` is the account of a file of snapshots."""
    dates, known = facts.models.dates, bool(facts.gains.counted.any())
    said = []
    if facts.kind != "votes":
        said += [_PROMPTS] if facts.registry else [_PRIVATE, _PROMPTS, _WEIGHTS]
    if known:
        said += [*_of_reading(reading), *_OF_VOTES]
    else:
        said.insert(
            0,
            "Votes: no total is known, so stops, inactivity, shares of slots and inequality are unknown, not zero.",
        )
    if facts.strange_registry:
        said.insert(0, "Registry: it knows none of the models of this file; it is left out.")
    if not facts.registry:
        said.append(
            "Notices: without a registry it is not known which ends were announced; `inactive_without_notice`,"
            " `deprecated` and `retired` are null."
        )
    if len(dates) < 2 and known:
        said.append("Exposure: one snapshot has totals only; activity, stops and shares need a second.")
    elif known and not slots(facts.gains, 0, len(dates) - 1).any():
        said.append("Exposure: no total grew in the whole file; nothing is said about any model.")
    if not facts.depth.judged and facts.absences.every:
        said.append("Depth: nothing orders the rows, so whether models that are absent were cut off is not known.")
    if len(facts.models.names) == 1:
        said.append("Stops: a single model has no others to be measured by.")
    if not facts.churn and facts.kind != "votes":
        said.append("Churn of the first place: the file has neither scores nor ranks.")
    if all(each == "unknown" for each in facts.models.providers):
        said.append("Providers: the file names none.")
    if all(each == "unknown" for each in facts.models.classes):
        said.append("Licence classes: the file names no licence, so retirement by class is not told.")
    return said


def _of_reading(reading: Reading | None) -> list[str]:
    said = []
    if reading is not None and reading.precision:
        said.append(
            f"Small gains: totals are rounded to {reading.precision:,.0f} votes, so only snapshots far enough apart are"
            " compared, and what rounding may hide is counted in favour of the arena."
        )
    if reading is not None and reading.without_total:
        said.append(
            f"Unknown totals: {many(reading.without_total, 'row')} of {reading.counted:,} list a model without its"
            " votes."
        )
    return said
