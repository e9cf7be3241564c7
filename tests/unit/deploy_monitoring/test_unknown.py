"""What is not known is shown as that: no panel turns what has no series into 0, or into green."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.queries import load, queries
from deploy.grafana.write import DASHBOARDS
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.recording import RECORDINGS
from tests.unit.deploy_monitoring.test_dashboards import VARIABLES, expressions
from tests.unit.deploy_monitoring.test_rules import run, tool

FIRING = 'isonomy_arena_alerts_firing{arena="text",kind="%s",severity="%s",instance="b"}'
JUDGED = 'isonomy_arena_judged{arena="text",kind="%s",instance="b"}'
DECLARES = 'isonomy_arena_declares{arena="text",instance="b"}'


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_has_no_value_is_never_green(name: str) -> None:
    for panel in load(name)["panels"]:
        steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
        assert not steps or steps[0]["color"] != "green", panel["title"]
        if panel["type"] == "stat":
            assert panel["fieldConfig"]["defaults"]["noValue"] in ("no data", "not judged"), panel["title"]


def test_no_expression_makes_a_number_of_nothing() -> None:
    asked = [expr for name in DASHBOARDS for expr in expressions(load(name))]
    for expr in [*asked, *(rule.expr for rule in (*ALERTS, *RECORDINGS))]:
        assert "vector(" not in expr, expr


def answers(folder: Path, asked: dict[str, list[tuple[str, float]]], series: dict[str, str]) -> None:
    """Have Prometheus's own evaluation answer expressions over made series; fails where an answer is another."""
    wanted = [
        {
            "expr": expr,
            "eval_time": "5m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in found],
        }
        for expr, found in asked.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    case = {"rule_files": [], "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": wanted}]}
    path = folder / "case.yml"
    path.write_text(yaml.safe_dump(case))
    done = run(tool("promtool"), "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def expr_of(dashboard: str, title: str) -> str:
    (panel,) = (each for each in load(dashboard)["panels"] if each["title"] == title)
    (query,) = queries(panel, VARIABLES)
    expr: str = query.expr
    return expr


def of_arena(declares: int, **firing: int) -> dict[str, str]:
    """An arena of which the feed is judged, and with a registry removals too."""
    made: dict[str, Any] = {DECLARES: declares, JUDGED % "feed_stalled": 1, JUDGED % "silent_removal": declares}
    for kind in ["feed_stalled", *(["silent_removal"] if declares else [])]:
        made |= {FIRING % (kind, severity): firing.get(kind, 0) for severity in ("critical", "warning")}
    return {name: f"{value}x10" for name, value in made.items()}


def test_an_arena_that_declares_nothing_is_not_judged_and_not_without_alerts(tmp_path: Path) -> None:
    expected: dict[str, list[tuple[str, float]]] = {
        expr_of("fairness", "Critical alerts"): [],
        expr_of("fairness", "Warnings"): [],
        expr_of("fairness", "Alerts by kind"): [('{kind="feed_stalled"}', 0), ('{kind="silent_removal"}', -1)],
    }
    answers(tmp_path, expected, of_arena(0))


def test_its_alerts_are_shown_all_the_same(tmp_path: Path) -> None:
    expected: dict[str, list[tuple[str, float]]] = {
        expr_of("fairness", "Critical alerts"): [("{}", 1)],
        expr_of("fairness", "Alerts by kind"): [('{kind="feed_stalled"}', 1), ('{kind="silent_removal"}', -1)],
    }
    answers(tmp_path, expected, of_arena(0, feed_stalled=1))


def test_an_arena_that_declares_its_models_has_a_number_of_alerts(tmp_path: Path) -> None:
    expected: dict[str, list[tuple[str, float]]] = {
        expr_of("fairness", "Critical alerts"): [("{}", 0)],
        expr_of("fairness", "Alerts by kind"): [('{kind="feed_stalled"}', 0), ('{kind="silent_removal"}', 0)],
    }
    answers(tmp_path, expected, of_arena(1))


@pytest.mark.parametrize("title", ["Stages not ready", "Processes down"])
def test_nobody_who_is_scraped_is_no_zero(tmp_path: Path, title: str) -> None:
    answers(tmp_path, {expr_of("pipeline", title): []}, {"other": "1x10"})
    series = {
        'isonomy_stage_ready{stage="intake",instance="w",job="isonomy-worker"}': "1x10",
        'up{job="isonomy-worker",instance="w"}': "1x10",
    }
    answers(tmp_path, {expr_of("pipeline", title): [("{}", 0)]}, series)
    answers(tmp_path, {expr_of("pipeline", title): [("{}", 1)]}, dict.fromkeys(series, "0x10"))
