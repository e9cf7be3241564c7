"""Options of the Kafka and Redis clients: contradictions are refused in a sentence, and no secret is shown."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.producer.sender import Sender
from redis import SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from rich.pretty import pretty_repr

from streams.contracts.connect import (
    COMMAND,
    FOLDING,
    FOLLOWING,
    KNOCK,
    Patience,
    aiokafka_options,
    async_redis_client,
    check_connections,
    close_kafka_python,
    faust_credentials,
    kafka_python_options,
    redis_client,
    redis_options,
)
from streams.contracts.setting_groups import KafkaSettings, RedisSettings
from streams.contracts.settings import InvalidSetting, Settings
from tests.support.certificates import Authority

SECRET = "s3cr3t-of-nobody"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def password(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    return str(path)


def refused(**environ: str) -> str:
    with pytest.raises(InvalidSetting) as error:
        check_connections(Settings.from_env(environ))
    assert SECRET not in str(error.value)
    return str(error.value)


SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_USERNAME": "me",
    "KAFKA_PASSWORD_FILE": "password",
}


@pytest.mark.parametrize("missing", ["KAFKA_SASL_MECHANISM", "KAFKA_USERNAME", "KAFKA_PASSWORD_FILE"])
def test_sasl_needs_a_mechanism_a_name_and_a_password(missing: str) -> None:
    said = refused(**{name: value for name, value in SASL.items() if name != missing})
    assert said == f"KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT needs {missing}"


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize("variable", ["KAFKA_SASL_MECHANISM", "KAFKA_USERNAME", "KAFKA_PASSWORD_FILE"])
def test_a_name_without_sasl_is_refused_and_not_ignored(security: str, variable: str) -> None:
    said = refused(KAFKA_SECURITY_PROTOCOL=security, **{variable: SASL[variable]})
    assert said.startswith(f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}")


@pytest.mark.parametrize("variable", ["KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE"])
def test_a_certificate_without_tls_is_refused_and_not_ignored(variable: str) -> None:
    assert refused(**{variable: "x.pem"}).startswith(f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL=PLAINTEXT")


@pytest.mark.parametrize("whose", ["KAFKA", "REDIS"])
@pytest.mark.parametrize(("given", "missing"), [("KEY", "CERTIFICATE"), ("CERTIFICATE", "KEY")])
def test_half_a_certificate_is_refused(whose: str, given: str, missing: str) -> None:
    tls = {"KAFKA_SECURITY_PROTOCOL": "SSL", "REDIS_URL": "rediss://localhost/0"}
    assert refused(**tls, **{f"{whose}_{given}_FILE": "x"}) == f"{whose}_{given}_FILE needs {whose}_{missing}_FILE"


@pytest.mark.parametrize("variable", ["REDIS_CA_FILE", "REDIS_CERTIFICATE_FILE", "REDIS_KEY_FILE"])
def test_a_certificate_for_a_plain_redis_is_refused(variable: str) -> None:
    assert refused(**{variable: "x"}).startswith(f"{variable} is of no use")


def test_a_redis_user_needs_a_password_and_no_second_one() -> None:
    assert refused(REDIS_USERNAME="me") == "REDIS_USERNAME needs REDIS_PASSWORD_FILE"
    inline = f"redis://me:{SECRET}@localhost/0"
    assert "REDIS_URL names a user" in refused(REDIS_URL=inline, REDIS_USERNAME="me")
    assert "REDIS_URL holds a password" in refused(REDIS_URL=inline, REDIS_PASSWORD_FILE="x")
    assert refused(REDIS_URL=f"http://:{SECRET}@x").startswith("REDIS_URL must begin with redis://")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file or directory"), (b"", "one line"), (b"a\nb\n", "one line"), (b"\xff\xfe", "not UTF-8")],
)
def test_a_password_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    sentence = refused(**{**SASL, "KAFKA_PASSWORD_FILE": str(path)})
    assert sentence.startswith(f"KAFKA_PASSWORD_FILE={str(path)!r}")
    assert said in sentence
    sentence = refused(REDIS_PASSWORD_FILE=str(path))
    assert sentence.startswith(f"REDIS_PASSWORD_FILE={str(path)!r}")
    assert said in sentence


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path, authority: Authority) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    tls = {"KAFKA_SECURITY_PROTOCOL": "SSL"}
    assert refused(**tls, KAFKA_CA_FILE=str(tmp_path / "gone")).endswith("gone': No such file or directory")
    assert refused(**tls, KAFKA_CA_FILE=str(rubbish)).startswith(f"KAFKA_CA_FILE={str(rubbish)!r}: ")
    mine, other = authority.certificate("mine"), authority.certificate("other")
    said = refused(**tls, KAFKA_CERTIFICATE_FILE=str(mine.certificate), KAFKA_KEY_FILE=str(other.key))
    assert "KAFKA_KEY_FILE" in said
    locked = tmp_path / "locked.pem"
    subprocess.run(["openssl", "ec", "-in", mine.key, "-out", locked, "-aes256", "-passout", "pass:x"], check=True)
    said = refused(
        REDIS_URL="rediss://localhost/0",
        REDIS_CERTIFICATE_FILE=str(mine.certificate),
        REDIS_KEY_FILE=str(locked),
    )
    assert "without a passphrase" in said


def test_nothing_given_is_a_plain_connection() -> None:
    settings = Settings(kafka=KafkaSettings(bootstrap="a:1,b:2"))
    assert aiokafka_options(settings.kafka) == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}
    assert kafka_python_options(settings.kafka) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }
    assert faust_credentials(settings.kafka) is None
    assert redis_options(settings.redis) == {"url": "redis://localhost:6379/0"}


def test_all_clients_are_told_the_same(authority: Authority, password: str) -> None:
    mine = authority.certificate("mine")
    settings = Settings.from_env(
        {
            **SASL,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_PASSWORD_FILE": password,
            "KAFKA_CA_FILE": str(authority.file),
            "KAFKA_CERTIFICATE_FILE": str(mine.certificate),
            "KAFKA_KEY_FILE": str(mine.key),
        }
    )
    for options in (aiokafka_options(settings.kafka), kafka_python_options(settings.kafka)):
        assert options["security_protocol"] == "SASL_SSL"
        assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-512", "me")
        assert options["sasl_plain_password"] == SECRET
        context = options["ssl_context"]
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert len(context.get_ca_certs()) == 1
    credentials = faust_credentials(settings.kafka)
    assert isinstance(credentials, SASLCredentials)
    assert (credentials.username, credentials.password, credentials.mechanism.value) == ("me", SECRET, "SCRAM-SHA-512")
    assert credentials.protocol.value == "SASL_SSL"
    assert SECRET not in repr(settings) + repr(credentials)


def test_tls_alone_is_told_to_faust_too(authority: Authority) -> None:
    settings = Settings.from_env({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": str(authority.file)})
    assert isinstance(faust_credentials(settings.kafka), SSLCredentials)


def test_redis_is_told_who_we_are_and_whom_to_trust(authority: Authority, password: str) -> None:
    settings = Settings.from_env(
        {
            "REDIS_URL": "rediss://cache.example:6380/0",
            "REDIS_USERNAME": "me",
            "REDIS_PASSWORD_FILE": password,
            "REDIS_CA_FILE": str(authority.file),
        }
    )
    options = redis_options(settings.redis)
    assert (options["username"], options["password"]) == ("me", SECRET)
    assert options["ssl_ca_certs"] == str(authority.file)
    assert options["ssl_cert_reqs"] == "required"
    assert options["ssl_check_hostname"]


@pytest.mark.parametrize(
    "servers", ["kafka:", "kafka:http", "kafka:99999", "kafka:0", ":9092", "a:9092,,b:9092", "[::1"]
)
def test_kafka_servers_that_cannot_be_reached_by_anybody_are_refused_in_a_sentence(servers: str) -> None:
    with pytest.raises(InvalidSetting, match="must be host:port, several of them separated by commas"):
        check_connections(Settings.from_env({"KAFKA_BOOTSTRAP_SERVERS": servers}))


@pytest.mark.parametrize("servers", ["kafka", "kafka:9092", "a:9092, b:9093", "[::1]:9092", "::1"])
def test_kafka_servers_as_the_clients_read_them_are_taken(servers: str) -> None:
    check_connections(Settings.from_env({"KAFKA_BOOTSTRAP_SERVERS": servers}))


@pytest.mark.parametrize("url", ["redis://host:99999/0", "redis://:s3#cret@host/0", "redis://host/0?socket_timeout=s3"])
def test_a_redis_url_that_cannot_be_read_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^REDIS_URL cannot be read: ") as refused:
        check_connections(Settings.from_env({"REDIS_URL": url}))
    assert "s3" not in str(refused.value)


def test_a_password_in_a_url_is_not_shown() -> None:
    settings = Settings(redis=RedisSettings(url=f"redis://me:{SECRET}@cache.example:6379/0?x={SECRET}"))
    assert settings.redis.place == "redis://cache.example:6379/0"
    assert SECRET not in repr(settings)
    assert SECRET not in pretty_repr(settings)
    assert SECRET not in RedisSettings(url=f"redis://:a/{SECRET}@x/0").place


# --- Sentinels --------------------------------------------------------------------------------------------------------


def test_sentinels_are_named_in_the_url_with_the_user_of_redis_itself(tmp_path: Path) -> None:
    secret = tmp_path / "sentinel"
    secret.write_text("of the sentinels\n")
    url = f"redis+sentinel://me:{SECRET}%40@a.example:5000,[::1]:5001,c.example/main/3"
    settings = Settings.from_env({"REDIS_URL": url, "REDIS_SENTINEL_PASSWORD_FILE": str(secret)})
    check_connections(settings)
    pool = redis_client(settings.redis, FOLDING).connection_pool
    told = pool.connection_kwargs
    assert (told["username"], told["password"], told["db"]) == ("me", f"{SECRET}@", 3)
    assert pool.service_name == "main"
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in asked] == [
        ("a.example", 5000),
        ("::1", 5001),
        ("c.example", 26379),
    ]
    assert {each["password"] for each in asked} == {"of the sentinels"}
    assert SECRET not in settings.redis.place + repr(settings)


def test_encrypted_sentinels_and_their_master_are_told_whom_to_trust(authority: Authority) -> None:
    settings = Settings.from_env(
        {"REDIS_URL": "rediss+sentinel://a.example/main", "REDIS_CA_FILE": str(authority.file)}
    )
    pool = redis_client(settings.redis, FOLDING).connection_pool
    (sentinel,) = pool.sentinel_manager.sentinels
    for each in (pool, sentinel.connection_pool):
        assert each.connection_kwargs["ssl_ca_certs"] == str(authority.file)
        assert each.connection_kwargs["ssl_check_hostname"]
        assert issubclass(each.connection_class, SSLConnection)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+sentinel://a.example:5000", "must end with /service or /service/database-number"),
        ("redis+sentinel://a.example/main/first", "must end with /service or /service/database-number"),
        ("redis+sentinel://a.example:port/main", "names a Sentinel 'a.example:port', which is not host:port"),
        ("redis+sentinel://a.example,/main", "names a Sentinel '', which is not host:port"),
    ],
)
def test_a_url_of_sentinels_that_cannot_be_used_is_refused_in_a_sentence(url: str, said: str) -> None:
    assert refused(REDIS_URL=url) == f"REDIS_URL {'with Sentinels ' if 'must' in said else ''}{said}"


def test_a_password_for_sentinels_without_sentinels_is_refused() -> None:
    assert refused(REDIS_SENTINEL_PASSWORD_FILE="x").startswith("REDIS_SENTINEL_PASSWORD_FILE is of no use")


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hanging_up() -> Iterator[tuple[str, list[int]]]:
    """A server that takes connections and closes them, and counts them."""
    counted: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                counted.append(1)
                connection.close()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", counted
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


USES = [(FOLDING, 1), (FOLLOWING, 1), (KNOCK, 1), (COMMAND, 4)]


@pytest.mark.parametrize(("patience", "connections"), USES)
def test_a_client_tries_as_often_as_its_use_says(
    hanging_up: tuple[str, list[int]], patience: Patience, connections: int
) -> None:
    url, counted = hanging_up
    with redis_client(RedisSettings(url=url), patience) as redis, pytest.raises((RedisConnectionError, OSError)):
        redis.get("x")
    assert len(counted) == connections


@pytest.mark.parametrize(("patience", "connections"), USES)
async def test_a_client_for_asyncio_tries_as_often_as_its_use_says(
    hanging_up: tuple[str, list[int]], patience: Patience, connections: int
) -> None:
    url, counted = hanging_up
    async with async_redis_client(RedisSettings(url=url), patience) as redis:
        with pytest.raises((RedisConnectionError, OSError)):
            await redis.get("x")
    assert len(counted) == connections


@pytest.mark.parametrize("patience", [FOLDING, FOLLOWING, COMMAND, KNOCK])
def test_no_client_waits_for_ever(patience: Patience) -> None:
    for url in ("redis://localhost", "redis+sentinel://localhost/main"):
        for make in (redis_client, async_redis_client):
            told = make(RedisSettings(url=url), patience).connection_pool.connection_kwargs
            assert 0 < told["socket_connect_timeout"] <= 5
            assert 0 < told["socket_timeout"] <= 5


class HoldsARecord:
    """A kafka-python producer that still waits for an acknowledgement until its sender is forced to close."""

    def __init__(self) -> None:
        self.forced = self.closed = False
        self._sender = SimpleNamespace(force_close=self._force)

    def _force(self) -> None:
        self.forced = True

    def close(self, timeout: float) -> None:
        if not self.forced:
            raise KafkaTimeoutError("Timeout waiting for future")
        self.closed = True


def test_a_producer_of_kafka_python_is_closed_with_what_it_holds() -> None:
    producer = HoldsARecord()
    close_kafka_python(producer, 0.1)  # what is used of one
    assert producer.closed
    assert {"force_close"} <= set(dir(Sender)), "under another name nothing would be forced"
    assert "_sender" in KafkaProducer.close.__code__.co_names
