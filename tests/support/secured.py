"""A Kafka and a Redis with authentication, and with exactly the grants of `streams.contracts.access`."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services.local.ports import HOST, free_port
from services.local.redis import PROGRAM, RedisServer, system_binary
from streams.contracts.access import KAFKA, redis_users
from tests.support.certificates import Authority, Pair
from tests.support.eventually import eventually
from tests.support.fork_server import ForkedProcess
from tests.support.http import PLAIN
from tests.support.kafka_node import KafkaNode
from tests.support.pipeline import REPOSITORY, Pipeline

MECHANISM = "SCRAM-SHA-512"
CERTIFIED = "certified"
"""User with a client certificate instead of a password, and with the operator's grants."""
PASSWORDS = {name: f"{name}'s pass word" for name in KAFKA}


class SecuredKafka(KafkaNode):
    """Apache Kafka with a SASL_SSL and an SSL listener; the plain listener is for the administrator."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__(directory)
        self.authority = authority
        self._pair = authority.certificate("kafka")
        self.sasl_port, self.ssl_port = free_port(), free_port()

    def environment(self, user: str, password_file: Path) -> dict[str, str]:
        """Settings of a process that logs in as a user."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{self.sasl_port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": MECHANISM,
            "KAFKA_USERNAME": user,
            "KAFKA_PASSWORD_FILE": str(password_file),
            "KAFKA_CA_FILE": str(self.authority.file),
        }

    def certified(self, pair: Pair) -> dict[str, str]:
        """Settings of a process that logs in with a certificate."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{self.ssl_port}",
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_CA_FILE": str(self.authority.file),
            "KAFKA_CERTIFICATE_FILE": str(pair.certificate),
            "KAFKA_KEY_FILE": str(pair.key),
        }

    def admit(self, topic_prefix: str) -> None:
        """Create the users, each with its grants under a prefix."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.alter_user_scram_credentials(
                [
                    UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password)
                    for name, password in PASSWORDS.items()
                ]
            )
            admin.create_acls(list(_acls(topic_prefix)))
        finally:
            admin.close()

    def _write_settings(self) -> Path:
        path = super()._write_settings()
        lines = dict(line.split("=", 1) for line in path.read_text().splitlines())
        lines["listeners"] += f",SECURED://{HOST}:{self.sasl_port},CERTIFIED://{HOST}:{self.ssl_port}"
        lines["advertised.listeners"] += f",SECURED://localhost:{self.sasl_port},CERTIFIED://localhost:{self.ssl_port}"
        lines["listener.security.protocol.map"] += ",SECURED:SASL_SSL,CERTIFIED:SSL"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        lines |= {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # clients of the plain listener: the broker itself, and the test
            "sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.secured.{MECHANISM.lower()}.sasl.jaas.config": scram,
            "listener.name.certified.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._pair.chain),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
        }
        path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        return path


def _acls(prefix: str) -> Iterator[ACL]:
    kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
    principals = {name: f"User:{name}" for name in KAFKA} | {CERTIFIED: f"User:CN={CERTIFIED}"}
    for name, principal in principals.items():
        for grant in KAFKA["operator" if name == CERTIFIED else name]:
            how = ACLResourcePatternType.LITERAL if grant.name else ACLResourcePatternType.PREFIXED
            pattern = ResourcePattern(kinds[grant.resource], prefix + grant.name, how)
            for operation in grant.operations:
                kind = ACLOperation["".join(f"_{c}" if c.isupper() else c for c in operation).strip("_").upper()]
                yield ACL(principal, "*", kind, ACLPermissionType.ALLOW, pattern)


class SecuredRedis(RedisServer):
    """A Redis with TLS only and without a default user."""

    def __init__(self, directory: Path, authority: Authority, prefix: str) -> None:
        super().__init__(directory, binary=system_binary(PROGRAM))  # the wheels of Valkey have no TLS
        self.authority, self.prefix = authority, prefix
        self._pair = authority.certificate("redis")

    def argv(self) -> list[str]:
        """The command: the plain port is closed, and users are in a file."""
        users = self.directory / "users.acl"
        command = super().argv()
        users.write_text(
            "user default off\n"
            + "user admin on nopass allkeys allchannels +@all\n"
            + "".join(f"user {name} on >{password_of(name)} {rules}\n" for name, rules in redis_users(self.prefix))
        )
        port = command.index("--port")
        command[port + 1] = "0"
        tls = ["--tls-port", str(self.port), "--tls-cert-file", str(self._pair.certificate)]
        tls += ["--tls-key-file", str(self._pair.key), "--tls-ca-cert-file", str(self.authority.file)]
        return [*command, *tls, "--tls-auth-clients", "no", "--aclfile", str(users)]

    def answers(self) -> bool:
        """Whether the port accepts connections; TLS is not checked here."""
        with socket.create_connection((HOST, self.port), 2.0):
            return True

    def environment(self, user: str, password_file: Path) -> dict[str, str]:
        """Settings of a process that logs in as a user."""
        return {
            "REDIS_URL": f"rediss://localhost:{self.port}/0",
            "REDIS_USERNAME": user,
            "REDIS_PASSWORD_FILE": str(password_file),
            "REDIS_CA_FILE": str(self.authority.file),
            "ISONOMY_REDIS_PREFIX": self.prefix,
        }


def password_of(user: str) -> str:
    """A Redis user's password, without spaces, which the ACL file does not allow."""
    return f"redis-{user}-password"


def written(directory: Path, name: str, secret: str) -> Path:
    """A file that holds a secret."""
    path = directory / name
    path.write_text(secret + "\n")
    return path


@contextmanager
def served(pipeline: Pipeline, process: str, **environ: str) -> Iterator[httpx.Client]:
    """Run `isonomy board` or `isonomy herald` and yield a client once it is ready."""
    port = free_port()
    argv = [sys.executable, "-m", "services.cli.main", process, "--port", str(port)]
    log = pipeline.directory / f"{process}.log"
    with ForkedProcess(process, argv, log_path=log, env={**pipeline.environment, **environ}, cwd=REPOSITORY) as child:
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=10, **PLAIN) as client:

            def ready() -> bool:
                assert child.alive, child.log_tail(30)
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            eventually(ready, deadline=60)
            yield client
        child.terminate()
        assert child.poll() == 0, child.log_tail(30)
