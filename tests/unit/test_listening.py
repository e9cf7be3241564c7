"""A port that is taken ends every process with one sentence and exit code 1."""

import os
import socket
import subprocess
import sys

import pytest
from starlette.applications import Starlette

from services.cli.errors import UserError
from services.cli.listening import listening, require_address
from services.http.server import CannotListen, serve_app
from services.local.ports import HOST, free_port
from streams.contracts.settings import Settings

AWAY = {"KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:1", "REDIS_URL": f"redis://{HOST}:1/0"}


def settings(**environ: str) -> Settings:
    return Settings.from_env(environ)


@pytest.mark.parametrize("process", ["gateway", "board", "herald", "worker"])
def test_a_taken_port_ends_a_process_with_one_sentence(process: str) -> None:
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
        argv = [sys.executable, "-m", "services.cli.main", process, "--port", str(port)]
        done = subprocess.run(
            argv,
            env=os.environ | AWAY,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    variable = f"ISONOMY_{process.upper()}_PORT"
    assert done.stderr == f"Error: port {port} of {HOST} is taken: --port or {variable} chooses another\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_a_port_that_is_taken_while_the_process_begins_is_the_same_sentence() -> None:
    """After it was looked at, and before the server listens."""
    asked = settings(ISONOMY_BOARD_PORT=str(free_port()))
    with pytest.raises(UserError, match=f"^port {asked.board_port} of {HOST} is taken: ") as refused:  # noqa: SIM117
        with listening(asked, "board"), socket.create_server((HOST, asked.board_port)):
            serve_app(Starlette(), HOST, asked.board_port, 1)
    assert refused.value.exit_code == 1


def test_a_server_that_cannot_listen_says_why_by_number() -> None:
    with socket.create_server((HOST, 0)) as held, pytest.raises(CannotListen) as refused:
        serve_app(Starlette(), HOST, held.getsockname()[1], 1)
    assert refused.value.errno is not None
    assert os.strerror(refused.value.errno) == "Address already in use"


def test_what_was_looked_at_is_free_again_for_the_server() -> None:
    asked = settings(ISONOMY_GATEWAY_PORT=str(free_port()))
    require_address(asked, "gateway")
    with socket.create_server((HOST, asked.gateway_port)):
        pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_ours_is_named_with_its_variable(host: str) -> None:
    with pytest.raises(UserError, match=rf"^{host} is no address of this machine to listen on \(ISONOMY_HOST\): .+"):
        require_address(settings(ISONOMY_HOST=host), "herald")
