"""One child process: its command, log file and signals."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local import tether

TERMINATE_WITHIN = 10.0
LAST_LINE_BYTES = 4_096


class StartError(RuntimeError):
    """A part of the local stack could not be started; the message says what to do."""


class ChildProcess:
    """A child program in its own process group, with its output appended to a log file.

    Its own group means that Ctrl-C in the terminal reaches only the parent, which then stops its children in order.
    On Linux the child is killed when the *thread* that started it ends, so start it from a thread that outlives it.

    Parameters
    ----------
    name
        Its name in messages.
    argv
        Program and arguments; the program is looked up on PATH.
    log_path
        File for standard output and error. Its directories are created; an existing log is appended to.
    env
        The child's complete environment, or `None` for the parent's.
    cwd
        The child's working directory, or `None` for the parent's.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log_path = log_path
        self.env = env
        self.cwd = cwd
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0  # offset in the log at the latest start

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    @property
    def pid(self) -> int:
        """The process id of the latest start."""
        if self._popen is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._popen.pid

    @property
    def started(self) -> bool:
        """Whether it was ever started."""
        return self._popen is not None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not exited; a frozen process is alive."""
        return self._popen is not None and self._popen.poll() is None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; `None` while it runs or before it ever ran."""
        return None if self._popen is None else self._popen.poll()

    def start(self) -> None:
        """Start the child; a child that has exited can be started again.

        Raises
        ------
        StartError
            If the program does not exist.
        """
        if self.alive:
            raise RuntimeError(f"{self.name} is already running, as process {self.pid}")
        program = shutil.which(self.argv[0], path=(self.env or os.environ).get("PATH"))
        if program is None:
            raise StartError(f"{self.name}: the program {self.argv[0]!r} does not exist")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        tied = [sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()), program, *self.argv[1:]]
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._popen = subprocess.Popen(
                tied,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                process_group=0 if os.name == "posix" else None,
            )

    def wait(self, deadline: float) -> int | None:
        """Wait up to `deadline` seconds for the child to exit; return its exit code, or `None` if it still runs."""
        if self._popen is None:
            return None
        try:
            return self._popen.wait(deadline)
        except subprocess.TimeoutExpired:
            return None

    def send(self, signum: int) -> None:
        """Send a signal to the child's process group; do nothing if the child has exited."""
        if self.alive:
            if os.name == "posix":
                os.killpg(self.pid, signum)
            else:
                os.kill(self.pid, signum)

    def freeze(self) -> None:
        """Suspend the child until `thaw`, as an overloaded or swapping machine would."""
        self.send(signal.SIGSTOP)
        if sys.platform == "linux" and self.alive:  # a busy machine delivers it late: wait until the child stopped
            state = Path(f"/proc/{self.pid}/stat")
            end = time.monotonic() + TERMINATE_WITHIN
            while state.read_text().rpartition(")")[2].split()[0] not in "TtZ" and time.monotonic() < end:
                time.sleep(0.005)

    def thaw(self) -> None:
        """Resume a frozen child."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it with SIGKILL and reap it."""
        self.send(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()

    def terminate(self, deadline: float = TERMINATE_WITHIN) -> None:
        """Stop the child with SIGTERM; kill it if it still runs after `deadline` seconds."""
        self.send(signal.SIGTERM)
        self.thaw()  # a frozen process cannot act on SIGTERM
        if self.alive and self.wait(deadline) is None:
            self.kill()

    @property
    def last_line(self) -> str:
        """The last line logged since the latest start, empty if there is none; after a crash, usually its cause."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - LAST_LINE_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of the log, for an error message."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
