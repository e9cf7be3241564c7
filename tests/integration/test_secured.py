"""Kafka with SASL, TLS and an authorizer, Redis with TLS and ACL users: the whole way of a vote, each process with the
least that `streams.contracts.access` grants it, and a sentence for whoever is not let in.

Redis alone is tested on the embedded broker, both together where the tests run on Apache Kafka.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from kafka import KafkaProducer, TopicPartition
from redis import Redis

from services.http.api_keys import new_key
from services.local.process import StartError
from streams.contracts.access import REDIS
from streams.contracts.alert import encode_alert
from streams.contracts.topics import ALERTS
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.gateway import GatewayProcess, gateway_process
from tests.support.herald import make_alert
from tests.support.pipeline import Pipeline
from tests.support.secured import CERTIFIED, PASSWORDS, SecuredKafka, SecuredRedis, password_of, served, written
from tests.support.stack import TestBroker
from tests.support.topics import admin

VOTES = [
    {"id": f"vote-{i}", "model_a": "x", "model_b": "y", "winner": ("model_a", "model_b", "tie")[i % 3]}
    for i in range(60)
]
As = Callable[..., Pipeline]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def redis(tmp_path: Path, authority: Authority, redis_prefix: str) -> Iterator[SecuredRedis]:
    server = SecuredRedis(tmp_path / "redis", authority, redis_prefix)
    try:
        server.start()
    except StartError as error:
        if "tls-port" in str(error):
            pytest.skip("this redis-server is built without TLS")
        raise
    try:
        yield server
    finally:
        server.terminate()


@pytest.fixture
def administrator(redis: SecuredRedis) -> Iterator[Redis]:
    with Redis.from_url(
        f"rediss://admin:@localhost:{redis.port}/0", ssl_ca_certs=str(redis.authority.file), password="any"
    ) as client:
        yield client


@pytest.fixture(scope="module")
def secured_kafka(
    broker: TestBroker, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecuredKafka]:
    if broker.kind != "kafka" or broker.server is None:
        pytest.skip("the embedded broker knows neither SASL nor TLS: make test-kafka")
    with SecuredKafka(tmp_path_factory.mktemp("secured"), authority) as node:
        yield node


@pytest.fixture
def kafka(secured_kafka: SecuredKafka, topic_prefix: str) -> SecuredKafka:
    secured_kafka.admit(topic_prefix)
    return secured_kafka


@pytest.fixture
def over_redis(broker: TestBroker, redis: SecuredRedis, topic_prefix: str, tmp_path: Path) -> Iterator[As]:
    """Processes that log in to Redis, on the plain broker."""
    if broker.kind == "kafka":
        pytest.skip("the whole way over Apache Kafka leads through the same Redis")
    made: list[Pipeline] = []

    def make(user: str, password: str | None = None) -> Pipeline:
        secret = written(tmp_path, f"redis-{user}", password or password_of(user))
        environ = redis.environment(user, secret)
        made.append(Pipeline(broker.bootstrap, "", topic_prefix, redis.prefix, tmp_path, environ))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.stop()


@pytest.fixture
def over_both(kafka: SecuredKafka, redis: SecuredRedis, topic_prefix: str, tmp_path: Path) -> Iterator[As]:
    """Processes that log in to Kafka and to Redis."""
    made: list[Pipeline] = []

    def make(user: str, password: str | None = None) -> Pipeline:
        environ = kafka.environment(user, written(tmp_path, f"kafka-{user}", password or PASSWORDS[user]))
        if user in REDIS:
            environ |= redis.environment(user, written(tmp_path, f"redis-{user}", password_of(user)))
        made.append(Pipeline(kafka.bootstrap, "", topic_prefix, redis.prefix, tmp_path, environ))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.stop()


def counted(pipeline: Pipeline, administrator: Redis, battles: int) -> None:
    key = pipeline.settings.redis.keys.board("text", "overall")
    eventually(lambda: json.loads(administrator.get(key) or b'{"battles": 0}')["battles"] == battles, deadline=60)


def refused(pipeline: Pipeline, *command: str) -> str:
    """The output of a command whose login is refused: one sentence, exit code 1, no stack trace, no secret."""
    done = pipeline.isonomy(*command, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(sentences) == 1, done.stderr
    for path in pipeline.directory.glob("*-*"):
        if path.is_file():
            assert path.read_text().strip() not in done.stderr + done.stdout
    return sentences[0]


def test_votes_are_counted_through_a_redis_with_tls_by_users_with_the_least_rights(
    over_redis: As, administrator: Redis
) -> None:
    worker, operator = over_redis("worker"), over_redis("operator")
    worker.create_topics()
    process = worker.worker("worker", "intake,ratings,fairness").start().wait_ready()
    worker.produce([{**vote, "tstamp": time.time()} for vote in VOTES])
    counted(worker, administrator, len(VOTES))
    with served(over_redis("board"), "board") as board:
        assert eventually(lambda: board.get("/v1/arenas/text/leaderboard").json()["votes"]) == len(VOTES)
    keys = worker.settings.redis.keys
    eventually(lambda: administrator.hget(keys.state("text", "ratings"), "epoch"))
    [told] = json.loads(operator.isonomy("alerts", "--format", "json").stdout)["arenas"]
    assert (told["arena"], told["alerts"]) == ("text", 0)
    assert "dropped the state of text" in operator.isonomy("rebuild").stdout
    # The fold is fenced off, as any former owner, and begun anew.
    eventually(lambda: "ratings: arena text has a newer owner" in process.log(), deadline=30)
    process.wait_ready()
    assert process.stop() == 0
    again = worker.worker("again", "intake,ratings,fairness").start().wait_ready()
    counted(worker, administrator, len(VOTES))
    assert again.stop() == 0
    assert [entry for entry in administrator.acl_log() if entry["reason"] != "auth"] == []


def test_a_password_that_redis_does_not_take_ends_a_process_with_a_sentence(over_redis: As) -> None:
    stranger = over_redis("worker", "not the password")
    for command in (["worker"], ["alerts"]):
        said = refused(stranger, *command)
        assert "invalid username-password pair" in said, said


def test_a_redis_that_nobody_we_trust_vouches_for_is_refused(over_redis: As, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    worker = over_redis("worker")
    worker.environ = {**worker.environ, "REDIS_CA_FILE": str(Authority(tmp_path / "other").file)}
    assert "TLS failed with Redis at rediss://localhost" in refused(worker, "worker")


def test_a_vote_goes_all_the_way_each_process_with_its_own_rights(
    over_both: As, kafka: SecuredKafka, administrator: Redis, topic_prefix: str, tmp_path: Path
) -> None:
    operator, worker = over_both("operator"), over_both("worker")
    operator.isonomy("topics")
    operator.isonomy("topics", "--check")
    gateway = gateway_of(over_both("gateway"), topic_prefix, tmp_path)
    process = worker.worker("worker", "intake,ratings,fairness")
    with gateway.process:
        process.start()
        gateway.wait("/readyz")
        process.wait_ready()
        body = [{**vote, "tstamp": time.time()} for vote in VOTES]
        with gateway.client() as client:
            assert client.post("/v1/votes", json=body).json()["accepted"] == len(VOTES)
            declared = {"provider": "p", "license": "open_weight", "visibility": "public", "status": "active"}
            assert client.put("/v1/arenas/text/models/x", json={**declared, "weight": 1}).status_code == 202
        counted(worker, administrator, len(VOTES))
    more = tmp_path / "votes.jsonl"
    more.write_text("".join(json.dumps({**vote, "id": f"more-{vote['id']}", "tstamp": 1.0}) + "\n" for vote in VOTES))
    operator.isonomy("replay", str(more), "--follow")
    counted(worker, administrator, 2 * len(VOTES))
    secret, line = new_key("subscriber", "*")
    keys = {"ISONOMY_SUBSCRIBER_KEYS_FILE": str(written(tmp_path, "subscriber", line))}
    allowed = {"ISONOMY_ALLOW_PRIVATE": "true"}
    with (
        served(over_both("herald"), "herald", **allowed),
        served(over_both("board"), "board", **keys, **allowed) as board,
    ):
        eventually(lambda: "took over" in (tmp_path / "herald.log").read_text(), deadline=60)
        assert eventually(lambda: board.get("/v1/arenas/text/leaderboard").json()["votes"]) == 2 * len(VOTES)
        assert board.get("/v1/arenas/text/alerts").status_code == 200
        eventually(lambda: board.get("/readyz").json()["kafka"] == "followed")
        may_subscribe(board, secret, kafka, f"{topic_prefix}{ALERTS.name}")
    operator.isonomy("simulate", "healthy", "--kafka", "--battles", "200", "--arena", "played")
    assert "nothing to send" in operator.isonomy("dead-letters", "redrive", "--yes").stdout
    assert process.stop() == 0
    for secret in (*PASSWORDS.values(), *map(password_of, REDIS)):
        assert secret not in process.log() + gateway.log()
    assert [entry for entry in administrator.acl_log() if entry["reason"] != "auth"] == []


def test_a_gap_stops_a_worker_until_an_operator_accepts_it_each_with_its_own_rights(
    over_both: As, administrator: Redis
) -> None:
    operator, worker = over_both("operator"), over_both("worker")
    operator.isonomy("topics")
    first = worker.worker("first", "intake,ratings").start().wait_ready()
    produce(worker, "before")
    counted(worker, administrator, len(VOTES))
    assert first.stop() == 0
    gone_before = produce(worker, "gone")
    with admin(worker.bootstrap) as client:  # the administrator's listener
        client.delete_records(gone_before)
    second = worker.worker("second", "intake,ratings").start()
    eventually(lambda: "are gone that were never counted" in second.log(), deadline=60)
    assert "votes/0" in operator.isonomy("intake", "show").stdout
    for at, offset in gone_before.items():
        operator.isonomy("intake", "accept-gap", f"votes/{at.partition}", "--up-to", str(offset), "--yes")
    second.wait_ready()
    produce(worker, "after")
    counted(worker, administrator, 2 * len(VOTES))
    assert second.stop() == 0


def produce(pipeline: Pipeline, prefix: str) -> dict[TopicPartition, int]:
    """Send the votes under ids of their own; returns where each partition ends."""
    pipeline.produce([{**vote, "id": f"{prefix}-{vote['id']}", "tstamp": time.time()} for vote in VOTES])
    topic = pipeline.settings.kafka.topic("votes")
    ends: dict[TopicPartition, int] = {}
    for record in pipeline.topic("votes"):
        at = TopicPartition(topic, record.partition)
        ends[at] = max(ends.get(at, 0), record.offset + 1)
    return ends


def may_subscribe(board: httpx.Client, secret: str, kafka: SecuredKafka, alerts: str) -> None:
    """A subscription is made, and an alert tried on it: board and herald write what they have to."""
    headers = {"Authorization": f"Bearer {secret}"}
    nobody = {"name": "nobody", "channel": {"type": "webhook", "url": "http://127.0.0.1:1/"}}
    made = board.post("/v1/subscriptions", json=nobody, headers=headers)
    assert made.status_code == 201, made.text
    alert = make_alert()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)  # as the administrator
    producer.send(alerts, key=alert.fingerprint.encode(), value=encode_alert(alert)).get(timeout=30)
    producer.close()
    place = f"{made.headers['location']}/deliveries"
    assert eventually(lambda: board.get(place, headers=headers).json()["deliveries"], deadline=30)


def gateway_of(pipeline: Pipeline, topic_prefix: str, directory: Path) -> GatewayProcess:
    environ = {**pipeline.environ, "KAFKA_BOOTSTRAP_SERVERS": pipeline.environment["KAFKA_BOOTSTRAP_SERVERS"]}
    servers = environ.pop("KAFKA_BOOTSTRAP_SERVERS")
    return gateway_process(servers, topic_prefix, directory, **environ)


@pytest.mark.parametrize(
    "command",
    [["worker"], ["gateway"], ["topics"], ["dead-letters", "list"], ["replay", "votes.jsonl"]],
    ids=lambda command: command[0],
)
def test_a_password_that_kafka_does_not_take_ends_a_process_with_a_sentence(
    over_both: As, tmp_path: Path, command: list[str]
) -> None:
    votes = tmp_path / "votes.jsonl"
    votes.write_text(json.dumps({**VOTES[0], "tstamp": 1.0}) + "\n")
    stranger = over_both("operator", "not the password")
    said = refused(stranger, *(str(votes) if word == "votes.jsonl" else word for word in command))
    assert "rejects operator" in said


def test_what_a_user_may_not_see_does_not_exist_for_it(over_both: As) -> None:
    over_both("operator").isonomy("topics")
    assert "does not exist" in refused(over_both("gateway"), "dead-letters", "list")


def test_a_certificate_serves_in_place_of_a_password(
    kafka: SecuredKafka, authority: Authority, topic_prefix: str, tmp_path: Path
) -> None:
    environ = kafka.certified(authority.certificate(CERTIFIED))
    operator = Pipeline(kafka.bootstrap, "redis://localhost:1/0", topic_prefix, "unused", tmp_path, environ)
    operator.isonomy("topics")
    operator.isonomy("topics", "--check")
    (tmp_path / "other").mkdir()
    operator.environ = {**environ, "KAFKA_CA_FILE": str(Authority(tmp_path / "other").file)}
    assert "TLS failed with Kafka" in refused(operator, "topics")
