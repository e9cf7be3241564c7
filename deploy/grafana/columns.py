"""Tables of instant queries: one column per expression, joined by labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.kit import SOURCE, Steps, make_property, make_target, make_thresholds
from deploy.prometheus.rule import flat


class Column(tuple[str, str, str, Steps, float | None]):
    """A column of a table: its title, expression (empty for a label), unit, colours and decimals."""

    __slots__ = ()

    def __new__(
        cls, title: str, expr: str, unit: str = "short", steps: Steps = (), decimals: float | None = None
    ) -> Column:
        """Put the expression on one line."""
        return super().__new__(cls, (title, flat(expr), unit, steps, decimals))


def grid(
    title: str,
    question: str,
    columns: Sequence[Column],
    *,
    labels: Mapping[str, str],
    sort: str,
    descending: bool = True,
    span: int = 24,
    height: int = 12,
) -> table.Panel:
    """Make a table of instant queries: a row per set of `labels` (label to title), a column per expression."""
    panel = (
        table.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .span(span)
        .height(height)
        .show_header(True)
        .cell_height(common_model.TableCellHeight.SM)
        .filterable(True)
    )
    rename = dict(labels)
    for place, (heading, expr, unit, steps, decimals) in enumerate(columns):
        ref = chr(ord("A") + place)
        rename[f"Value #{ref}"] = heading
        panel.with_target(make_target(expr, "", ref).instant().format(PromQueryFormat.TABLE))
        properties = [make_property("unit", unit)]
        if decimals is not None:
            properties.append(make_property("decimals", decimals))
        if steps:
            properties.append(make_property("thresholds", make_thresholds(steps).build()))
            properties.append(make_property("color", {"mode": "thresholds"}))
            properties.append(make_property("custom.cellOptions", {"type": "color-text"}))
        panel.override_by_name(heading, properties)
    order = {name: place for place, name in enumerate(rename)}
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": rename},
        )
    )
    panel.with_transformation(
        model.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": sort, "desc": descending}]})
    )
    return panel
