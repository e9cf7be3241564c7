"""Every query of every panel on a real Prometheus that scrapes the running stack: success, and not empty."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Iterator

import pytest

from deploy.grafana.queries import PanelQuery, fill, load, queries
from deploy.grafana.write import DASHBOARDS
from tests.support import prometheus
from tests.support.eventually import eventually
from tests.support.monitored import ARENA, REMOVED, Monitored
from tests.support.stack import TestBroker, TestRedis

# Of the removed model no drift is judged any more, of another one no removal is told.
VARIABLES = {
    "arena": ARENA,
    "model": f"{REMOVED}|model-01",
    "__rate_interval": "10s",
    "__interval": "1s",
    "__range": "60s",
}
WINDOW = 60.0


@pytest.fixture(scope="module")
def stack(broker: TestBroker, redis_server: TestRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """A stack to which everything has happened that a dashboard shows."""
    if not prometheus.found():
        pytest.skip("no prometheus on this machine, and apt could not install it (deploy/ensure-prometheus)")
    prefix = f"t{secrets.token_hex(3)}"
    directory = tmp_path_factory.mktemp("monitored")
    with Monitored(broker.bootstrap, redis_server.url, f"{prefix}.", f"{prefix}:", directory) as stack:
        stack.subscribe()
        over = threading.Event()
        bothering = threading.Thread(target=stack.bother, args=(over,))
        bothering.start()
        try:
            stack.play(battles=12_000, at=5_000, rate=1_500)
            stack.wait_alert()
            yield stack
        finally:
            over.set()
            bothering.join(30)


def holds_numbers(stack: Monitored, query: PanelQuery) -> bool:
    if query.instant:
        values = [series["value"][1] for series in stack.prometheus.instant(query.expr)]
    else:
        values = [value for series in stack.prometheus.over(query.expr, WINDOW) for _, value in series["values"]]
    return any(math.isfinite(float(value)) for value in values)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_of_every_panel_returns_numbers(stack: Monitored, name: str) -> None:
    asked = [query for panel in load(name)["panels"] for query in queries(panel, VARIABLES)]
    missing = list(asked)

    def all_answered() -> bool:
        missing[:] = [query for query in missing if not holds_numbers(stack, query)]
        assert not missing, [(query.panel, query.expr) for query in missing]
        return True

    eventually(all_answered, 30, every=0.5)
    assert len(asked) >= 10


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_annotation_and_variable_can_be_asked(stack: Monitored, name: str) -> None:
    dashboard = load(name)
    for annotation in dashboard["annotations"]["list"]:
        expr = fill(annotation["target"]["expr"], VARIABLES)
        assert eventually(lambda expr=expr: stack.prometheus.over(expr, WINDOW), 15, every=0.5), expr
    for variable in dashboard["templating"]["list"]:
        query = fill(variable["query"], VARIABLES)
        if query.startswith("query_result("):
            first = stack.prometheus.instant(query.removeprefix("query_result(").removesuffix(")"))[0]
            if name == "fairness":  # the default when no model is chosen
                assert first["metric"]["model"] == REMOVED
        elif query.startswith("label_values("):
            metric, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
            assert ARENA in {series["metric"][label] for series in stack.prometheus.instant(metric)}


def test_the_rules_are_healthy_and_only_the_unfair_arena_pages(stack: Monitored) -> None:
    def page() -> set[str]:
        firing = stack.prometheus.instant('ALERTS{severity="critical",alertstate="firing"}')
        return {series["metric"]["alertname"] for series in firing}

    assert eventually(page, 15) == {"IsonomyArenaUnfair"}
    rules = [rule for group in stack.prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]


def test_the_removal_is_seen_with_its_evidence_beyond_the_page_level(stack: Monitored) -> None:
    beyond = (
        f'max(isonomy_model_removal_evidence_log10{{arena="{ARENA}",model="{REMOVED}"}})'
        f' > max(isonomy_arena_page_level_log10{{arena="{ARENA}"}})'
    )
    assert eventually(lambda: stack.prometheus.instant(beyond), 15, every=0.5)
