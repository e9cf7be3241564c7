"""The committed dashboards: current, what Grafana's types say, every expression parsed and known to the code."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.queries import fill, load, queries
from deploy.grafana.write import DASHBOARDS, FOLDER, main
from tests.unit.deploy_monitoring.expressions import known_labels, labels_asked_of, metrics_of

CHECK = FOLDER.parent / "check"
VARIABLES = {"arena": "text", "model": "a|b", "__rate_interval": "1m", "__interval": "15s", "__range": "1h"}
OPERATIONS = Path(__file__).parents[3] / "docs" / "dashboards.md"


def expressions(dashboard: Mapping[str, Any]) -> list[str]:
    """Everything that is asked: panels, annotations, variables."""
    asked = [query.expr for panel in dashboard["panels"] for query in queries(panel, VARIABLES)]
    asked += [fill(each["target"]["expr"], VARIABLES) for each in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        function, _, inside = fill(variable["query"], VARIABLES).partition("(")
        if function == "query_result":
            asked.append(inside.removesuffix(")"))
        elif function == "label_values":
            asked.append(inside.partition(",")[0])
    return asked


def test_the_dashboards_are_what_python_would_write() -> None:
    assert main(["--check"]) == 0
    assert {path.stem for path in FOLDER.iterdir()} == set(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_expression_parses_and_asks_for_what_the_code_exposes(name: str) -> None:
    known = known_labels()
    for expr in expressions(load(name)):
        assert metrics_of(expr) <= set(known), expr
        for metric, labels in labels_asked_of(expr):
            assert labels <= known[metric], (expr, metric, labels - known[metric])


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_found_under_its_uid_and_shows_one_question_a_panel(name: str) -> None:
    dashboard = load(name)
    assert dashboard["uid"] == f"isonomy-{name}"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert variables[0] == "datasource"
    shown = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    for panel in shown:
        assert panel["description"].endswith((".", "?")), panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    titles = [panel["title"] for panel in shown]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fill_the_screen_and_do_not_lie_on_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in load(name)["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_panel_is_explained_in_the_documentation() -> None:
    text = OPERATIONS.read_text("utf-8")
    for name in DASHBOARDS:
        for panel in load(name)["panels"]:
            if panel["type"] != "row":
                assert f"**{panel['title']}**" in text, (name, panel["title"])


@pytest.fixture(scope="module")
def node() -> str:
    """Node with Grafana's types beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no npm on this machine")
    if not (CHECK / "node_modules" / "@grafana").exists():
        argv = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(argv, cwd=CHECK, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    return node


def typed(node: str, folder: Path) -> subprocess.CompletedProcess[str]:
    argv = [node, "check.mjs", str(folder)]
    return subprocess.run(argv, cwd=CHECK, capture_output=True, text=True, timeout=120, check=False)


def test_the_dashboards_are_what_grafana_s_types_say(node: str) -> None:
    done = typed(node, FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_grafana_does_not_know_is_found(node: str, tmp_path: Path) -> None:
    dashboard = load("deliveries")
    dashboard["panels"][0]["options"]["colorMode"] = "rainbow"
    dashboard["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
    dashboard["panels"][2]["targets"][0]["expression"] = "up"
    (tmp_path / "deliveries.json").write_text(json.dumps(dashboard))
    done = typed(node, tmp_path)
    assert done.returncode == 1
    assert all(word in done.stdout for word in ("rainbow", "units", "expression")), done.stdout
