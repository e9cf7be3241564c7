"""What is looked at before a process begins, and while others are waited for."""

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from services.cli import up
from services.cli.admission import require_codecs
from services.cli.errors import UserError
from services.cli.main import cli
from services.local.ports import HOST, free_port
from services.local.supervisor import ChildEvent, ChildReport


def test_a_worker_without_the_library_of_the_codecs_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    require_codecs()
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    with pytest.raises(UserError, match="cramjam cannot be imported"):
        require_codecs()


@pytest.mark.parametrize(("options", "level"), [([], logging.ERROR), (["-v"], logging.DEBUG)])
def test_a_busy_processor_writes_no_warnings_of_a_library(options: list[str], level: int) -> None:
    loggers = [
        logging.getLogger(name) for name in ("aiokafka", "kafka", "faust", "mode", "asyncio", "kafka.net.selector")
    ]
    before = [each.level for each in loggers]
    try:
        loggers[-1].setLevel(logging.NOTSET)
        assert CliRunner().invoke(cli, [*options, "board", "--help"]).exit_code == 0
        assert loggers[-1].getEffectiveLevel() == level
    finally:
        for each, was in zip(loggers, before, strict=True):
            each.setLevel(was)


class Answers(BaseHTTPRequestHandler):
    """What /readyz says."""

    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer((HOST, 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}/readyz"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b'{"ready": true}', (True, "")),
        (503, b'{"ready": false, "doing": {"intake": "35 %"}}', (False, "{'intake': '35 %'}")),
        (503, b'{"ready": false, "doing": {}}', (False, "")),
        (503, b'{"ready": false}', (False, "")),
        (503, b"[]", (False, "")),
        (503, b"no JSON", (False, "")),
    ],
)
def test_a_process_says_what_long_take_over_it_is_at(
    url: str, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, told: tuple[bool, str]
) -> None:
    monkeypatch.setattr(Answers, "status", status)
    monkeypatch.setattr(Answers, "body", body)
    assert up._ask(url) == told


def test_a_process_that_does_not_answer_says_nothing() -> None:
    assert up._ask(f"http://{HOST}:{free_port()}/readyz") == (False, "")


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (
            ChildReport("board", ChildEvent.EXITED, 0, 1, 0.2, "Error: port 8081 is taken"),
            "board exited with 1; starting it again in 0.2 s; its last line: Error: port 8081 is taken\n",
        ),
        (ChildReport("board", ChildEvent.EXITED, 0, -9, 0.0, ""), "board exited with -9; starting it again in 0.0 s\n"),
        (
            ChildReport("board", ChildEvent.EXITED, 0, 1, 0.2, "\x1b[2J"),
            "board exited with 1; starting it again in 0.2 s; its last line: \\x1b[2J\n",
        ),
        (
            ChildReport("redis", ChildEvent.START_FAILED, 1, None, 0.2, "no\nport"),
            "redis start failed; starting it again in 0.2 s: no\nport\n",
        ),
        (ChildReport("board", ChildEvent.STOPPED, 0, 0), ""),
    ],
)
def test_what_happens_to_a_child_is_told_with_its_last_line(
    report: ChildReport, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    up._tell(report)
    assert capsys.readouterr().err == told
