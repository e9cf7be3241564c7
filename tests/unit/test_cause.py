"""The cause of a crash is the last line of what a process says."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette

from services.herald.app import Fate, create_herald
from services.herald.leader_election import Herald
from services.http.server import serve_app
from services.local.ports import HOST, free_port
from streams.app import create_app
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings

CRASH = """
import asyncio, sys
import click
from services.cli import main

@click.command()
def command():
    class Client:
        def __del__(self):
            print("unclosed client", file=sys.stderr)
    client = Client()
    client.itself = client
    raise ExceptionGroup("several", [ValueError("a number\\n\\x1b[31mover two lines"), KeyError("k")])

main.cli.get_command = lambda *_: command
main.main(["rate"])
"""
"""A command that fails with an error whose own trace ends in a frame, and with a client that complains later."""


def test_a_command_that_fails_says_its_cause_last() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, timeout=60, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[-1] == r"Error: ValueError: a number \x1b[31mover two lines"
    assert "unclosed client" in lines[:-1]
    assert any(line.strip().startswith("+ Exception Group Traceback") for line in lines)


@pytest.mark.parametrize("fails_at", ["startup", "shutdown"])
def test_a_server_whose_lifespan_fails_ends_with_1_and_its_cause_last(
    fails_at: str, caplog: pytest.LogCaptureFixture
) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if fails_at == "shutdown":
            threading.Timer(0.1, signal.raise_signal, (signal.SIGTERM,)).start()
            yield
        raise OSError("no such file: models.toml")

    with pytest.raises(SystemExit) as ended:
        serve_app(Starlette(lifespan=lifespan), HOST, free_port(), 1)
    assert ended.value.code == 1
    assert caplog.messages[-1] == "this process failed: OSError: no such file: models.toml"


async def test_a_herald_that_fails_leaves_type_and_message_for_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: Herald) -> None:
        raise KeyError("subscription")  # whose message alone would be one word in quotes

    monkeypatch.setattr(Herald, "run", run)
    fate, ended = Fate(), asyncio.Event()
    app = create_herald(Settings(), Metrics(), fate, ended.set)
    async with app.router.lifespan_context(app), asyncio.timeout(10):
        await ended.wait()
    assert fate.why == "KeyError: 'subscription'"


def test_a_worker_says_what_failed_when_it_was_no_stage(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(), Metrics(), ["fairness"])
    app.say_cause(None)
    assert caplog.messages == []
    app.say_cause(OSError("address already in use"))
    assert caplog.messages == ["this worker failed: OSError: address already in use"]
