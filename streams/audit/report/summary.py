"""The summary of the report: which models stopped, since when, how many, how sure, and what the file cannot say."""

from __future__ import annotations

from streams.audit.board.dates import days, in_days, iso, many
from streams.audit.board.remarks import Oddity
from streams.audit.facts import AuditFacts
from streams.audit.report.document import CANNOT_SAY, AuditAnswer, Counts
from streams.audit.report.figures import counts_of
from streams.audit.report.findings import left_words
from streams.audit.stops.evidence import ALARM
from streams.contracts.alert import Alert, Kind

NAMED = 3
"""Most models that are named in the first sentence."""

ENDS = (Kind.SILENT_REMOVAL, Kind.UNANNOUNCED_RETIREMENT)


def refusal_of(facts: AuditFacts) -> str | None:
    """Return why nothing is concluded, if most snapshots had to be set aside; else None."""
    aside = sum(each.count for each in facts.remarks if each.kind in (Oddity.ZERO_SNAPSHOT, Oddity.PARTIAL_SNAPSHOT))
    whole = aside + len(facts.models.dates)
    if 2 * aside <= whole:
        return None
    return (
        f"{aside:,} of {whole:,} snapshots had to be set aside, because most of their rows or totals are missing:"
        " nothing is concluded from the rest."
    )


def refused(answers: list[AuditAnswer], why: str) -> list[AuditAnswer]:
    """Replace all answers with `cannot_say` and the reason."""
    return [AuditAnswer(each.id, each.title, CANNOT_SAY, [why]) for each in answers]


def headline_of(facts: AuditFacts, lead: str | None = None) -> list[str]:
    """Return the most important sentences; `lead` replaces the one about alerts."""
    models, counts = facts.models, counts_of(facts)
    said = [alert.summary for alert in facts.alerts if alert.kind is Kind.FEED_STALLED]
    if len(models.dates) < 2:
        return [*said, f"One snapshot of {many(len(models.names), 'model')}: what they gain cannot be seen yet."]
    said += _depth(facts, counts)
    if not facts.gains.known:
        return [*said, _listings(counts), *_leaders(facts)]
    said.append(lead or _ends(facts))
    if lead is None and facts.watched.looks:
        said.append(_certainty(facts))
    said.append(_inactive(facts, counts))
    if any(name != "unknown" for name in facts.provider_shares):
        top = list(facts.provider_shares.items())[:3]
        said.append("Most slots: " + ", ".join(f"{name} {share:.1%}" for name, share in top) + ".")
    said += [alert.summary for alert in facts.alerts if alert.kind is Kind.RETIREMENT_BIAS]
    return said


def unsaid_of(cannot_say: list[str]) -> str:
    """Return one sentence on what the file cannot say, from the first words of each limit."""
    topics = list(dict.fromkeys(each.partition(":")[0] for each in cannot_say if ":" in each))
    return "The file cannot say: " + ", ".join(topic[0].lower() + topic[1:] for topic in topics) + "."


def _listings(counts: Counts) -> str:
    return (
        f"{many(counts.listed, 'model')} listed at the end; within the file {counts.joined} joined and {counts.gone}"
        " left for good. No total of votes is known, so who stopped and who is inactive is unknown."
    )


def _depth(facts: AuditFacts, counts: Counts) -> list[str]:
    rows = facts.depth.rows
    if facts.absences.doubtful:
        return [
            f"Nothing orders the rows of the file, and models come and go, {rows.min()} to {rows.max()} a date: whether"
            f" it shows the whole board cannot be judged. {many(counts.beyond, 'model')} not listed at the end may only"
            " be cut off."
        ]
    if not facts.depth.cut:
        return []
    return [
        f"The file seems to show the top {rows.min()} to {rows.max()} rows of the board only: of"
        f" {many(facts.depth.left, 'row')} that left, {facts.depth.lowest} were among the lowest. Nothing is said about"
        f" what is below the deepest row: {many(counts.beyond, 'model')} at the end."
    ]


def _leaders(facts: AuditFacts) -> list[str]:
    if not facts.churn:
        return []
    last = facts.churn["leaders"][-1]
    return [f"First place: {many(facts.churn['changes'], 'change')}; {last['model']} since {last['from']}."]


def _ends(facts: AuditFacts) -> str:
    """Return a sentence on the models that stopped or left, the newest first."""
    ends = sorted((each for each in facts.alerts if each.kind in ENDS), key=lambda each: (-each.starts_at, each.id))
    away = "left the board" if facts.depth.judged else "dropped out of the file"
    if not ends and not facts.watched.looks:
        return "Who stopped is unknown: no model had a span of votes after one that shows its usual share."
    if not ends:
        return "No model is seen to have stopped getting votes for good, or to have gone while gaining."
    named = "; ".join(map(_named, ends[:NAMED]))
    more = f"; and {len(ends) - NAMED:,} others" if len(ends) > NAMED else ""
    notice = "notices unknown" if not facts.registry else "by the registry announced too late or not at all"
    return (
        f"{many(len(ends), 'model')} stopped getting votes for good, or {away} while gaining ({notice}): {named}{more}."
    )


def _named(alert: Alert) -> str:
    expected, got = alert.evidence.get("expected"), alert.evidence.get("observed")
    counted = f", {expected:,.0f} votes expected, {got:,.0f} came" if _numbers(expected, got) else ""
    return f"{alert.subject.name} since {iso(alert.starts_at)}{counted}"


def _numbers(*values: object) -> bool:
    return all(isinstance(each, (int, float)) for each in values)


def _certainty(facts: AuditFacts) -> str:
    watched = facts.watched
    by_chance = watched.looks / ALARM
    ends = [each.evidence for each in facts.alerts if each.kind in ENDS]
    logs = sorted(log for each in ends if isinstance(log := each.get("log10_e"), (int, float)))
    least = f"; the weakest claim has an e-value of 10^{logs[0]:.0f}" if logs else ""
    return (
        f"How sure: in the {watched.looks:,} spans judged, at most {by_chance:.2g} stops are to be expected by chance"
        f"{least}."
    )


def _inactive(facts: AuditFacts, counts: Counts) -> str:
    states, dates = facts.states, facts.models.dates
    window = in_days(days(dates[states.start], dates[states.live]))
    unclear = counts.listed - (counts.active or 0) - (counts.inactive or 0)
    more = f" Of {unclear} more it is not known." if unclear else ""
    when, later = "at the end: at most", ""
    if states.live < len(dates) - 1:
        alive = iso(dates[states.live])
        when = f"on {alive}, the last date by which the feed was alive: they gained at most"
        after = sum(each is not None and each.last >= states.live for each in states.departure)
        later = f", {after} of them after {alive}" if after else ""
    return (
        f"{counts.inactive} of {counts.listed} listed models are inactive {when} {states.cutoff:.3g} votes a day over"
        f" the last {window}, or stopped.{more} {counts.gone} {left_words(facts)}{later}."
    )
