"""Starts `isonomy` processes by a fork of one that has imported everything, which takes a tenth of a start's work.

A process that starts from nothing spends 2.6 seconds of a processor on imports and on loading machine code, and the
tests start hundreds. What a test sees is the same: a process of its own in its own group, with its own environment,
directory and output, that dies with the tests. Only two things differ: an import that a command lacks is hidden by the
imports of the others, and all processes share one seed of hashes. The tests of `isonomy up`, of starts and of listening
start from nothing, as does whatever runs on another system than Linux.

`python -m tests.support.fork_server FD` is the server: it reads requests from a socket, forks, and reports exit codes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.local.process import ChildProcess
from services.local.tether import die_with

REPOSITORY = Path(__file__).resolve().parents[2]
ISONOMY = [sys.executable, "-m", "services.cli.main"]
"""The beginning of a command line of `isonomy`."""
PROGRAM = [sys.executable, "-c"]
"""The beginning of the command line of another program, which the next word is."""
IMPORTED = (
    "streams.app",
    "services.board.app",
    "services.gateway.app",
    "services.herald.app",
    "services.cli.footing",
    "services.cli.listening",
    "services.cli.progress",
    "services.cli.send",
    "services.cli.topics",
    "services.cli.worker",
    "faust",
    "uvloop",
)
"""Neither polars nor what imports it: its threads do not survive a fork."""
BEFORE_PYTHON = ("PYTHON", "NUMBA", "OPENBLAS", "MKL", "OMP", "LD_", "MALLOC", "TZ", "LC_", "LANG")
"""Beginnings of the names of variables that are read before or while modules are imported."""
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
"""What `isonomy` sets itself, unless it is set."""
LONGEST_REQUEST = 1 << 20


def as_imported(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process cannot change once it runs. PYTHONUNBUFFERED the server always has."""
    named = {name for name in environ if name.startswith(BEFORE_PYTHON) and name != "PYTHONUNBUFFERED"}
    return ONE_THREAD | {name: environ[name] for name in named}


# --- in the tests -----------------------------------------------------------------------------------------------------


class ForkServer:
    """The server of this process, started at once; it ends when this process does."""

    def __init__(self) -> None:
        self.environ = as_imported(os.environ)
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**ONE_THREAD, **os.environ, "PYTHONUNBUFFERED": "1"},
                cwd=REPOSITORY,
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End the server; the kernel kills what it started."""
        self._socket.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any], files: Sequence[int] = ()) -> Any:
        """Send a request with open files, and return the answer."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            answer = self._socket.recv(LONGEST_REQUEST)
        if not answer:
            raise RuntimeError(f"the fork server ended with {self._process.wait()}")
        return json.loads(answer)


@functools.cache
def fork_server() -> ForkServer:
    return ForkServer()


def can_fork(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether a fork is what a start would be: the same interpreter would run `isonomy` or a program."""
    ours = list(argv[:3]) == ISONOMY or list(argv[:2]) == PROGRAM
    return sys.platform == "linux" and ours and as_imported(environ) == fork_server().environ


class Forked:
    """A process that the server forked, with the part of `subprocess.Popen` that `ChildProcess` needs."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], directory: str, output: int, errors: int
    ) -> None:
        self.argv = list(argv)
        self.returncode: int | None = None
        request = {"argv": self.argv[1:], "environ": dict(environ), "directory": directory}
        self.pid: int = fork_server().ask(request, [output, errors])
        self._ends = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = fork_server().ask({"ended": self.pid})
            if self.returncode is not None:
                os.close(self._ends)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code; raise `subprocess.TimeoutExpired` after `timeout` seconds."""
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._ends, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1_000):
                raise subprocess.TimeoutExpired(self.argv, timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code


class ForkedProcess(ChildProcess):
    """A `ChildProcess` that is forked where that is the same as a start."""

    def start(self) -> None:
        environ = os.environ if self.env is None else self.env
        if not can_fork(self.argv, environ):
            super().start()
            return
        if self.alive:
            raise RuntimeError(f"{self.name} is already running, as process {self.pid}")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            forked = Forked(self.argv, environ, str(self.cwd or Path.cwd()), log.fileno(), log.fileno())
        self._popen = forked  # type: ignore[assignment]  # the part of Popen that is used


def run_isonomy(
    *arguments: str, env: Mapping[str, str], timeout: float, cwd: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run an `isonomy` command to its end, as `subprocess.run` does; it is killed after `timeout` seconds."""
    argv = [*ISONOMY, *arguments]
    if not can_fork(argv, env):
        return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        forked = Forked(argv, env, str(cwd), output.fileno(), errors.fileno())
        try:
            code = forked.wait(timeout)
        except BaseException:
            os.killpg(forked.pid, 9)
            forked.wait()
            raise
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(argv, code, output.read(), errors.read())


# --- the server -------------------------------------------------------------------------------------------------------


def load() -> None:
    """Import what the processes import, and load the machine code that they load as they start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in IMPORTED:
            importlib.import_module(name)
    from streams.fairness import tick_update, warm_up
    from streams.intake import dedup, fast_decode
    from streams.ratings import elo

    dedup.warm()
    fast_decode.warm()
    tick_update.warm()
    warm_up.warm_up()
    elo.compiled()
    assert len(os.listdir("/proc/self/task")) == 1, "a thread does not survive a fork"
    gc.collect()
    gc.freeze()  # what stays is not looked at again, so that the forks share it


def serve(requests: socket.socket) -> list[str]:
    """Answer requests until the tests end; only a forked process returns, with its arguments."""
    server = os.getpid()
    while True:
        message, files, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 2)
        if not message:
            os._exit(0)
        request = json.loads(message)
        answer: int | None
        if "ended" in request:
            child, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if child else None
        else:
            answer = os.fork()
            # Both sides, so that the group is there before either goes on.
            with contextlib.suppress(PermissionError):
                os.setpgid(answer, answer)
            if answer == 0:
                requests.close()
                become(request, files, server)
                return list(request["argv"])
            for file in files:
                os.close(file)
        requests.send(json.dumps(answer).encode())


def become(request: Mapping[str, Any], files: Sequence[int], server: int) -> None:
    """Be the process that was asked for, up to its arguments."""
    die_with(server)
    for place, file in enumerate(files, start=1):
        os.dup2(file, place)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["directory"])


def end(code: object) -> None:
    """End as `sys.exit(code)` does, but without taking apart every module, which would copy all of their memory."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    load()
    argv = serve(socket.socket(fileno=int(sys.argv[1])))
    # Only a forked process comes here.
    option, chosen, *sys.argv[1:] = argv
    try:
        if option == "-m":
            importlib.import_module(chosen).main(sys.argv[1:])
        else:
            exec(compile(chosen, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as ended:
        end(ended.code)
    except BaseException:  # noqa: BLE001 -- what ends an interpreter, too: its trace, and code 1
        traceback.print_exc()
        end(1)
    end(0)
