"""deploy/compose.yaml: Compose's own reader takes it, and what it names exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli.main import COMMANDS
from streams.contracts.settings import Settings, documented
from tests.support.checkers import DEPLOY, checker, run

FILE = DEPLOY / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"].startswith("isonomy:")}
VARIABLES = {variable for rows in documented().values() for variable, _, _ in rows}
PROCESSES = {"worker", "gateway", "board", "herald"}


def test_composes_own_reader_takes_it() -> None:
    done = run(checker("compose"), "-format", "json", FILE, cwd=DEPLOY)
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)
    assert set(read["services"]) == set(SERVICES)


def test_composes_reader_would_refuse_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("restart: on-failure", "restrat: on-failure"))
    assert run(checker("compose"), wrong, cwd=tmp_path).returncode != 0


def test_every_process_is_there() -> None:
    assert {each["command"][0] for each in OURS.values()} == PROCESSES | {"topics"}
    assert {"kafka", "redis", "prometheus", "alertmanager", "grafana"} <= set(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_commands_and_variables_exist(name: str) -> None:
    assert OURS[name]["command"][0] in COMMANDS
    assert set(OURS[name].get("environment", {})) <= VARIABLES


@pytest.mark.parametrize("name", OURS)
def test_settings_can_be_read_and_name_only_what_is_given(name: str) -> None:
    environment = {
        key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)) for key, value in OURS[name]["environment"].items()
    }
    settings = Settings.from_env(environment)
    assert settings.kafka.bootstrap == "kafka:9092"
    secrets = {f"/run/secrets/{each}" for each in OURS[name].get("secrets", ())}
    assert {value for value in environment.values() if value.startswith("/run/")} == secrets


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_processes_may_little(name: str) -> None:
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_bounded_and_looked_at(name: str) -> None:
    service = SERVICES[name]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert name == "topics" or service["healthcheck"]["test"]
    assert re.search(r":[\w.-]*\d", service["image"]), "an image without a version"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))
    assert name not in ("kafka", "redis") or "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, _, rest = volume.partition(":")
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_secrets_are_what_make_secrets_makes(tmp_path: Path) -> None:
    assert run(DEPLOY / "make-secrets", tmp_path / "secrets").returncode == 0
    for secret in COMPOSE["secrets"].values():
        path = tmp_path / secret["file"]
        assert path.read_text().strip()
    before = {path: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert run(DEPLOY / "make-secrets", tmp_path / "secrets").returncode == 0
    assert {path: path.read_text() for path in (tmp_path / "secrets").iterdir()} == before
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])


def test_prometheus_looks_at_every_process_on_its_port() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    watched = {
        name: found["port"] for job in jobs for found in job.get("dns_sd_configs", ()) for name in found["names"]
    }
    ports = {process: getattr(Settings(), process).port for process in PROCESSES}
    assert watched == ports


def test_kafka_is_the_version_that_is_tested() -> None:
    pom = (DEPLOY / "kafka" / "pom.xml").read_text()
    (version,) = re.findall(r"<kafka.version>([^<]+)<", pom)
    assert SERVICES["kafka"]["image"] == f"${{KAFKA_IMAGE:-apache/kafka:{version}}}"
