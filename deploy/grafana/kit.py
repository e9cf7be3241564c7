"""The panels of the dashboards; panels of the same kind look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

from deploy.prometheus.rule import flat

SOURCE = common_model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, AMBER, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"
Panel = Builder[model.Panel]
P = TypeVar("P")
Steps = Sequence[tuple[float | None, str]]
"""Colours with the lowest value of each; the first has None."""


class Query(tuple[str, str]):
    """An expression and the legend of its series."""

    __slots__ = ()

    def __new__(cls, expr: str, legend: str = "") -> Query:
        """Put the expression on one line."""
        return super().__new__(cls, (flat(expr), legend))


def lines(
    title: str,
    question: str,
    *queries: Query,
    unit: str = "short",
    span: int = 8,
    height: int = 8,
    minimum: float | None = 0.0,
    stacked: bool = False,
    dashed: Mapping[str, str] | None = None,
    band: tuple[str, str] | None = None,
    decimals: float | None = None,
) -> timeseries.Panel:
    """Make a panel of curves over time. `dashed` maps levels' legends to colours; `band` fills between two legends."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(height)
        .line_width(1.5)
        .fill_opacity(25 if stacked else 0)
        .show_points(common_model.VisibilityMode.NEVER)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.LIST)
            .placement(common_model.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_model.TooltipDisplayMode.MULTI)
            .sort(common_model.SortOrder.DESCENDING)
        )
    )
    if minimum is not None:
        panel.min(minimum)
    if decimals is not None:
        panel.decimals(decimals)
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL).group("A"))
    for legend, colour in (dashed or {}).items():
        panel.override_by_name(
            legend,
            [
                make_property("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
                make_property("color", {"mode": "fixed", "fixedColor": colour}),
            ],
        )
    if band:
        lower, upper = band
        panel.override_by_name(
            upper,
            [
                make_property("custom.fillBelowTo", lower),
                make_property("custom.fillOpacity", 20),
                make_property("custom.lineWidth", 0),
            ],
        )
        panel.override_by_name(lower, [make_property("custom.lineWidth", 0)])
    return _with(panel, queries)


def number(
    title: str,
    question: str,
    query: Query,
    *,
    unit: str = "short",
    steps: Steps = ((None, BLUE),),
    span: int = 3,
    height: int = 4,
    decimals: float | None = None,
    spark: bool = True,
    missing: str = "no data",
) -> stat.Panel:
    """Make a panel of one number, with its colour and recent curve; `missing` is shown if there is no value."""
    panel = (
        stat.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(height)
        .no_value(missing)
        .thresholds(make_thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .color_mode(common_model.BigValueColorMode.VALUE)
        .graph_mode(common_model.BigValueGraphMode.AREA if spark else common_model.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    )
    if decimals is not None:
        panel.decimals(decimals)
    return _with(panel, [query])


def bars(
    title: str,
    question: str,
    query: Query,
    *,
    unit: str = "short",
    steps: Steps = ((None, BLUE),),
    span: int = 8,
    height: int = 8,
    decimals: float | None = None,
) -> bargauge.Panel:
    """Make a panel with one bar per series, of an instant query."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(height)
        .min(0)
        .thresholds(make_thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .value_mode(common_model.BarGaugeValueMode.TEXT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    )
    if decimals is not None:
        panel.decimals(decimals)
    return _with(panel, [query], instant=True)


def states(
    title: str, question: str, query: Query, *, mappings: Mapping[str, tuple[str, str]], span: int = 12, height: int = 8
) -> statetimeline.Panel:
    """Make a panel with one band per series; `mappings` maps a value to its word and colour."""
    options = {
        value: model.ValueMappingResult(text=text, color=colour, index=place)
        for place, (value, (text, colour)) in enumerate(mappings.items())
    }
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .span(span)
        .height(height)
        .mappings([model.ValueMap(options=options)])
        .thresholds(make_thresholds([(None, GREEN), (1, RED)]))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .show_value(common_model.VisibilityMode.NEVER)
        .row_height(0.85)
        .merge_values(True)
        .legend(common.VizLegendOptions().show_legend(False).display_mode(common_model.LegendDisplayMode.LIST))
    )
    return _with(panel, [query])


def make_target(expr: str, legend: str, ref: str) -> prometheus.Dataquery:
    """Make a query of the chosen data source."""
    return prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").ref_id(ref).datasource(SOURCE)


def _with(panel: P, queries: Sequence[Query], *, instant: bool = False) -> P:
    adding: Any = panel  # the panels' builders have no common base class with targets
    for place, (expr, legend) in enumerate(queries):
        target = make_target(expr, legend, chr(ord("A") + place))
        adding.with_target(target.instant() if instant else target.range())
    return panel


def make_thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Make the thresholds of colours.

    Grafana shows a missing value in the first colour: green would mean that all is well, so green starts at 0.
    """
    if steps and steps[0] == (None, GREEN):
        steps = ((None, GREY), (0, GREEN), *steps[1:])
    found = [model.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def make_property(name: str, value: object) -> model.DynamicConfigValue:
    """Make one property of an override."""
    return model.DynamicConfigValue(id_val=name, value=value)
