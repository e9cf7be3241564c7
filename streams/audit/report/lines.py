"""The lines of the report: models with their former names, renames, pauses, departures, the board over time."""

from __future__ import annotations

import numpy as np

from streams.audit.alerts.make import in_tens
from streams.audit.alerts.notices import RegistryNotice
from streams.audit.alerts.removals import replacement_of, successor_of
from streams.audit.board.dates import iso
from streams.audit.board.history import Matrix
from streams.audit.facts import AuditFacts, true_pauses
from streams.audit.report.document import AbsenceLine, BoardLine, GoneLine, ModelLine, PauseLine, RenameLine
from streams.audit.stops.states import INACTIVE, RENAMED


def model_lines(facts: AuditFacts) -> list[ModelLine]:
    """Every model, then every former name that no model has now, by name."""
    models = facts.models
    lines = [_line(facts, model) for model in range(len(models.names))]
    current = {*models.names}
    former: dict[str, ModelLine] = {}
    for each in facts.renames:
        if each.old in current:
            continue
        former[each.old] = ModelLine(
            model=each.old,
            provider=models.providers[each.model],
            license=models.licenses[each.model],
            license_class=models.classes[each.model],
            state=RENAMED,
            since=iso(models.dates[each.at]),
            last_seen=iso(models.dates[each.last]),
            renamed_to=models.names[each.model],
        )
    return [*lines, *(former[name] for name in sorted(former))]


def _line(facts: AuditFacts, model: int) -> ModelLine:
    models, states = facts.models, facts.states
    state, stop = states.state[model], states.stop[model]
    last = int(models.last[model])
    since = found = relisted = None
    left = states.departure[model]
    if left is not None:
        since = iso(models.dates[left.last + 1])
        found = iso(models.dates[left.found if stop is None else stop.found])
        relisted = None if left.back is None else iso(models.dates[left.back])
    elif stop is not None:
        since, found = iso(models.dates[stop.begin]), iso(models.dates[stop.found])
    elif state == INACTIVE and states.since[model] >= 0:
        since = iso(models.dates[states.since[model]])
    rate = states.rate[model]
    return ModelLine(
        model=models.names[model],
        provider=models.providers[model],
        license=models.licenses[model],
        license_class=models.classes[model],
        state=state,
        since=since,
        found=found,
        first_seen=iso(models.dates[models.first[model]]),
        last_seen=iso(models.dates[last]),
        relisted=relisted,
        successor=None if left is None else successor_of(models, model, left.last),
        notice=said(facts.notices[model]),
        votes=_last_total(models.votes[model]),
        votes_a_day=None if np.isnan(rate) else round(float(rate), 2),
    )


def said(notice: RegistryNotice | None) -> str | None:
    """Describe a notice in words."""
    if notice is None:
        return None
    when = "" if notice.announced is None else f", announced {iso(notice.announced)}"
    return f"{notice.status}{when}{f': {notice.reason}' if notice.reason else ''}"


def rename_lines(facts: AuditFacts) -> list[RenameLine]:
    """Changes of name with the totals on both sides."""
    models = facts.models
    return [
        {
            "model": each.old,
            "renamed_to": each.new,
            "date": iso(models.dates[each.at]),
            "votes_before": _whole(models.votes[each.model, each.last]),
            "votes_after": _whole(models.votes[each.model, each.at]),
        }
        for each in facts.renames
    ]


def pause_lines(facts: AuditFacts) -> list[PauseLine]:
    """Models that got no votes for a while and then got votes again."""
    models = facts.models
    return [
        {
            "model": models.names[each.model],
            "from": iso(models.dates[each.begin]),
            "until": iso(models.dates[each.end or each.until]),
            "expected": round(each.expected, 1),
            "observed": round(each.observed, 1),
            "log10_e": in_tens(each.evidence),
        }
        for each in true_pauses(facts.watched, models)
    ]


def gone_lines(facts: AuditFacts) -> list[GoneLine]:
    """Models that left the board: whether they were still gaining, and which model replaced them."""
    models, states = facts.models, facts.states
    lines: list[GoneLine] = []
    for model, left in enumerate(states.departure):
        if left is None:
            continue
        lines.append(
            {
                "model": models.names[model],
                "last_seen": iso(models.dates[left.last]),
                "votes": _last_total(models.votes[model, : left.last + 1]),
                "was_gaining": left.ran_before if facts.gains.known else None,
                "snapshots_away": (len(models.dates) if left.back is None else left.back) - 1 - left.last,
                "replaced": replacement_of(models, model, left.last) is not None,
                "successor": successor_of(models, model, left.last),
                "relisted": None if left.back is None else iso(models.dates[left.back]),
            }
        )
    return sorted(lines, key=lambda line: (line["last_seen"], line["model"]))


def absence_lines(facts: AuditFacts) -> list[AbsenceLine]:
    """Every absence from the board within its depth, with its kind: passing, ended, or departure."""
    models, left = facts.models, facts.states.departure
    return [
        {
            "model": models.names[each.model],
            "last_seen": iso(models.dates[each.last]),
            "listed_again": None if each.back is None else iso(models.dates[each.back]),
            "gained": None if each.gained is None else int(each.gained),
            "kind": "passing" if each.passing else "departure" if left[each.model] == each else "ended",
        }
        for each in facts.absences.every
    ]


def board_lines(facts: AuditFacts) -> list[BoardLine]:
    """For each snapshot: models listed, running and stopped (from earlier data only), and votes gained since the last.

    Without totals of votes only `listed` is known, and the others are null. They are also null in the first snapshot,
    and `slots` is null where totals were restated.
    """
    models, watched, gains = facts.models, facts.watched, facts.gains
    return [
        {
            "date": iso(date),
            "listed": int(models.listed[:, at].sum()),
            "running": int((watched.running[:, at] & models.listed[:, at]).sum()) if gains.known and at else None,
            "stopped": int((watched.stopped[:, at] & models.listed[:, at]).sum()) if gains.known and at else None,
            "slots": int(gains.all[at]) if gains.known and at and at not in gains.restated else None,
        }
        for at, date in enumerate(models.dates)
    ]


def _last_total(votes: Matrix) -> int | None:
    counted = votes[~np.isnan(votes)]
    return int(counted[-1]) if counted.size else None


def _whole(value: float) -> int | None:
    return None if np.isnan(value) or value < 0 else int(value)
