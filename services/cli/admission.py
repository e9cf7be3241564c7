"""Check, before a process starts, that Kafka and Redis admit it; a wrong password ends it with one sentence.

If a server is away, processes wait for it. If it refuses the login, waiting does not help, so the process exits.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping

from services.cli.errors import UserError
from streams.contracts.connect import aiokafka_options
from streams.contracts.security import KafkaSecurity
from streams.contracts.setting_groups import KafkaSettings, RedisSettings

log = logging.getLogger(__name__)

WITHIN = 5.0


def require_codecs() -> None:
    """Require the codecs' library: without it, readable records would become dead letters as unreadable.

    Raises `UserError` if it is missing.
    """
    from aiokafka import codec

    if not (codec.has_snappy() and codec.has_lz4() and codec.has_zstd()):
        raise UserError(
            "cramjam cannot be imported, so votes in snappy, lz4 or zstd could not be read: "
            "install the packages in deploy/runtime.lock"
        )


def require_kafka(settings: KafkaSettings) -> None:
    """Log in once. Raises `UserError` if Kafka refuses the client, or the client refuses Kafka's certificate."""
    if settings.security is KafkaSecurity.PLAINTEXT:
        return  # without login and TLS there is nothing to refuse
    away = reach_kafka(settings)
    if away is not None:
        log.info("Kafka is away: %s", away)


def reach_kafka(settings: KafkaSettings) -> str | None:
    """Log in once; return why Kafka is away, None if it answers.

    Raises `UserError` if Kafka refuses the client, or the client refuses Kafka's certificate.
    """
    chatty = logging.getLogger("aiokafka")
    level = chatty.level
    chatty.setLevel(logging.CRITICAL)  # it would log the same error over several lines
    try:
        return asyncio.run(_log_in(settings))
    finally:
        chatty.setLevel(level)


async def _log_in(settings: KafkaSettings) -> str | None:
    from aiokafka.conn import collect_hosts, create_conn
    from aiokafka.errors import AuthenticationFailedError, IllegalSaslStateError, KafkaError
    from aiokafka.errors import SaslAuthenticationFailed as WrongPassword
    from aiokafka.errors import UnsupportedSaslMechanismError as WrongMechanism

    options = aiokafka_options(settings)
    away = []
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            async with asyncio.timeout(WITHIN):
                connection = await create_conn(host, port, **options)
        except ssl.SSLError as error:
            raise UserError(f"TLS failed with Kafka at {server}: {reason_of(error)}") from None
        except WrongMechanism:
            raise UserError(f"Kafka at {server} does not support the mechanism {settings.sasl}") from None
        except (WrongPassword, AuthenticationFailedError, IllegalSaslStateError):
            raise UserError(
                f"Kafka at {server} rejects {settings.username}: wrong user name, password or mechanism"
            ) from None
        except (KafkaError, OSError, TimeoutError) as error:
            away.append(f"{server}: {error or type(error).__name__}")
        else:
            connection.close()
            return None
    return "; ".join(away)


def require_redis(settings: RedisSettings) -> None:
    """Log in once, and check what kind of Redis it is.

    Raises
    ------
    UserError
        When Redis refuses the client, or is unusable: wrong password, no TLS, a Redis Cluster.
    """
    from redis.exceptions import NoPermissionError, RedisError

    from streams.contracts.connect import KNOCK, redis_client
    from streams.contracts.redis_away import Away, cause_of

    redis = redis_client(settings, KNOCK)
    place = settings.place
    try:
        redis.ping()
        _look_at(redis.info(), place)
    except (RedisError, OSError) as error:
        cause = cause_of(error)
        tls = next((cause for cause in (error.__cause__, error.__context__) if isinstance(cause, ssl.SSLError)), None)
        if tls is not None:
            raise UserError(f"TLS failed with Redis at {place}: {reason_of(tls)}") from None
        if isinstance(error, NoPermissionError):
            log.info("the kind of Redis at %s is unknown: %s", place, error)
        elif cause in (Away.REFUSED, Away.OTHER):
            raise UserError(f"Redis at {place} rejects {settings.username or 'the default user'}: {error}") from None
        else:
            log.info("%s (%s): %s", cause.words, place, error)
    finally:
        redis.close()


def _look_at(info: Mapping[str, object], place: str) -> None:
    """Refuse a Redis that cannot work, and warn about one that loses data; `info` is the reply to INFO."""
    if info.get("cluster_enabled") == 1:
        raise UserError(
            f"Redis at {place} is a Redis Cluster, which is not supported: "
            "use a Redis with one master, or its Sentinels (redis+sentinel://)"
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory", 0) and policy != "noeviction":
        log.warning(
            "Redis at %s has maxmemory-policy %s: when it is full, boards and states vanish one by one; "
            "set noeviction; then it refuses writes instead and the workers wait",
            place,
            policy,
        )


def reason_of(error: ssl.SSLError) -> str:
    """Return OpenSSL's description of the error."""
    return getattr(error, "verify_message", "") or str(error.reason or error).lower().replace("_", " ")
