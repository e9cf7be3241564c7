"""The Helm chart, rendered by Helm itself."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tests.support.checkers import DEPLOY, REPOSITORY, checker, run

CHART = DEPLOY / "helm" / "isonomy"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
PROCESSES = {"intake", "folds", "gateway", "board", "herald"}


@cache
def _rendered(values: str) -> dict[str, Any]:
    program = REPOSITORY / "deploy" / "helm" / "render_chart.py"
    done = run(checker("python"), program, CHART, "arena", input=values)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rendered(values: dict[str, Any]) -> dict[str, Any]:
    """Output of helm lint, the documents and their errors; or why the values were refused."""
    return _rendered(json.dumps(values))


def of_kind(kind: str, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Documents of a kind by name."""
    return {each["metadata"]["name"]: each for each in rendered(values)["documents"] if each["kind"] == kind}


def containers(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every container with its pod."""
    for deployment in of_kind("Deployment", values).values():
        pod = deployment["spec"]["template"]["spec"]
        for container in [*pod["containers"], *pod.get("initContainers", ())]:
            yield pod, container
