"""The receivers that the tutorial shows believe what we sign and nothing else; each runs as a reader would run it."""

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.herald.channels.signing import new_secret, signed_headers
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
    starts_at=1.0,
    detected_at=2.0,
    summary="größe-1 is gone",
    evidence={},
    runbook_url="https://arena.example/runbook",
    version=1,
)
BODY = webhook_body([ALERT], "mine", "https://arena.example")


@pytest.fixture(params=["python", "js", "go"])
def command(request: pytest.FixtureRequest, tmp_path: Path):
    """What starts the receiver of a language."""
    language = request.param
    (program,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if language == "python":
        return [sys.executable, "-c", program]
    tool = shutil.which({"js": "node", "go": "go"}[language])
    if tool is None:
        pytest.skip(f"there is no {language} here")
    if language == "js":
        (tmp_path / "receiver.mjs").write_text(program, "utf-8")
        return [tool, tmp_path / "receiver.mjs"]
    (tmp_path / "receiver.go").write_text(program, "utf-8")
    subprocess.run(
        [tool, "build", "-o", "receiver", "receiver.go"],
        cwd=tmp_path,
        env={**os.environ, "CGO_ENABLED": "0"},  # net without a C compiler
        check=True,
        timeout=800,
    )
    return [tmp_path / "receiver"]


def post(port: int, headers: dict[str, str], body: bytes) -> int | None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None  # nobody listens yet


@pytest.mark.timeout(900)  # Go builds its own library the first time: half a minute of one core
def test_a_receiver_believes_what_we_sign_and_nothing_else(command, tmp_path: Path) -> None:
    secret, port, now = new_secret(), free_port(), datetime.now(UTC).timestamp()

    def signed(body: bytes = BODY, secrets: Sequence[str] = (secret,), time: float = now) -> dict[str, str]:
        return signed_headers([Secret(each) for each in secrets], "msg_1", time, body)

    with (tmp_path / "printed").open("w") as printed:
        environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port), "PYTHONIOENCODING": "utf-8"}
        receiver = subprocess.Popen(command, env=environment, stdout=printed)
    try:
        assert eventually(lambda: post(port, {}, BODY)) == 401
        assert post(port, signed(), BODY) == 204
        assert post(port, signed(secrets=[new_secret(), secret]), BODY) == 204
        assert post(port, signed(secrets=[new_secret()]), BODY) == 401
        assert post(port, signed(), BODY.replace(b"gone", b"here")) == 401
        assert post(port, signed() | {"webhook-id": "msg_2"}, BODY) == 401
        assert post(port, signed() | {"webhook-signature": "v1,"}, BODY) == 401
        for time in (now - 400, now + 400):
            assert post(port, signed(time=time), BODY) == 401
    finally:
        receiver.terminate()
        receiver.wait(10)
    assert (tmp_path / "printed").read_text("utf-8").splitlines() == ["firing größe-1 is gone"] * 2
