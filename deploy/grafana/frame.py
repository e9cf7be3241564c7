"""What all dashboards share: fixed uid, variables, links, alerts as annotations, and the JSON output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.kit import AMBER, RED, SOURCE
from deploy.prometheus.rule import PREFIX, flat

Document = Mapping[str, Any]
"""A dashboard or a part of one as the JSON that Grafana reads, which has no types here."""
TAG = "isonomy"
PIPELINE_ALERTS, ARENA_ALERTS = "Alerts", "Alerts of the arena"
_TITLES = {PIPELINE_ALERTS: "{{alertname}}", ARENA_ALERTS: "{{kind}} ({{severity}})"}


def arena_variable(*, several: bool) -> dashboard.QueryVariable:
    """Make the variable for the published arenas."""
    variable = _variable("arena", "Arena", "label_values(isonomy_arena_votes_total, arena)")
    variable.sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*") if several else variable


def model_variable(order: str) -> dashboard.QueryVariable:
    """Make the variable for the arena's models, sorted by `order`, largest first; the first is the default."""
    variable = _variable("model", "Model", f"query_result(sort_desc({flat(order)}))")
    return variable.regex('/model="(.+?)"/').sort(model.VariableSort.DISABLED).multi(True)


def frame(name: str, title: str, about: str, since: str, *variables: dashboard.QueryVariable) -> dashboard.Dashboard:
    """Make an empty dashboard: fixed uid, variables, links to the others, alerts as annotations."""
    made = (
        dashboard.Dashboard(title)
        .uid(f"isonomy-{name}")
        .description(about)
        .tags([TAG])
        .timezone("browser")
        .refresh("30s")
        .time(since, "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            dashboard.DashboardLink("Isonomy")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in variables:
        made.with_variable(variable)
    made.annotation(_annotation(PIPELINE_ALERTS, RED, f'ALERTS{{alertname=~"{PREFIX}.+",alertstate="firing"}}'))
    if any(variable.build().name == "arena" for variable in variables):
        firing = 'sum by (arena, kind, severity) (isonomy_arena_alerts_firing{arena=~"$arena"}) > 0'
        made.annotation(_annotation(ARENA_ALERTS, AMBER, firing))
    return made


def as_json(made: dashboard.Dashboard) -> Document:
    """Return a dashboard as JSON for Grafana, with its panels numbered in order."""
    found: Document = json.loads(JSONEncoder().encode(made.build()))
    for place, panel in enumerate(found["panels"], start=1):
        panel["id"] = place
        if panel["type"] == "table":
            del panel["options"]["footer"]  # written by the builder, but no longer known to Grafana 13
    for variable in found["templating"]["list"]:
        for field in ("auto", "auto_count", "auto_min"):
            variable.pop(field, None)  # only for interval variables
    for annotation in found["annotations"]["list"]:
        # The builder has no fields specific to the Prometheus data source.
        annotation["titleFormat"] = _TITLES[annotation["name"]]
        annotation["target"] = {"refId": "Annotation", "expr": annotation.pop("expr")}
    return found


def _annotation(name: str, colour: str, expr: str) -> dashboard.AnnotationQuery:
    query = dashboard.AnnotationQuery().name(name).datasource(SOURCE).enable(True).hide(False)
    return query.icon_color(colour).expr(expr)


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
