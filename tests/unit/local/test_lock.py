"""A directory has one holder, which the error names; when the holder is dead, the lock is free."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.local.lock import LOCK_NAME, hold
from services.local.process import StartError

HOLDER = (
    "import pathlib, subprocess, sys, time; from services.local.lock import hold\n"
    "with hold(pathlib.Path(sys.argv[1])):\n"
    "    child = subprocess.Popen(['sleep', '60'], close_fds=False, stdout=subprocess.DEVNULL)\n"
    "    print(child.pid, flush=True)\n"
    "    sys.stdin.read()\n"
)
"""Holds the directory, and starts a child that is given every descriptor a child can be given."""


def begin(directory: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a holder; returns it and its child's process id."""
    command = [sys.executable, "-c", HOLDER, str(directory)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    return holder, int(holder.stdout.readline())


def test_who_holds_a_directory_and_since_when_is_said(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there yet"
    with hold(directory):
        since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        said = rf"{re.escape(str(directory))} is in use by process {os.getpid()} since {since}$"
        for _ in range(2):  # who was refused has released nothing
            with pytest.raises(StartError, match=said), hold(directory):
                pass


def test_a_directory_is_free_again_after_its_holder(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with pytest.raises(KeyError), hold(tmp_path):
        raise KeyError
    assert (tmp_path / LOCK_NAME).read_text() == ""
    with hold(tmp_path):
        pass


def test_a_holder_that_is_killed_leaves_no_lock_even_while_its_child_lives(tmp_path: Path) -> None:
    holder, child = begin(tmp_path)
    try:
        with pytest.raises(StartError, match=f"process {holder.pid} since"), hold(tmp_path):
            pass
        holder.kill()
        holder.communicate()
        os.kill(child, 0)
        with hold(tmp_path):
            assert f"process {os.getpid()} since" in (tmp_path / LOCK_NAME).read_text()
    finally:
        os.kill(child, 9)


def test_closing_the_file_elsewhere_in_the_holder_releases_nothing(tmp_path: Path) -> None:
    with hold(tmp_path):
        (tmp_path / LOCK_NAME).read_text()
        command = [sys.executable, "-c", HOLDER, str(tmp_path)]
        refused = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert f"is in use by process {os.getpid()} since" in refused.stderr


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StartError, match=r"the directory .*file/up cannot be used: .*Not a directory"),
        hold(tmp_path / "file" / "up"),
    ):
        pass
