"""deploy/apt-install: while apt-get runs, a policy keeps Debian from starting services; afterwards it is restored."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.checkers import DEPLOY, run

LOCAL_NO, LOCAL_YES = "#!/bin/sh\n# ours\nexit 101\n", "#!/bin/sh\n# ours\nexit 0\n"
APT = """#!/bin/sh
echo "$*" >> "$LOG/calls"
[ "$1" = install ] || exit 0
"$ISONOMY_POLICY_RC_D" redis-server start
echo $? >> "$LOG/said"
touch "$LOG/installing"
if [ -e "$LOG/wait" ]; then read -r _ < "$LOG/wait"; fi
exit "${APT_EXIT:-0}"
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$LOG/systemctl"
case "$1 $3" in
"is-enabled redis-server") [ -e "$LOG/installing" ] || [ -e "$LOG/enabled" ] ;;
is-enabled*) exit 1 ;;
esac
"""


class Machine:
    """A PATH whose apt-get reads the policy as a package's installation does, and whether the user is root."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self.policy = directory / "sbin" / "policy-rc.d"
        programs = directory / "bin"
        for each in (self.log, self.policy.parent, programs):
            each.mkdir()
        for name, text in {"apt-get": APT, "id": "#!/bin/sh\necho 0\n", "systemctl": SYSTEMCTL}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environ = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "LOG": str(self.log),
            "ISONOMY_POLICY_RC_D": str(self.policy),
        }

    def has(self, policy: str) -> None:
        self.policy.write_text(policy)
        self.policy.chmod(0o755)

    def left(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.policy.parent.iterdir()}

    def said(self) -> list[str]:
        return (self.log / "said").read_text().split()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("code", ["0", "100"])
@pytest.mark.parametrize("before", [None, LOCAL_NO, LOCAL_YES])
def test_no_service_starts_while_it_installs_and_what_was_there_is_back(
    before: str | None, code: str, machine: Machine
) -> None:
    if before is not None:
        machine.has(before)
    done = run(DEPLOY / "apt-install", "redis-server", env={**machine.environ, "APT_EXIT": code})
    assert done.returncode == (0 if code == "0" else 1), done.stderr
    assert machine.said() == ["101"]
    assert machine.left() == ({} if before is None else {"policy-rc.d": before})
    assert before is None or os.access(machine.policy, os.X_OK)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("before", [None, LOCAL_YES])
def test_what_was_there_is_back_after_an_interruption(
    before: str | None, number: signal.Signals, machine: Machine
) -> None:
    if before is not None:
        machine.has(before)
    os.mkfifo(machine.log / "wait")
    process = _start(machine)
    assert machine.left()["policy-rc.d"] != before
    # As a terminal does: to all of them. apt-get ends, and its installation with it.
    os.killpg(process.pid, number)
    assert process.wait(30) != 0
    assert machine.left() == ({} if before is None else {"policy-rc.d": before})


@pytest.mark.parametrize("before", [None, LOCAL_YES])
def test_what_a_killed_run_left_is_put_back_by_the_next(before: str | None, machine: Machine) -> None:
    if before is not None:
        machine.has(before)
    os.mkfifo(machine.log / "wait")
    process = _start(machine)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    assert "put here by Isonomy" in machine.left()["policy-rc.d"]
    (machine.log / "wait").unlink()
    assert run(DEPLOY / "apt-install", "redis-server", env=machine.environ).returncode == 0
    assert machine.said() == ["101", "101"]
    assert machine.left() == ({} if before is None else {"policy-rc.d": before})


def test_two_at_once_do_not_put_back_each_others(machine: Machine) -> None:
    machine.has(LOCAL_YES)
    os.mkfifo(machine.log / "wait")
    first = _start(machine)
    second = subprocess.Popen([DEPLOY / "apt-install", "npm"], env=machine.environ, start_new_session=True)
    _until(lambda: "flock" in _children(second))
    for process in (first, second):
        with (machine.log / "wait").open("w") as release:
            release.write("go\n")
        assert process.wait(30) == 0
    assert machine.said() == ["101", "101"]
    assert machine.left() == {"policy-rc.d": LOCAL_YES}


def _start(machine: Machine) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([DEPLOY / "apt-install", "redis-server"], env=machine.environ, start_new_session=True)
    _until((machine.log / "installing").exists)
    return process


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def _children(process: subprocess.Popen[bytes]) -> list[str]:
    """What the processes are called that it waits for."""
    try:
        return [child.name() for child in psutil.Process(process.pid).children()]
    except psutil.NoSuchProcess:  # one of them ended while it was looked at
        return []


def test_a_service_that_was_enabled_by_it_is_disabled(machine: Machine) -> None:
    assert run(DEPLOY / "apt-install", "redis-server", "npm", env=machine.environ).returncode == 0
    calls = (machine.log / "systemctl").read_text().splitlines()
    assert [call for call in calls if call.startswith("disable")] == ["disable --quiet redis-server"]
    assert (machine.log / "calls").read_text().splitlines()[0].startswith("update")


def test_a_service_that_somebody_had_enabled_before_stays_enabled(machine: Machine) -> None:
    (machine.log / "enabled").touch()
    assert run(DEPLOY / "apt-install", "redis-server", env=machine.environ).returncode == 0
    assert "disable" not in (machine.log / "systemctl").read_text()


def test_without_apt_or_the_right_to_it_nothing_is_tried(machine: Machine, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    (programs / "id").write_text("#!/bin/sh\necho 1000\n")
    (programs / "sudo").write_text('#!/bin/sh\necho "$*" >> "$LOG/sudo"\nexit 1\n')
    (programs / "sudo").chmod(0o755)
    assert run(DEPLOY / "apt-install", "redis-server", env=machine.environ).returncode == 2
    assert (machine.log / "sudo").read_text() == "-n true\n"
    assert not (machine.log / "calls").exists()
    assert machine.left() == {}


def test_with_sudo_all_of_it_runs_as_root(machine: Machine, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    (programs / "id").write_text('#!/bin/sh\necho "${AS:-1000}"\n')
    (programs / "sudo").write_text('#!/bin/sh\nshift; AS=0 exec "$@"\n')
    (programs / "sudo").chmod(0o755)
    assert run(DEPLOY / "apt-install", "redis-server", env=machine.environ).returncode == 0
    assert machine.said() == ["101"]
    assert machine.left() == {}


CALLERS = {
    "ensure-redis": "redis-server",
    "ensure-chromium": "chromium fonts-inter",
    "ensure-prometheus": "prometheus prometheus-alertmanager",
}


@pytest.mark.parametrize("script", CALLERS)
@pytest.mark.parametrize("code", ["0", "100"])
def test_what_needs_a_program_installs_it_so(script: str, code: str, machine: Machine, tmp_path: Path) -> None:
    # Nothing of this machine, whose programs may be there already.
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("bash", "sh", "dirname", "flock", "grep", "mv", "rm", "chmod", "touch", "env"):
        (bare / name).symlink_to(next(path for path in (Path("/usr/bin", name), Path("/bin", name)) if path.exists()))
    environ = {**machine.environ, "PATH": f"{tmp_path / 'bin'}:{bare}", "APT_EXIT": code}
    done = run(DEPLOY / script, env=environ)
    assert done.returncode == 0
    assert machine.said() == ["101"]
    assert (machine.log / "calls").read_text().split("\n")[1].endswith(f" {CALLERS[script]}")
    assert ("apt could not" in done.stderr) == (code != "0")


def test_nobody_else_calls_apt() -> None:
    callers = {path.name for path in DEPLOY.iterdir() if path.is_file() and "apt-get install" in path.read_text()}
    assert callers == {"apt-install"}
