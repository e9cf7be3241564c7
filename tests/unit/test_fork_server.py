"""What the tests fork behaves as what they would start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess, can_fork, fork_server, run_isonomy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every process is started")
PROGRAM = """
import atexit, json, os, sys
atexit.register(print, "at exit")
print(json.dumps([os.environ["NAME"], "HOME" in os.environ, os.getcwd(), os.getpgid(0) == os.getpid(), sys.argv[1:]]))
sys.exit(7)
"""
WAITS = "import signal; print('waits', flush=True); signal.pause()"


def program(directory: Path, *argv: str, **environ: str) -> ForkedProcess:
    env = {"PATH": os.environ["PATH"], **fork_server().environ, **environ}
    assert can_fork([sys.executable, "-c", *argv], env)
    return ForkedProcess("p", [sys.executable, "-c", *argv], log_path=directory / "log", env=env, cwd=directory)


def test_a_program_has_its_own_environment_directory_group_and_output(tmp_path: Path) -> None:
    with program(tmp_path, PROGRAM, "a", "b", NAME="x") as forked:
        assert forked.wait(30) == 7
    said, after = (tmp_path / "log").read_text().splitlines()
    assert json.loads(said) == ["x", False, str(tmp_path), True, ["a", "b"]]
    assert after == "at exit"


def test_it_is_killed_and_started_again(tmp_path: Path) -> None:
    forked = program(tmp_path, WAITS)
    for number in (1, 2):
        forked.start()
        eventually(lambda: (tmp_path / "log").read_text().count("waits") == number, 30)  # noqa: B023
        assert forked.poll() is None
        assert forked.wait(0.01) is None
        forked.freeze()
        forked.kill()
        assert (forked.alive, forked.poll()) == (False, -signal.SIGKILL)


def test_a_failure_is_told_as_python_tells_it(tmp_path: Path) -> None:
    with program(tmp_path, "raise ValueError('no')") as forked:
        assert forked.wait(30) == 1
    assert forked.last_line == "ValueError: no"
    done = run_isonomy("worker", "--port", "many", env=os.environ, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'many' is not a valid integer" in done.stderr


def test_a_command_that_takes_too_long_is_killed() -> None:
    env = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1"}
    with pytest.raises(subprocess.TimeoutExpired):
        run_isonomy("worker", env=env, timeout=0.1)


def test_another_interpreter_is_started_and_not_forked() -> None:
    isonomy = [sys.executable, "-m", "services.cli.main", "board"]
    same = fork_server().environ
    assert can_fork(isonomy, same)
    assert not can_fork(isonomy, {**same, "PYTHONHASHSEED": "1"})
    assert not can_fork(isonomy, {**same, "PYTHONPATH": "/other"})
    assert not can_fork(isonomy, {**same, "OPENBLAS_NUM_THREADS": "3"})
    assert not can_fork([sys.executable, "-m", "http.server"], same)


def test_what_was_forked_dies_with_the_server(tmp_path: Path) -> None:
    started = """
import sys
from pathlib import Path
from tests.support.fork_server import ForkedProcess
forked = ForkedProcess("p", [sys.executable, "-c", sys.argv[1]], log_path=Path(sys.argv[2]))
forked.start()
while not forked.log_tail():
    pass
print(forked.pid)
"""
    words = [sys.executable, "-c", started, WAITS, str(tmp_path / "log")]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=True)
    eventually(lambda: not Path(f"/proc/{int(done.stdout)}").exists(), 30)
