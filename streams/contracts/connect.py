"""Connection options of the Kafka and Redis clients: the only place where secrets and certificates are read.

Files are read only when a client is created: restart a process to use a new password or certificate.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from streams.contracts.redis_away import REDIS_AWAY, cause_of
from streams.contracts.security import REDIS_TLS, SENTINEL, split_redis
from streams.contracts.setting_groups import LAST_PORT, KafkaSettings, RedisSettings
from streams.contracts.settings import InvalidSetting, Settings
from streams.contracts.unpack import bound_aiokafka, bound_kafka_python

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT
    from kafka import KafkaProducer
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

logger = logging.getLogger(__name__)

_SCHEMES = ("redis://", "rediss://", "unix://", *(f"{scheme}://" for scheme in SENTINEL))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a Redis client waits, in seconds, and how often it retries by itself.

    Each use sets it explicitly: redis-py's defaults depend on how the client is created (`Redis()` retries 3 times in
    version 6 and 10 times in version 8, `Redis.from_url()` never) and wait forever before version 8.
    """

    connect: float
    answer: float
    retries: int = 0


FOLDING = Patience(connect=5.0, answer=5.0)
"""A fold. Its writes are safe to repeat: they are fenced and write whole values, and a repeated claim is a later claim.

But the stage itself retries every half second, reports it, and folds on in between. A client that retried by itself
would silently block the loop, and with it rebalances, for as long as Redis is down.
"""
FOLLOWING = Patience(connect=2.0, answer=5.0)
"""The board. A retry would hide that the subscription was interrupted and messages were lost."""
COMMAND = Patience(connect=5.0, answer=5.0, retries=3)
"""An interactive command. It does only what may be done twice, and outlasts a restart of Redis."""
KNOCK = Patience(connect=5.0, answer=5.0)
"""The access check at the start of a process. Other code waits for a Redis that is down."""

RETRY_FIRST, RETRY_LONGEST = 0.25, 1.0
"""First and longest pause between a command's retries, seconds; each is twice the one before."""
SENTINEL_SECONDS = 1.0
"""Longest wait for a Sentinel, before the next one is asked."""
SENTINEL_PORT = 26379


def check_connections(settings: Settings) -> None:
    """Read every file once.

    Raises
    ------
    InvalidSetting
        When one cannot be used; the sentence names its variable and path, never its content.
    """
    aiokafka_options(settings.kafka)
    _check_servers(settings.kafka.bootstrap)
    options = redis_options(settings.redis)
    if _has_sentinels(settings.redis):
        _ask_sentinels(settings.redis, options)


def _check_servers(servers: str) -> None:
    from aiokafka.conn import collect_hosts

    try:
        fits = all(host and 0 < port <= LAST_PORT for host, port, _ in collect_hosts(servers, randomize=False))
    except ValueError:
        fits = False
    if not fits:
        raise InvalidSetting(
            f"KAFKA_BOOTSTRAP_SERVERS={servers!r}: must be host:port, several of them separated by commas"
        )


def aiokafka_options(settings: KafkaSettings) -> dict[str, object]:
    """Return the options of an aiokafka client, which then creates no topics and decompresses up to a bound."""
    _have_no_topic_created()
    bound_aiokafka()
    return {"bootstrap_servers": settings.bootstrap, **_kafka(settings)}


def kafka_python_options(settings: KafkaSettings) -> dict[str, object]:
    """Return the options of a kafka-python client, with the same limits as aiokafka's."""
    _have_no_topic_created()
    bound_kafka_python()
    return {"bootstrap_servers": settings.bootstrap.split(","), **_kafka(settings)}


def close_kafka_python(producer: KafkaProducer, seconds: float) -> None:
    """Close a kafka-python producer within about twice `seconds`; records not sent by then are dropped.

    Its own `close` (3.0.12) waits for them first and, on timeout, raises `KafkaTimeoutError` and leaves producer and
    thread open, then tries once more when it is garbage-collected.
    """
    from kafka.errors import KafkaTimeoutError

    try:
        producer.close(timeout=seconds)
    except KafkaTimeoutError:
        logger.warning("a producer is closed with records that Kafka has not acknowledged")
        producer._sender.force_close()  # ends the wait; no public method does
        try:
            producer.close(timeout=seconds)
        except KafkaTimeoutError:
            logger.warning("a producer that does not close is left to end by itself")


def faust_credentials(settings: KafkaSettings) -> CredentialsT | None:
    """Return Faust's `broker_credentials`; None on a plain connection. Its clients create no topics."""
    from faust.auth import SASLCredentials, SSLCredentials

    _have_no_topic_created()
    security = settings.security
    context = _kafka_context(settings) if security.tls else None
    if security.sasl:
        return SASLCredentials(
            username=settings.username,
            password=_read_secret("KAFKA_PASSWORD_FILE", settings.password_file),
            mechanism=None if settings.sasl is None else settings.sasl.value,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def redis_client(settings: RedisSettings, patience: Patience, **options: object) -> Redis:
    """Make a blocking Redis client; `options` are redis-py's, such as `decode_responses`.

    Raises
    ------
    InvalidSetting
        As `redis_options`.
    """
    from redis import Redis
    from redis.backoff import ExponentialBackoff
    from redis.retry import Retry
    from redis.sentinel import Sentinel

    backoff = ExponentialBackoff(base=RETRY_FIRST, cap=RETRY_LONGEST)
    waiting = {"socket_connect_timeout": patience.connect, "socket_timeout": patience.answer}
    given = redis_options(settings) | waiting | {"retry": Retry(backoff, patience.retries)} | options
    url = given.pop("url", None)
    if isinstance(url, str):
        return Redis.from_url(url, **given)
    sentinels, service, asking = _ask_sentinels(settings, given)
    asking["retry"] = Retry(backoff, 0)  # the next Sentinel is asked instead
    source = Sentinel(sentinels, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    master: Redis = source.master_for(service, **given)  # type: ignore[no-untyped-call]
    return master


def async_redis_client(settings: RedisSettings, patience: Patience, **options: object) -> AsyncRedis:
    """Make an asyncio Redis client; see `redis_client`."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel
    from redis.backoff import ExponentialBackoff

    backoff = ExponentialBackoff(base=RETRY_FIRST, cap=RETRY_LONGEST)
    waiting = {"socket_connect_timeout": patience.connect, "socket_timeout": patience.answer}
    given: dict[str, Any] = redis_options(settings) | waiting | {"retry": Retry(backoff, patience.retries)} | options
    url = given.pop("url", None)
    if isinstance(url, str):
        return Redis.from_url(url, **given)
    sentinels, service, asking = _ask_sentinels(settings, given)
    asking["retry"] = Retry(backoff, 0)
    source = Sentinel(sentinels, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    master: AsyncRedis = source.master_for(service, **given)
    return master


async def close_in_time(close: Callable[[], Awaitable[None]], seconds: float) -> bool:
    """Close a Kafka client by its own method, ignoring errors; return whether it closed cleanly.

    With the brokers down or frozen that method may wait forever, or raise a CancelledError although its task was not
    cancelled. Either would hide the error for which the client is closed, or silently end its owner's task.
    """
    closing = asyncio.ensure_future(close())
    await asyncio.wait([closing], timeout=seconds)
    name = type(getattr(close, "__self__", close)).__name__
    if not closing.done():
        closing.cancel()
        logger.warning("%s did not close within %.0f s", name, seconds)
        return False
    error = None if closing.cancelled() else closing.exception()
    if closing.cancelled() or error is not None:
        logger.warning("%s did not close cleanly: %r", name, error)
        return False
    return True


async def resolve_anew(redis: AsyncRedis, error: Exception) -> None:
    """Disconnect, so that the next try resolves the address again, when a server answered that is not the master.

    redis-py keeps a connection that got an answer, even one that the server accepts no writes. After a failover behind
    a DNS name or a load balancer, the old master may continue as a replica, and the client would never leave it. With
    Sentinels redis-py asks again by itself, but only for errors that it recognises by their first word.
    """
    if not cause_of(error).of_its_role:
        return
    try:
        await redis.connection_pool.disconnect(inuse_connections=False)
    except REDIS_AWAY as late:
        logger.info("a connection to a Redis that is not the master did not close in time and is abandoned: %s", late)


def redis_options(settings: RedisSettings) -> dict[str, object]:
    """Return the options of a Redis client, sync or async: `url` for `Redis.from_url`, or `db` behind Sentinels.

    Raises
    ------
    InvalidSetting
        When the URL or a file cannot be used.
    """
    url = settings.url
    if not url.startswith(_SCHEMES):
        raise InvalidSetting(
            "REDIS_URL must begin with redis://, rediss:// or unix://, or name Sentinels: "
            "redis+sentinel://host:port,host:port/service"
        )
    if _has_sentinels(settings):
        options = _behind_sentinels(settings)
    else:
        _check_redis_url(url)
        options = {"url": url}
    if settings.username:
        options["username"] = settings.username
    if settings.password_file is not None:
        options["password"] = _read_secret("REDIS_PASSWORD_FILE", settings.password_file)
    return options | _redis_tls(settings)


def _check_redis_url(url: str) -> None:
    """Check the URL with redis-py, but hide its error message, which may contain a part of the password."""
    from redis.connection import parse_url

    try:
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:
        raise InvalidSetting(
            "REDIS_URL cannot be read: it must be redis://user:password@host:port/database, "
            "with all characters of a password except letters and digits percent-encoded"
        ) from None


def _redis_tls(settings: RedisSettings) -> dict[str, object]:
    if not settings.url.startswith(tuple(f"{scheme}://" for scheme in REDIS_TLS)):
        return {}
    files = (settings.ca_file, settings.certificate_file, settings.key_file)
    _context("REDIS", *files)  # report errors now and in a sentence, not at the first connection
    authority, certificate, key = (None if path is None else str(path) for path in files)
    options: dict[str, object] = {
        "ssl_ca_certs": authority,
        "ssl_certfile": certificate,
        "ssl_keyfile": key,
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
    }
    return options | {"ssl": True} if _has_sentinels(settings) else options


def _has_sentinels(settings: RedisSettings) -> bool:
    return settings.url.partition("://")[0] in SENTINEL


def _behind_sentinels(settings: RedisSettings) -> dict[str, object]:
    """Return the options for the master itself, from a URL that names Sentinels."""
    url, _ = split_redis(settings.url)
    _, database = _service(settings)
    options: dict[str, object] = {"db": database}
    if url.username:
        options["username"] = unquote(url.username)
    if url.password:
        options["password"] = unquote(url.password)
    return options


def _have_no_topic_created() -> None:
    """Patch all clients of this process so that their metadata requests create no topics.

    A broker creates a topic that a client names, with settings that lose data, unless the request forbids it
    (`auto.create.topics.enable` is true by default). aiokafka can send such a request but has no setting for it;
    kafka-python has one, `allow_auto_create_topics`, but ignores it (3.0.12).
    """
    import aiokafka.client
    from aiokafka.protocol.metadata import MetadataRequest
    from kafka.cluster import ClusterMetadata

    aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
    ClusterMetadata.DEFAULT_CONFIG["allow_auto_create_topics"] = False


def _ask_sentinels(
    settings: RedisSettings, given: dict[str, object]
) -> tuple[list[tuple[str, int]], str, dict[str, object]]:
    """Return the Sentinels' addresses, the service name, and the options of the connections to the Sentinels.

    Those use the same certificates as Redis and a password of their own.
    """
    sentinels = []
    for place in split_redis(settings.url)[1]:
        try:
            found = urlsplit(f"//{place}")
            host, port = found.hostname, found.port
        except ValueError:
            host = port = None
        if not host:
            raise InvalidSetting(f"REDIS_URL names a Sentinel {place!r}, which is not host:port")
        sentinels.append((host, port or SENTINEL_PORT))
    options = {name: value for name, value in given.items() if name.startswith("ssl")}
    options |= {"socket_connect_timeout": SENTINEL_SECONDS, "socket_timeout": SENTINEL_SECONDS}
    if settings.sentinel_password_file is not None:
        options["password"] = _read_secret("REDIS_SENTINEL_PASSWORD_FILE", settings.sentinel_password_file)
    return sentinels, _service(settings)[0], options


def _service(settings: RedisSettings) -> tuple[str, int]:
    """Return the name of the service and the number of the database."""
    service, _, database = unquote(split_redis(settings.url)[0].path.strip("/")).partition("/")
    if not service or (database and not database.isdecimal()):
        raise InvalidSetting("REDIS_URL with Sentinels must end with /service or /service/database-number")
    return service, int(database or 0)


def _kafka(settings: KafkaSettings) -> dict[str, object]:
    security = settings.security
    options: dict[str, object] = {"security_protocol": security.value}
    if security.tls:
        options["ssl_context"] = _kafka_context(settings)
    if security.sasl and settings.sasl is not None:
        options |= {
            "sasl_mechanism": settings.sasl.value,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": _read_secret("KAFKA_PASSWORD_FILE", settings.password_file),
        }
    return options


def _kafka_context(settings: KafkaSettings) -> ssl.SSLContext:
    return _context("KAFKA", settings.ca_file, settings.certificate_file, settings.key_file)


def _context(whose: str, authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Make a TLS context that trusts an authority (by default the system's) and presents a certificate, if any."""
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(f"{whose}_CA_FILE={str(authority)!r}: {_why(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        try:
            context.load_cert_chain(certificate, key, password="")  # without it OpenSSL would prompt at the terminal
        except (OSError, ssl.SSLError, ValueError) as error:
            places = f"{whose}_CERTIFICATE_FILE={str(certificate)!r}, {whose}_KEY_FILE={str(key)!r}"
            raise InvalidSetting(f"{places}: {_why(error)} (PEM, the key without a passphrase)") from None
    return context


def _read_secret(variable: str, path: Path | None) -> str:
    """Read a password: the file's text without trailing line ends."""
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
