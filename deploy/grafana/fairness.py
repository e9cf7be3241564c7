"""*Fairness*: who is treated differently than declared, since when, how certain is that, and what fires?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.columns import Column, grid
from deploy.grafana.frame import arena_variable, frame, model_variable
from deploy.grafana.kit import AMBER, BLUE, GREEN, GREY, RED, Panel, Query, lines, number, states

_ARENA = 'arena="$arena"'
_SUSPECTS = 8
_PAGE = Query(f"max(isonomy_arena_page_level_log10{{{_ARENA}}})", "page")
_WARNING = Query(f"max(isonomy_arena_warning_level_log10{{{_ARENA}}})", "warning")
_LEVELS = {"page": RED, "warning": AMBER}
_UNJUDGED = "not judged"
_COLOURS = ((None, GREY), (3, AMBER), (6, RED))


def _evidence(at: str = "") -> str:
    """Return a query for each model's evidence, of drift or of removal, whichever is larger."""
    return f'max by (model) ({{__name__=~"isonomy_model_(removal_)?evidence_log10",{_ARENA}}}{at})'


def _of(metric: str, by: str = "model", chosen: str = "") -> str:
    return f"max by ({by}) ({metric}{{{_ARENA}{chosen}}})"


def _chosen(metric: str) -> str:
    return _of(metric, chosen=',model=~"$model"')


def _count(title: str, question: str, state: str, colour: str) -> Panel:
    query = Query(f'max(isonomy_arena_models{{{_ARENA},state="{state}"}})')
    return number(title, question, query, steps=((None, GREEN), (1, colour)), missing=_UNJUDGED)


def _firing(title: str, question: str, severity: str, colour: str) -> Panel:
    """Make a panel of firing alerts. Grey at 0: that some kinds are judged does not mean that all are."""
    firing = f'sum(max by (kind) (isonomy_arena_alerts_firing{{{_ARENA},severity="{severity}"}}))'
    query = Query(f"{firing} > 0 or {firing} and max(isonomy_arena_declares{{{_ARENA}}}) == 1")
    return number(title, question, query, steps=((None, GREY), (1, colour)), missing=_UNJUDGED)


def fairness() -> dashboard.Dashboard:
    """Make the dashboard."""
    made = frame(
        "fairness",
        "Isonomy / Fairness",
        "What the arena declares against what it does. Evidence is the log10 of an e-value: at 6, chance would do this"
        " less than once in a million looks, whenever one looks. Every board process tells the same numbers, so all of"
        " them are taken as max by (…), never summed. `Model` lists the most suspicious first.",
        "now-24h",
        arena_variable(several=False),
        model_variable(_evidence()),
    )
    numbers: tuple[Panel, ...] = (
        _firing("Critical alerts", "How many alerts page, of the kinds that are judged?", "critical", RED),
        _firing("Warnings", "How many are to be looked at today, of the kinds that are judged?", "warning", AMBER),
        _count("Removed in silence", "Declared active, and gone: how many models?", "removed", RED),
        _count("Inactive", "How many models are not drawn, whatever the reason?", "inactive", AMBER),
        _count(
            "Inactive without notice",
            "Of how many of them was the end not announced long enough before?",
            "inactive_without_notice",
            AMBER,
        ),
        number(
            "Against the policy",
            "Is the declared policy honoured as a whole? log10 of the odds against it, at its most.",
            Query(f"max(isonomy_arena_policy_evidence_peak_log10{{{_ARENA}}})"),
            steps=_COLOURS,
            decimals=1,
            missing=_UNJUDGED,
        ),
        number(
            "Gini of the providers",
            "How unequal are the providers' shares? 0: all alike.",
            Query(f"max(isonomy_arena_gini_ratio{{{_ARENA}}})"),
            steps=((None, GREEN), (0.4, AMBER), (0.7, RED)),
            decimals=2,
        ),
        number(
            "Feed",
            "1 while a stalled feed explains what is missing, and nobody is accused.",
            Query(f"max(isonomy_arena_outage{{{_ARENA}}})"),
            steps=((None, GREEN), (1, RED)),
        ),
    )
    for each in numbers:
        made.with_panel(each)
    made.with_panel(
        lines(
            "Evidence and its thresholds",
            "Against whom does evidence grow, of a removal or of a drift, and is it enough?",
            _PAGE,
            _WARNING,
            Query(f"{_evidence()} and on (model) topk({_SUSPECTS}, {_evidence(' @ end()')})", "{{model}}"),
            unit="none",
            dashed=_LEVELS,
            span=14,
            height=10,
        )
    )
    made.with_panel(
        grid(
            "Alerts that fire",
            "What is wrong, with whom, since when (on the clock of the votes)?",
            [
                Column(
                    "Since",
                    f"max by (severity, kind, about, name) (isonomy_arena_alert_starts_at_seconds{{{_ARENA}}}) * 1000",
                    "dateTimeAsIso",
                )
            ],
            labels={"severity": "Severity", "kind": "Kind", "about": "About", "name": "Name"},
            sort="Severity",
            descending=False,
            span=10,
            height=10,
        )
    )
    known = f" * on (model) group_left (provider, state) (max by (model, state) (isonomy_model_state{{{_ARENA}}})"
    known += f" * on (model) group_left (provider) max by (model, provider) (isonomy_model_info{{{_ARENA}}}))"
    made.with_panel(
        grid(
            "Declared and observed share",
            "Who is in fewer or more battles than declared? Sorted by evidence.",
            [
                Column("Declared", _of("isonomy_model_declared_share_ratio") + known, "percentunit", decimals=2),
                Column("Observed", _of("isonomy_model_share_ratio") + known, "percentunit", decimals=2),
                Column("Evidence", _evidence() + known, "none", _COLOURS, 1),
                Column("Of drift", _of("isonomy_model_evidence_log10") + known, "none", _COLOURS, 1),
                Column("Of removal", _of("isonomy_model_removal_evidence_log10") + known, "none", _COLOURS, 1),
                Column("Battles", _of("isonomy_model_battles_total") + known, "locale", decimals=0),
            ],
            labels={"model": "Model", "provider": "Provider", "state": "State"},
            sort="Evidence",
            span=14,
            height=11,
        )
    )
    made.with_panel(
        states(
            "Alerts by kind",
            "Which kinds of alerts fired when, which were quiet, and of which says silence nothing, being not judged?",
            Query(
                f"clamp_max(sum by (kind) (max by (kind, severity) (isonomy_arena_alerts_firing{{{_ARENA}}})), 1)"
                f" or max by (kind) (isonomy_arena_judged{{{_ARENA}}} == 0) - 1",
                "{{kind}}",
            ),
            mappings={"-1": (_UNJUDGED, BLUE), "0": ("quiet", GREY), "1": ("fires", RED)},
            span=10,
            height=11,
        )
    )
    made.with_row(dashboard.Row("$model").repeat("model"))
    for panel in (
        lines(
            "Declared and observed share of battles",
            "When did this model's share of battles leave what is declared?",
            Query(_chosen("isonomy_model_declared_share_ratio"), "declared"),
            Query(_chosen("isonomy_model_share_ratio"), "observed"),
            unit="percentunit",
            dashed={"declared": BLUE},
            span=12,
        ),
        lines(
            "Evidence of drift and of a removal",
            "When was it enough?",
            _PAGE,
            _WARNING,
            Query(_chosen("isonomy_model_evidence_log10"), "drift"),
            Query(_chosen("isonomy_model_removal_evidence_log10"), "removal"),
            unit="none",
            dashed=_LEVELS,
            span=12,
        ),
    ):
        made.with_panel(panel)
    made.with_row(dashboard.Row("Providers, licences, inequality"))
    for field, title in (("provider", "Providers"), ("license", "Licences")):
        made.with_panel(
            grid(
                title,
                "Which part of the battles involves one of theirs, declared and observed?",
                [
                    Column("Declared", _of(f"isonomy_{field}_declared_share_ratio", field), "percentunit", decimals=1),
                    Column("Observed", _of(f"isonomy_{field}_share_ratio", field), "percentunit", decimals=1),
                    Column("Evidence", _of(f"isonomy_{field}_evidence_log10", field), "none", _COLOURS, 1),
                ],
                labels={field: title[:-1]},
                sort="Observed",
                span=6,
                height=8,
            )
        )
    for panel in (
        lines(
            "Inequality",
            "Do a few providers take more and more of the data?",
            Query(f"max(isonomy_arena_gini_ratio{{{_ARENA}}})", "Gini"),
            Query(f"max(isonomy_arena_hhi_ratio{{{_ARENA}}})", "HHI"),
            unit="none",
            decimals=2,
            span=6,
        ),
        lines(
            "Evidence against the policy as a whole",
            "Do small deviations of many models add up?",
            Query(f"max(isonomy_arena_policy_evidence_log10{{{_ARENA}}})", "now"),
            Query(f"max(isonomy_arena_policy_evidence_peak_log10{{{_ARENA}}})", "at its most"),
            _PAGE,
            unit="none",
            minimum=None,
            dashed={"page": RED, "at its most": BLUE},
            span=6,
        ),
    ):
        made.with_panel(panel)
    return made
