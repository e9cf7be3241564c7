"""`isonomy subscribe create` prints what the board warns of."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from services.cli.subscribe import command

MADE = {"id": "sub_1", "secret": None, "confirmation": None}


@pytest.fixture
def answers() -> Iterator[tuple[str, dict[str, object]]]:
    """An endpoint that answers each POST with the entry of the dictionary."""
    made: dict[str, object] = dict(MADE)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is the library's
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(made).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", made
        server.shutdown()
        thread.join()


def test_warnings_are_printed_and_do_nothing_to_a_terminal(answers: tuple[str, dict[str, object]]) -> None:
    url, made = answers
    made["warnings"] = ["match.models: 'x\x1b[2J' is shown in no arena"]
    call = ["--board", url, "create", "https://hooks.example.com/", "--model", "x"]
    done = CliRunner().invoke(command, call, env={"ISONOMY_KEY": "isonomy_k"})
    assert done.exit_code == 0, done.output
    assert done.stderr == "warning: match.models: 'x\\x1b[2J' is shown in no arena\n"
    assert done.stdout == "subscription: sub_1\n"


def test_an_older_board_warns_of_nothing(answers: tuple[str, dict[str, object]]) -> None:
    url, _ = answers
    call = ["--board", url, "create", "https://hooks.example.com/"]
    done = CliRunner().invoke(command, call, env={"ISONOMY_KEY": "isonomy_k"})
    assert (done.exit_code, done.stderr) == (0, "")
