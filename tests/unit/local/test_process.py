"""A child process starts, logs, freezes, stops, and dies with its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.local.process import ChildProcess, StartError
from tests.support.eventually import eventually

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


def child(tmp_path: Path, *argv: str, **options: Any) -> ChildProcess:
    return ChildProcess("child", argv, log_path=tmp_path / "logs" / "child.log", **options)


def test_a_child_runs_and_stops_on_sigterm(tmp_path: Path) -> None:
    with child(tmp_path, "sleep", "60") as process:
        assert process.alive
        assert process.poll() is None
    assert process.poll() == -signal.SIGTERM
    assert not process.alive


def test_output_and_errors_are_appended_to_the_log(tmp_path: Path) -> None:
    process = child(tmp_path, "sh", "-c", "echo said; echo $WORD >&2", env=os.environ | {"WORD": "complained"})
    for _ in range(2):
        process.start()
        assert process.wait(10) == 0
    assert process.log_tail() == "said\ncomplained\nsaid\ncomplained"
    assert process.log_tail(1) == "complained"


def test_the_last_line_is_of_the_latest_start_however_long_the_log_is(tmp_path: Path) -> None:
    process = child(tmp_path, "sh", "-c", "test -e quiet || { seq 100000; echo the cause; echo; }", cwd=tmp_path)
    assert process.last_line == ""
    process.start()
    assert process.wait(10) == 0
    assert process.last_line == "the cause"
    (tmp_path / "quiet").touch()
    process.start()
    assert process.wait(10) == 0
    assert process.last_line == ""


def test_a_child_that_ignores_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    process = child(tmp_path, sys.executable, "-c", STUBBORN)
    process.start()
    eventually(lambda: "deaf" in process.log_tail())
    process.terminate(deadline=0.2)
    assert process.poll() == -signal.SIGKILL


def test_a_frozen_child_stands_still_and_can_be_thawed_or_terminated(tmp_path: Path) -> None:
    process = child(tmp_path, "sleep", "60")
    process.start()
    process.freeze()
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    process.thaw()
    eventually(lambda: psutil.Process(process.pid).status() != psutil.STATUS_STOPPED)
    process.freeze()
    process.terminate(deadline=10)
    assert process.poll() == -signal.SIGTERM


def test_signals_reach_what_the_child_started(tmp_path: Path) -> None:
    process = child(tmp_path, "sh", "-c", "sleep 60 & echo $!; wait")
    process.start()
    grandchild = int(eventually(process.log_tail))
    process.kill()
    eventually(lambda: gone(grandchild))


def test_the_child_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    with child(tmp_path, "sleep", "60") as process:
        eventually(lambda: os.getpgid(process.pid) == process.pid)
        assert os.getpgid(process.pid) != os.getpgid(0)


def test_the_pid_is_the_programs_own(tmp_path: Path) -> None:
    with child(tmp_path, "sleep", "60") as process:
        eventually(lambda: psutil.Process(process.pid).name() == "sleep")


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="there is no program 'no-such-program'"):
        child(tmp_path, "no-such-program").start()


def test_starting_a_running_child_again_is_a_mistake(tmp_path: Path) -> None:
    with child(tmp_path, "sleep", "60") as process, pytest.raises(RuntimeError, match="is running already"):
        process.start()


def test_a_child_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    process = child(tmp_path, "sleep", "60")
    process.terminate()
    process.kill()
    assert process.poll() is None
    with pytest.raises(RuntimeError, match="never started"):
        _ = process.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_children_die_when_the_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time; from services.local.process import ChildProcess\n"
        "child = ChildProcess('child', ['sleep', '60'], log_path=pathlib.Path(sys.argv[1]))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "child.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        eventually(lambda: psutil.Process(pid).name() == "sleep")
        parent.kill()
    eventually(lambda: gone(pid))


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody has reaped yet has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
