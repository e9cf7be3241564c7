"""The Prometheus rules: current, tested by scenarios, known to the code, each with a runbook."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.recording import RECORDINGS
from deploy.prometheus.rule import runbook
from deploy.prometheus.write import documents, main
from services.herald.rules.payload import labels_of
from streams.contracts.alert import Kind, Severity
from tests.support import views
from tests.unit.deploy_monitoring.expressions import known_labels, labels_asked_of, metrics_of

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
NAMES = [alert.full_name for alert in ALERTS]


def tool(name: str) -> str:
    """A program of Debian's packages; the test is skipped where it is missing and apt could not install it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine, and apt could not install it (deploy/ensure-prometheus)")
    return found


def run(*argv: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # A promtool that collects its garbage less often, in one thread, takes 12 seconds of a processor and not 17.
    env = {**os.environ, "GOGC": "400", "GOMAXPROCS": "1"}
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


# --- current ---------------------------------------------------------------------------------------------------------


def test_the_rules_and_their_tests_are_what_python_would_write() -> None:
    assert main(["--check"]) == 0
    committed = {*(PROMETHEUS / "rules").iterdir(), *(PROMETHEUS / "tests").iterdir()}
    assert committed == set(documents())


def test_runbooks_may_be_served_elsewhere() -> None:
    rules = yaml.safe_load(documents("https://arena.example/runbooks/")[PROMETHEUS / "rules" / "alerts.yml"])
    urls = [rule["annotations"]["runbook_url"] for group in rules["groups"] for rule in group["rules"]]
    assert urls == [runbook(name, "https://arena.example/runbooks") for name in NAMES]


# --- what they say ---------------------------------------------------------------------------------------------------


def test_promtool_takes_the_rules() -> None:
    done = run(tool("promtool"), "check", "rules", *map(str, (PROMETHEUS / "rules").glob("*.yml")))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_story_is_told_as_it_is_written() -> None:
    done = run(tool("promtool"), "test", "rules", *map(str, sorted((PROMETHEUS / "tests").glob("*.yml"))))
    assert done.returncode == 0, done.stdout + done.stderr


def failures(folder: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """What promtool says of the stories when every alert's rule is changed."""
    shutil.copytree(PROMETHEUS / "tests", folder / "tests")
    shutil.copytree(PROMETHEUS / "rules", folder / "rules")
    path = folder / "rules" / "alerts.yml"
    rules = yaml.safe_load(path.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            change(rule)
    path.write_text(yaml.safe_dump(rules))
    done = run(tool("promtool"), "test", "rules", *map(str, sorted((folder / "tests").glob("*.yml"))))
    return done.stdout + done.stderr


def test_rules_that_never_fire_fail_a_story_each(tmp_path: Path) -> None:
    told = failures(tmp_path, lambda rule: rule.update(expr="vector(0) > 1"))
    assert {name for name in NAMES if re.search(rf"\b{name}\b", told)} == set(NAMES)


def test_rules_that_always_fire_fail_the_quiet_stories_and_the_idle_arena(tmp_path: Path) -> None:
    told = failures(tmp_path, lambda rule: (rule.update(expr="vector(1)"), rule.pop("for", None)))
    for name in NAMES:
        assert re.search(rf"{name} quiet", told), name
    assert "an idle arena is left alone" in told


def test_every_alert_fires_in_one_story_and_is_quiet_in_the_other() -> None:
    for alert in ALERTS:
        assert alert.fires.told, alert.name
        assert not alert.quiet.told, alert.name
    assert len(set(NAMES)) == len(NAMES)


# --- what they are made of -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDINGS], ids=lambda rule: getattr(rule, "name", None) or rule.record)
def test_every_metric_and_label_is_known_to_the_code(rule: Any) -> None:
    known = known_labels()
    assert metrics_of(rule.expr) <= set(known)
    for metric, labels in labels_asked_of(rule.expr):
        assert labels <= known[metric], (metric, labels - known[metric])


RUNBOOK = ["First look", "Causes and how to tell them apart", "What to do", "When it resolves", "Whom to tell"]


def parts_of(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_runbook_in_the_style_of_the_others(name: str) -> None:
    text = (ROOT / runbook(name)).read_text("utf-8")
    (alert,) = (alert for alert in ALERTS if alert.full_name == name)
    assert text.startswith(f"# {name}\n\nSeverity: {alert.severity}.")
    assert parts_of(text) == RUNBOOK
    named = set(re.findall(r"\bisonomy_[a-z_0-9]+", text))
    assert named <= set(known_labels()), named - set(known_labels())


@pytest.mark.parametrize("kind", Kind)
def test_the_runbook_of_a_fairness_alert_has_the_same_parts(kind: Kind) -> None:
    text = (ROOT / "docs" / "runbooks" / f"{kind.value}.md").read_text("utf-8")
    assert text.startswith(f"# {kind.value}\n\nSeverity: ")
    assert parts_of(text) == RUNBOOK
    named = set(re.findall(r"\bisonomy_[a-z_0-9]+", text))
    assert named <= set(known_labels()), named - set(known_labels())


def test_no_runbook_stands_for_two_things() -> None:
    paths = [runbook(name) for name in NAMES] + [f"docs/runbooks/{kind.value}.md" for kind in Kind]
    assert len(set(paths)) == len(paths)


# --- the configuration around them -----------------------------------------------------------------------------------


def test_prometheus_takes_its_configuration_and_scrapes_what_the_rules_look_for() -> None:
    path = PROMETHEUS / "prometheus.yml"
    done = run(tool("promtool"), "check", "config", "--syntax-only", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {job["job_name"] for job in yaml.safe_load(path.read_text())["scrape_configs"]}
    assert jobs >= {f"isonomy-{process}" for process in ("worker", "gateway", "board", "herald")}


ALERTMANAGER = str(ROOT / "deploy" / "alertmanager" / "alertmanager.yml")


def test_alertmanager_takes_its_configuration() -> None:
    done = run(tool("amtool"), "check-config", ALERTMANAGER)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_gets_to_whom_it_concerns(alert: Any) -> None:
    to = "warnings" if alert.severity == "warning" else "fairness" if alert.name.startswith("Arena") else "pages"
    goes_to(to, {"alertname": alert.full_name, "severity": alert.severity})


@pytest.mark.parametrize("kind", [Kind.SILENT_REMOVAL, Kind.GRAPH_FRAGILE])
@pytest.mark.parametrize("severity", Severity)
def test_alerts_that_the_herald_posts_are_routed_by_the_same_words(kind: Kind, severity: Severity) -> None:
    alert = views.alert(kind=kind, severity=severity)
    goes_to("fairness" if severity is Severity.CRITICAL else "warnings", labels_of(alert))


def goes_to(receiver: str, labels: Mapping[str, str]) -> None:
    verify = ["config", "routes", "test", f"--config.file={ALERTMANAGER}", f"--verify.receivers={receiver}"]
    done = run(tool("amtool"), *verify, *(f"{name}={value}" for name, value in labels.items()))
    assert done.returncode == 0, done.stdout + done.stderr
