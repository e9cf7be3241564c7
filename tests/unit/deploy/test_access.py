"""Who may do what: the users in the documents are those of the code, and the real Redis takes them."""

import socket
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from services.local.ports import HOST
from services.local.redis import RedisServer
from streams.contracts.access import KAFKA, redis_users
from streams.contracts.topics import TOPICS
from tests.support.checkers import DEPLOY, REPOSITORY, run


def test_the_users_of_redis_in_the_documents_are_those_of_the_code() -> None:
    page = (REPOSITORY / "docs" / "operations" / "security.md").read_text()
    written = [line for line in page.splitlines() if line.startswith("user ")]
    assert written == [f"user {name} on {rules}" for name, rules in redis_users("isonomy")]


def test_grants_name_topics_that_exist() -> None:
    names = {topic.name for topic in TOPICS} | {""}
    assert {grant.name for grants in KAFKA.values() for grant in grants if grant.resource == "topic"} <= names


@pytest.mark.integration
def test_redis_takes_the_users_that_make_secrets_makes_and_lets_them_do_no_more(tmp_path: Path) -> None:
    assert run(DEPLOY / "make-secrets", tmp_path / "secrets").returncode == 0

    class Closed(RedisServer):
        def argv(self) -> list[str]:
            return [*super().argv(), "--aclfile", str(tmp_path / "secrets" / "redis.users")]

        def answers(self) -> bool:
            with socket.create_connection((HOST, self.port), 2.0):  # PING is answered NOAUTH
                return True

    with Closed(tmp_path / "redis") as server:
        password = (tmp_path / "secrets" / "redis.board").read_text().strip()
        with Redis.from_url(server.url, username="board", password=password) as board:
            assert board.ping()
            assert board.get("isonomy:x") is None
            for refused in (lambda: board.set("isonomy:x", "1"), lambda: board.get("other"), board.flushall):
                with pytest.raises(NoPermissionError):
                    refused()
