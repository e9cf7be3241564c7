"""Run a program that dies with its parent: `python tether.py PARENT_PID PROGRAM ARGUMENT…`.

It asks the kernel to send SIGKILL when the parent dies and then execs the program, so the process id stays the same.
This is a program of its own, not a `preexec_fn`, because Python code between fork and exec can deadlock in a parent
that has threads (and Python 3.12 warns of it). It imports only the standard library and runs with `python -I -S`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies; do nothing where the kernel cannot (not Linux)."""
    if sys.platform != "linux":
        return
    # SIGKILL, not SIGTERM: a frozen or stuck child must not outlive the stack.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before prctl was called; then the kernel never sends the signal.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main(argv: list[str]) -> None:
    """Tie this process to the parent named in `argv[0]` and become the program in `argv[1:]`."""
    die_with(int(argv[0]))
    try:
        os.execvp(argv[1], argv[1:])  # noqa: S606 - no shell is wanted: the child's pid must be the program's
    except OSError as error:
        sys.exit(f"cannot run {argv[1]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
