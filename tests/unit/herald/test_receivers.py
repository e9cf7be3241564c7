"""The receivers that the tutorial shows believe what we sign and nothing else; each runs as a reader would run it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.herald.channels.signing import new_secret, read_secret, sign, signed_headers
from services.herald.rules.payload import webhook_body
from services.local.ports import free_port
from streams.contracts.alert import Alert, Kind, Severity, Status, Subject
from streams.contracts.subscription import Secret
from tests.support.eventually import eventually

PAGE = Path(__file__).parents[3] / "docs" / "tutorial" / "webhooks.md"
ALERT = Alert(
    id="1",
    fingerprint="2",
    arena="text",
    kind=Kind.SILENT_REMOVAL,
    severity=Severity.CRITICAL,
    status=Status.FIRING,
    subject=Subject(model="größe-1"),
    starts_at=1767225600.0,
    detected_at=1767225601.0,
    summary="größe-1 is gone",
    evidence={},
    runbook_url="https://arena.example/runbook",
    version=1,
)
BODY = webhook_body([ALERT], "mine", "https://arena.example")
MIB = 2**20

pytestmark = pytest.mark.timeout(900)  # Go builds its own library the first time: half a minute of one core


def programs(language: str) -> list[str]:
    """Fenced blocks of the page in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module", params=["python", "js", "go"])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """What starts the receiver of a language."""
    language = request.param
    program = programs(language)[0]
    if language == "python":
        return [sys.executable, "-c", program]
    tool = shutil.which({"js": "node", "go": "go"}[language])
    if tool is None:
        pytest.skip(f"there is no {language} here")
    directory = tmp_path_factory.mktemp(language)
    if language == "js":
        (directory / "receiver.mjs").write_text(program, "utf-8")
        return [tool, directory / "receiver.mjs"]
    (directory / "receiver.go").write_text(program, "utf-8")
    subprocess.run(
        [tool, "build", "-o", "receiver", "receiver.go"],
        cwd=directory,
        env={**os.environ, "CGO_ENABLED": "0"},  # net without a C compiler
        check=True,
        timeout=800,
    )
    return [directory / "receiver"]


def post(port: int, headers: dict[str, str], body: bytes) -> int | None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None  # nobody listens yet


def raw_status(port: int, request: bytes) -> int | None:
    """Send a request and end the sending side, as a client that gives up does; None if no status comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer.readline())
    return int(found[1]) if found else None


def head(*lines: str, headers: dict[str, str] | None = None) -> bytes:
    """Head of a POST."""
    fields = [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(["POST / HTTP/1.1", "Host: localhost", *lines, *fields, "", ""]).encode()


def environment(secret: str | None, port: int) -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if name != "WEBHOOK_SECRET"}
    given = {} if secret is None else {"WEBHOOK_SECRET": secret}
    return {**rest, **given, "PORT": str(port), "PYTHONIOENCODING": "utf-8"}


@contextmanager
def running(command: list[str | Path], secret: str, port: int, printed: Path) -> Iterator[None]:
    """Run the receiver, wait until it answers, and check that it still runs at the end."""
    with printed.open("w") as file:
        receiver = subprocess.Popen(command, env=environment(secret, port), stdout=file)
    try:
        assert eventually(lambda: post(port, {}, BODY)) == 401
        yield
        assert receiver.poll() is None
    finally:
        receiver.terminate()
        receiver.wait(10)


def test_a_receiver_believes_what_we_sign_and_nothing_else(command: list[str | Path], tmp_path: Path) -> None:
    secret, port, now = new_secret(), free_port(), datetime.now(UTC).timestamp()

    def signed(body: bytes = BODY, secrets: Sequence[str] = (secret,), time: float = now) -> dict[str, str]:
        return signed_headers([Secret(each) for each in secrets], "msg_1", time, body)

    with running(command, secret, port, tmp_path / "printed"):
        assert post(port, signed(), BODY) == 204
        assert post(port, signed(secrets=[new_secret(), secret]), BODY) == 204
        assert post(port, signed(secrets=[new_secret()]), BODY) == 401
        assert post(port, signed(), BODY.replace(b"gone", b"here")) == 401
        assert post(port, signed() | {"webhook-id": "msg_2"}, BODY) == 401
        for signature in ("v1,", "v1", "abc", "v1,a,b", "v2,AAAA"):
            assert post(port, signed() | {"webhook-signature": signature}, BODY) == 401, signature
        for time in (now - 400, now + 400):
            assert post(port, signed(time=time), BODY) == 401
    assert (tmp_path / "printed").read_text("utf-8").splitlines() == ["firing größe-1 is gone"] * 2


def test_malformed_requests_do_not_end_a_receiver(command: list[str | Path], tmp_path: Path) -> None:
    secret, port, now = new_secret(), free_port(), datetime.now(UTC).timestamp()

    def signed(body: bytes) -> dict[str, str]:
        return signed_headers([Secret(secret)], "msg_1", now, body)

    with running(command, secret, port, tmp_path / "printed"):
        requests = {
            "incomplete": (head("Content-Length: 100") + b"{}", 400),
            "no length": (head(headers=signed(b"")), 411),
            "chunked": (head("Transfer-Encoding: chunked", headers=signed(b"{}")) + b"2\r\n{}\r\n0\r\n\r\n", 411),
            "length in words": (head("Content-Length: two") + b"{}", 400),
            "negative length": (head("Content-Length: -2") + b"{}", 400),
            "too large": (head(f"Content-Length: {MIB + 1}"), 413),
        }
        for name, (request, status) in requests.items():
            assert raw_status(port, request) == status, name
        for body in (b"no JSON", b"{", b"[]", b'"text"', b"{}", b'{"status": "firing", "alerts": null}'):
            assert post(port, signed(body), body) == 400, body
        largest = BODY + b" " * (MIB - len(BODY))
        assert post(port, signed(largest), largest) == 204
    assert (tmp_path / "printed").read_text("utf-8").splitlines() == ["firing größe-1 is gone"]


def test_a_silent_client_does_not_hold_up_the_others_and_is_cut_off(command: list[str | Path], tmp_path: Path) -> None:
    secret, port, now = new_secret(), free_port(), datetime.now(UTC).timestamp()
    with (
        running(command, secret, port, tmp_path / "printed"),
        socket.create_connection(("127.0.0.1", port), timeout=60) as silent,
        socket.create_connection(("127.0.0.1", port), timeout=60) as half,
    ):
        half.sendall(head("Content-Length: 100") + b"{}")
        assert post(port, signed_headers([Secret(secret)], "msg_1", now, BODY), BODY) == 204
        for client in (silent, half):
            while client.recv(1024):  # a last answer, such as 408, and then the end
                pass


@pytest.mark.parametrize("secret", [None, "", "whsec_", "whsec_%%%"])
def test_a_receiver_does_not_start_without_a_secret(command: list[str | Path], secret: str | None) -> None:
    ended = subprocess.run(command, env=environment(secret, free_port()), capture_output=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert b"secret" in ended.stderr.lower()


def test_the_page_s_sender_sends_the_page_s_message(command: list[str | Path], tmp_path: Path) -> None:
    (message,) = programs("json")
    assert json.loads(message) == json.loads(BODY)
    (tmp_path / "message.json").write_text(message, "utf-8")
    secret, port = vector()["secret"], free_port()
    with running(command, secret, port, tmp_path / "printed"):
        sender = [sys.executable, "-c", programs("python")[1]]
        sent = subprocess.check_output(sender, cwd=tmp_path, env=environment(secret, port), text=True, timeout=30)
        assert sent == "204\n"
        old = {name: value for name, value in vector().items() if name.startswith("webhook-")}
        assert post(port, old, vector()["body"].encode()) == 401
    assert (tmp_path / "printed").read_text("utf-8") == "firing größe-1 is gone\n"


def vector() -> dict[str, str]:
    """The page's test vector."""
    return dict(re.findall(r"^\| `?([a-z-]+)`? \| `(.+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE))


def test_the_page_s_vector_is_what_we_sign() -> None:
    given = vector()
    key, timestamp = read_secret(given["secret"]), int(given["webhook-timestamp"])
    assert sign(key, given["webhook-id"], timestamp, given["body"].encode()) == given["webhook-signature"]
