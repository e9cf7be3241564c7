"""`isonomy up` uses the requested ports, and avoids ports in use for the others."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.local.lock import hold
from services.local.ports import HOST, WantedPort, choose_ports, free_port, wishes_of_processes
from services.local.process import StartError
from streams.contracts.settings import Settings

UP = [sys.executable, "-m", "services.cli.main", "up"]


def refused(*options: str, **environ: str) -> str:
    """What `isonomy up` says as it refuses to begin."""
    clean = {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL")}
    done = subprocess.run([*UP, *options], env=clean | environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr


def test_what_was_asked_for_is_given_and_the_usual_ports_give_way() -> None:
    asked, other = free_port(), free_port()
    with socket.create_server((HOST, 0)) as held:
        wishes = {
            "usual": WantedPort(asked),
            "asked": WantedPort(asked, "--port"),
            "taken": WantedPort(held.getsockname()[1]),
            "twice": WantedPort(other),
            "again": WantedPort(other),
            "any": WantedPort(0, "--any"),
        }
        chosen = choose_ports(wishes)
        assert chosen.keys() == wishes.keys()
        assert (chosen["asked"], chosen["twice"]) == (asked, other)
        assert len({*chosen.values(), held.getsockname()[1], 0}) == len(wishes) + 2


def test_what_is_asked_for_twice_is_refused() -> None:
    port = free_port()
    with pytest.raises(StartError, match=f"^port {port} is asked for twice: by --a and by --b$"):
        choose_ports({"a": WantedPort(port, "--a"), "b": WantedPort(port, "--b")})


def test_a_second_worker_has_no_port_beyond_the_last() -> None:
    environ = {"ISONOMY_WORKER_PORT": "65535"}
    with pytest.raises(StartError, match=r"^port 65536 of the worker-2 does not exist: ISONOMY_WORKER_PORT chooses"):
        choose_ports({"worker-2": wishes_of_processes(Settings.from_env(environ), environ, 2)["worker-2"]})


def test_a_port_was_asked_for_when_its_variable_is_set() -> None:
    environ = {"ISONOMY_WORKER_PORT": "21000", "ISONOMY_HERALD_PORT": "", "ISONOMY_BOARD_PORT": "0"}
    assert wishes_of_processes(Settings.from_env(environ), environ, 2) == {
        "board": WantedPort(0, "ISONOMY_BOARD_PORT"),
        "gateway": WantedPort(8080),
        "worker-1": WantedPort(21000, "ISONOMY_WORKER_PORT"),
        "worker-2": WantedPort(21001, "ISONOMY_WORKER_PORT"),
        "herald": WantedPort(8083),
    }


def test_any_port_for_the_first_worker_is_any_port_for_all() -> None:
    environ = {"ISONOMY_WORKER_PORT": "0"}
    wishes = wishes_of_processes(Settings.from_env(environ), environ, 3)
    assert [wishes[f"worker-{number}"].port for number in (1, 2, 3)] == [0, 0, 0]


def test_a_second_up_in_a_directory_says_who_has_it(tmp_path: Path) -> None:
    with hold(tmp_path):
        said = refused("--directory", str(tmp_path))
    pattern = rf"Error: the directory {re.escape(str(tmp_path))} is in use by process {os.getpid()} since .* UTC\n"
    assert re.fullmatch(pattern, said), said
    assert [path.name for path in tmp_path.iterdir()] == ["up.lock"]


@pytest.mark.parametrize(
    ("name", "chooses"),
    [
        ("broker", "--broker-port or ISONOMY_BROKER_PORT"),
        ("redis", "--redis-port or ISONOMY_REDIS_PORT"),
        ("board", "ISONOMY_BOARD_PORT"),
    ],
)
def test_a_port_that_was_asked_for_and_is_taken_is_one_sentence(tmp_path: Path, name: str, chooses: str) -> None:
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
        said = refused("--directory", str(tmp_path), **{chooses.rpartition(" ")[2]: str(port)})
    assert said == f"Error: port {port} of the {name} is taken: {chooses} chooses another\n"


def test_a_port_for_a_server_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    said = refused("--directory", str(tmp_path), "--redis-port", "6390", REDIS_URL="redis://127.0.0.1:1/0")
    assert "is for a local server, but REDIS_URL names another" in said


def test_a_directory_is_free_again_when_up_has_ended(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as held:
        refused("--directory", str(tmp_path), "--broker-port", str(held.getsockname()[1]))
    with hold(tmp_path):
        pass
