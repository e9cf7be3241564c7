"""Images by digest: what deploy/pin-images prints, and that Compose and make take it."""

import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from tests.support.checkers import DEPLOY, REPOSITORY, run

DIGEST = "sha256:" + "7a" * 32
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
BASES = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
DEFAULT = re.compile(r"\$\{(\w+_IMAGE):-(.*)\}")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH whose docker stands in for the registries, which tests cannot ask: of `buildx` it knows digests, and
    otherwise it says what it was asked to do."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = buildx ] || { echo "$@"; exit; }\n'
        'case "$4" in grafana*) $GRAFANA ;; esac\n'
        f"echo {DIGEST}\n"
    )
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def pin_images(path: str, grafana: str = ":") -> subprocess.CompletedProcess[str]:
    return run(DEPLOY / "pin-images", env={"PATH": path, "GRAFANA": grafana})


def test_every_image_of_others_can_be_had_by_digest(path: str) -> None:
    done = pin_images(path)
    assert done.returncode == 0, done.stderr
    pulled = {name: each["image"] for name, each in COMPOSE.items() if not each["image"].startswith("isonomy:")}
    assert len(pulled) == 5
    named = {found[1]: found[2] for image in pulled.values() if (found := DEFAULT.fullmatch(image))}
    assert len(named) == 5
    assert dict(line.split("=", 1) for line in done.stdout.splitlines()) == {
        variable: f"{image}@{DIGEST}" for variable, image in {**named, **BASES}.items()
    }


def test_compose_builds_from_the_bases_of_the_dockerfile() -> None:
    arguments = COMPOSE["topics"]["build"]["args"]
    assert {name: DEFAULT.fullmatch(each).groups() for name, each in arguments.items()} == {
        name: (name, image) for name, image in BASES.items()
    }


@pytest.mark.parametrize("grafana", ["exit 1", "eval echo latest; exit"])
def test_without_one_of_the_digests_nothing_is_pinned(path: str, grafana: str) -> None:
    done = pin_images(path, grafana)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no digest for grafana/grafana:" in done.stderr


def test_make_builds_from_what_was_pinned(path: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    build = ["make", "--silent", "image"]
    environ = {**os.environ, "PATH": path}
    tag = f"isonomy:{metadata.version('isonomy')}"
    plain = ["build", "-f", "deploy/Dockerfile", "-t", tag]
    assert run(*build, cwd=tmp_path, env=environ).stdout.split() == [*plain, "."]
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "images.env").write_text(pin_images(path).stdout)
    pinned = [word for name, image in BASES.items() for word in ("--build-arg", f"{name}={image}@{DIGEST}")]
    said = run(*build, cwd=tmp_path, env=environ).stdout.split()
    assert said[:5] == plain
    assert said[-1] == "."
    assert sorted(said[5:-1]) == sorted(pinned)


def test_no_digest_stands_here_that_no_registry_was_asked_for() -> None:
    files = [DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", DEPLOY / "helm" / "isonomy" / "values.yaml"]
    assert not any(re.search(r"sha256:[0-9a-f]{64}", path.read_text()) for path in files)
