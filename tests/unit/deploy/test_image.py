"""The image's description: what hadolint says of it, and that what it copies is there and what it calls exists."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.cli.main import COMMANDS
from tests.support.checkers import DEPLOY, REPOSITORY, checker, run

TEXT = (DEPLOY / "Dockerfile").read_text()
LINES = re.sub(r"\\\n\s*", " ", TEXT).splitlines()
LAST = LINES[max(number for number, line in enumerate(LINES) if line.startswith("FROM")) :]
IGNORED = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()


def instructions(name: str, lines: list[str] = LINES) -> list[str]:
    return [line.split(" ", 1)[1] for line in lines if line.startswith(name + " ")]


def test_hadolint_has_nothing_to_say() -> None:
    done = run(checker("hadolint"), DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_hadolint_would_have_something_to_say_of_a_worse_one(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && apt-get install curl\n")
    assert run(checker("hadolint"), tmp_path / "Dockerfile").returncode == 1


def test_what_is_copied_is_there_and_let_into_the_context() -> None:
    copied = [word for line in instructions("COPY") if "--from=" not in line for word in line.split()[:-1]]
    assert len(copied) > 5
    for each in copied:
        assert (REPOSITORY / each).exists(), each
        assert f"!{each}" in IGNORED, each
    assert "*" in IGNORED


def test_it_runs_as_nobody_in_particular_and_takes_signals_itself() -> None:
    (user,) = instructions("USER", LAST)
    assert all(int(part) >= 10_000 for part in user.split(":"))
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["isonomy"]
    command = re.search(r"CMD (\[.*\])$", instructions("HEALTHCHECK")[0])
    assert command
    assert json.loads(command[1])[0] == "python"
    assert not [line for line in LAST if line.startswith("RUN")]
    assert "gcc" not in " ".join(LAST)


def test_every_base_is_pinned_to_a_release() -> None:
    bases = [name for base in instructions("FROM") for name in re.findall(r"^\$\{(\w+)\}", base)]
    assert len(bases) == len(instructions("FROM"))
    chosen = dict(line.split("=") for line in instructions("ARG") if line.split("=")[0] in bases)
    assert len(bases) == len(chosen) == 2
    assert all(re.fullmatch(r"python:3\.12-(slim-)?bookworm", base) for base in chosen.values())


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_healthy_is_who_answers(status: int | None, code: int) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if status is not None and self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        port = str(server.server_port)
        if status is not None:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        else:
            server.server_close()
        variables = {f"ISONOMY_{name.upper()}_PORT": port for name in ("gateway", "board", "worker", "herald")}
        done = subprocess.run([sys.executable, DEPLOY / "healthy"], env=variables, timeout=30, check=False)
        if status is not None:
            server.shutdown()
    assert done.returncode == code


def test_the_processes_of_the_image_are_commands() -> None:
    assert {"worker", "gateway", "board", "herald", "topics"} <= set(COMMANDS)
