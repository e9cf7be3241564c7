"""Schemathesis finds no difference between gateway and board and their OpenAPI documents."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from services.http.api_keys import new_key
from services.local.ports import HOST, free_port
from tests.support.board import BoardProcess
from tests.support.fork_server import ForkedProcess
from tests.support.gateway import REPOSITORY, gateway_process
from tests.support.pipeline import Pipeline
from tests.support.views import alert, alerts_view, board, fairness_view

EXAMPLES = int(os.environ.get("ISONOMY_TEST_EXAMPLES", "10"))
"""Of each operation; the document's own boundaries come beside them."""
WITHIN = 120.0 + EXAMPLES
"""Seconds; on two idle processors it takes a tenth of that."""
UNHURRIED = {
    "ISONOMY_RATE_LIMIT": "0",
    "ISONOMY_KEY_ARENAS": "0",
    "ISONOMY_KEY_MODELS": "0",
    "ISONOMY_KEY_NAMES": "0",
    "ISONOMY_QUARANTINE_SHARE": "1",
}
"""What a key may do is tested elsewhere; here one key sends whatever there is."""
BOARD = (
    "import os; from services.herald.api import routes; from services.board.app import serve; "
    "from streams.contracts.settings import Settings; "
    "routes.CALLS_PER_SECOND = routes.CALLS_AT_ONCE = routes.TESTS_PER_SECOND = routes.TESTS_AT_ONCE = 1e6; "
    "serve(Settings.from_env(os.environ))"
)
"""A board whose rates are as wide: they are constants."""


@cache
def schemathesis() -> Path:
    """The program, installed once by deploy/ensure-set; skips the test where it cannot be had."""
    done = subprocess.run(
        [REPOSITORY / "deploy/ensure-set", "schemathesis"], capture_output=True, text=True, timeout=280, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"deploy/ensure-set cannot install: {done.stderr.strip()[-300:]}")
    return Path(done.stdout.strip()) / "bin" / "st"


@dataclass
class Door:
    """A server, where it describes itself, and the bearer key."""

    url: str
    secret: str

    def hold_against_its_document(self, examples: int, seed: int = 1, secret: str | None = None) -> int:
        """Run all checks; returns the number of requests that were made up, and fails with what was found."""
        config = ["--config-file", "tests/openapi/schemathesis.toml"]
        chosen = ["--checks", "all", "--max-examples", str(examples), "--seed", str(seed)]
        done = subprocess.run(
            [schemathesis(), *config, "run", f"{self.url}/openapi.json", *chosen],
            cwd=REPOSITORY,
            env={**os.environ, "ISONOMY_TEST_KEY": secret or self.secret, "NO_PROXY": "*", "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
        made = re.search(r"(\d+) generated", done.stdout)
        assert made is not None, done.stdout
        return int(made[1])


@pytest.fixture
def gateway(pipeline: Pipeline, tmp_path: Path) -> Iterator[Door]:
    pipeline.create_topics()
    made = gateway_process(pipeline.bootstrap, pipeline.topic_prefix, tmp_path, **UNHURRIED)
    with made.process:
        made.wait("/readyz")
        yield Door(made.url, made.headers["Authorization"].removeprefix("Bearer "))
        assert made.process.alive
        assert "Traceback" not in made.log()


@pytest.fixture
def subscribers(pipeline: Pipeline, tmp_path: Path) -> Iterator[Door]:
    """A board with an arena in Redis, and subscriptions."""
    pipeline.create_topics()
    keys = pipeline.settings.redis.keys
    with pipeline.redis as redis:
        redis.sadd(keys.boards("text"), "overall")
        redis.set(keys.board("text", "overall"), board())
        redis.set(keys.fairness("text"), fairness_view())
        redis.set(keys.alerts("text"), alerts_view(alert()))
        redis.sadd(keys.arenas, "text")
    secret, line = new_key("subscriber", "*")
    (tmp_path / "subscribers").write_text(f"{line}\n")
    port = free_port()
    own = {"ISONOMY_BOARD_PORT": str(port), "ISONOMY_SUBSCRIBER_KEYS_FILE": str(tmp_path / "subscribers")}
    wide = {"ISONOMY_ALLOW_PRIVATE": "1", "ISONOMY_KEY_SUBSCRIPTIONS": "1000000"}
    env = {**pipeline.environment, **own, **wide}
    command = [sys.executable, "-c", BOARD]
    made = BoardProcess(ForkedProcess("board", command, log_path=tmp_path / "board.log", env=env, cwd=REPOSITORY), port)
    with made.process:
        made.wait().wait("/v1/arenas/text/leaderboard")
        yield Door(f"http://{HOST}:{port}", secret)
        assert made.process.alive
        assert "Traceback" not in made.process.log_path.read_text()


def test_the_gateway_does_what_its_document_says(gateway: Door) -> None:
    assert gateway.hold_against_its_document(EXAMPLES) > 300
    assert gateway.hold_against_its_document(1 + EXAMPLES // 10, secret="isonomy_nobody") > 100


def test_the_board_and_its_subscriptions_do_what_their_document_says(subscribers: Door) -> None:
    assert subscribers.hold_against_its_document(EXAMPLES) > 500
    assert subscribers.hold_against_its_document(1 + EXAMPLES // 10, secret="isonomy_nobody") > 200
