"""What each client must be told to reach Kafka and Redis: the only place where secrets and certificates are read.

Files are read when a client is made, and not again: a process that shall use a new password or certificate is started
again.
"""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.contracts.settings import InvalidSetting, Settings

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

_SCHEMES = ("redis://", "rediss://", "unix://")


def check_connections(settings: Settings) -> None:
    """Read every file once.

    Raises
    ------
    InvalidSetting
        When one cannot be used; the sentence names its variable and place, never what is in it.
    """
    aiokafka_options(settings)
    redis_options(settings)


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """Give what an aiokafka client needs to reach Kafka, its servers included. It has no topic created."""
    _have_no_topic_created()
    return {"bootstrap_servers": settings.kafka, **_kafka(settings)}


def kafka_python_options(settings: Settings) -> dict[str, Any]:
    """Give what a kafka-python client needs to reach Kafka, its servers included. It has no topic created."""
    _have_no_topic_created()
    return {"bootstrap_servers": settings.kafka.split(","), **_kafka(settings)}


def faust_credentials(settings: Settings) -> CredentialsT | None:
    """Give Faust's `broker_credentials`; None on a plain connection. Its clients have no topic created."""
    from faust.auth import SASLCredentials, SSLCredentials

    _have_no_topic_created()
    security = settings.kafka_security
    context = _kafka_context(settings) if security.tls else None
    if security.sasl:
        return SASLCredentials(
            username=settings.kafka_username,
            password=_read_secret("KAFKA_PASSWORD_FILE", settings.kafka_password_file),
            mechanism=None if settings.kafka_sasl is None else settings.kafka_sasl.value,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def redis_options(settings: Settings) -> dict[str, Any]:
    """Give what `Redis.from_url` needs, sync or async, the URL included."""
    url = settings.redis_url
    if not url.startswith(_SCHEMES):
        raise InvalidSetting("REDIS_URL must begin with redis://, rediss:// or unix://")
    options: dict[str, Any] = {"url": url}
    if settings.redis_username:
        options["username"] = settings.redis_username
    if settings.redis_password_file is not None:
        options["password"] = _read_secret("REDIS_PASSWORD_FILE", settings.redis_password_file)
    if url.startswith("rediss://"):
        files = (settings.redis_ca_file, settings.redis_certificate_file, settings.redis_key_file)
        _context("REDIS", *files)  # told now and in a sentence, not at the first connection
        authority, certificate, key = (None if path is None else str(path) for path in files)
        options |= {
            "ssl_ca_certs": authority,
            "ssl_certfile": certificate,
            "ssl_keyfile": key,
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }
    return options


def _have_no_topic_created() -> None:
    """Have all clients of this process ask for topics without having them created.

    A broker creates a topic that a client names, with settings that lose data, unless the request says otherwise
    (`auto.create.topics.enable` is true by default). aiokafka can say so, and has no setting for it; kafka-python has
    one, `allow_auto_create_topics`, and does not heed it (3.0.12).
    """
    import aiokafka.client
    from aiokafka.protocol.metadata import MetadataRequest
    from kafka.cluster import ClusterMetadata

    aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
    ClusterMetadata.DEFAULT_CONFIG["allow_auto_create_topics"] = False


def _kafka(settings: Settings) -> dict[str, Any]:
    security = settings.kafka_security
    options: dict[str, Any] = {"security_protocol": security.value}
    if security.tls:
        options["ssl_context"] = _kafka_context(settings)
    if security.sasl and settings.kafka_sasl is not None:
        options |= {
            "sasl_mechanism": settings.kafka_sasl.value,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": _read_secret("KAFKA_PASSWORD_FILE", settings.kafka_password_file),
        }
    return options


def _kafka_context(settings: Settings) -> ssl.SSLContext:
    return _context("KAFKA", settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file)


def _context(whose: str, authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Trust an authority (the system's, if none is named) and show a certificate, if there is one."""
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(f"{whose}_CA_FILE={str(authority)!r}: {_why(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        try:
            context.load_cert_chain(certificate, key, password="")  # or OpenSSL asks for one at the terminal
        except (OSError, ssl.SSLError, ValueError) as error:
            places = f"{whose}_CERTIFICATE_FILE={str(certificate)!r}, {whose}_KEY_FILE={str(key)!r}"
            raise InvalidSetting(f"{places}: {_why(error)} (PEM, the key without a passphrase)") from None
    return context


def _read_secret(variable: str, path: Path | None) -> str:
    """Read a password: the file's text without the line ends after it."""
    if path is None:
        raise InvalidSetting(f"{variable} is needed")
    try:
        secret = path.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InvalidSetting(f"{variable}={str(path)!r}: not UTF-8") from None
    except OSError as error:
        raise InvalidSetting(f"{variable}={str(path)!r}: {_why(error)}") from None
    if not secret or "\n" in secret:
        raise InvalidSetting(f"{variable}={str(path)!r}: must hold one line, the password")
    return secret


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
