"""Ports are free or their holder is named."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.local import ports
from services.local.ports import FIRST, HOST, LAST, free_port, is_free, require_free
from services.local.process import StartError


def test_a_free_port_is_outside_the_range_of_outgoing_connections() -> None:
    port = free_port()
    assert FIRST <= port <= LAST < 32_768
    require_free(port, "anything")


def test_processes_that_ask_at_the_same_time_get_different_ports() -> None:
    ask = "from services.local.ports import free_port; print(*(free_port() for _ in range(300)))"
    asking = [subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [port for process in asking for port in process.communicate(timeout=60)[0].split()]
    assert len(given) == len(set(given)) == 900


def test_after_the_last_port_comes_the_first_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "TURNS", tmp_path / "turns")
    monkeypatch.setattr(ports, "is_free", lambda port: port not in (LAST, FIRST))
    for said in (str(LAST - 1), str(10**9), "not a number", ""):
        ports.TURNS.write_text(said)
        assert FIRST < free_port() < LAST
    ports.TURNS.write_text(str(LAST - 1))
    assert [free_port(), free_port()] == [FIRST + 1, FIRST + 2]


def test_a_file_of_turns_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "TURNS", tmp_path / "nowhere" / "turns")
    with pytest.raises(StartError, match=r"cannot record in .*turns which port was used last: .*No such file"):
        free_port()


def test_a_held_port_is_reported_with_its_holder() -> None:
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
        assert not is_free(port)
        expected = re.escape(f"broker cannot listen on {HOST}:{port}: it is in use by process {os.getpid()} (")
        with pytest.raises(StartError, match=expected):
            require_free(port, "broker")


def test_a_port_held_on_all_addresses_is_not_free() -> None:
    with socket.create_server(("0.0.0.0", 0)) as held:
        assert not is_free(held.getsockname()[1])
