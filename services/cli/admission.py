"""Whether Kafka and Redis let us in, asked before a process begins: a wrong password ends it with a sentence.

A server that is away is no reason to end: processes wait for it. One that refuses us would refuse us for ever.
"""

from __future__ import annotations

import asyncio
import logging
import ssl

from services.cli.errors import UserError
from streams.contracts.connect import aiokafka_options, redis_options
from streams.contracts.security import KafkaSecurity
from streams.contracts.settings import Settings

log = logging.getLogger(__name__)

WITHIN = 5.0


def require_kafka(settings: Settings) -> None:
    """Log in once. Raises `UserError` when Kafka refuses us, or we it."""
    if settings.kafka_security is KafkaSecurity.PLAINTEXT:
        return  # nothing is said that could be refused
    away = reach_kafka(settings)
    if away is not None:
        log.info("Kafka is away: %s", away)


def reach_kafka(settings: Settings) -> str | None:
    """Log in once, and say why Kafka is away; None when it answers.

    Raises `UserError` when Kafka refuses us, or we it.
    """
    chatty = logging.getLogger("aiokafka")
    level = chatty.level
    chatty.setLevel(logging.CRITICAL)  # it would say the same, over several lines
    try:
        return asyncio.run(_log_in(settings))
    finally:
        chatty.setLevel(level)


async def _log_in(settings: Settings) -> str | None:
    from aiokafka.conn import create_conn
    from aiokafka.errors import AuthenticationFailedError, IllegalSaslStateError, KafkaError
    from aiokafka.errors import SaslAuthenticationFailed as WrongPassword
    from aiokafka.errors import UnsupportedSaslMechanismError as WrongMechanism

    options = aiokafka_options(settings)
    away = []
    for server in options.pop("bootstrap_servers").split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(WITHIN):
                connection = await create_conn(host.strip("[]"), int(port), **options)
        except ssl.SSLError as error:
            raise UserError(f"no TLS with Kafka at {server}: {reason_of(error)}") from None
        except WrongMechanism:
            raise UserError(f"Kafka at {server} does not take the mechanism {settings.kafka_sasl}") from None
        except (WrongPassword, AuthenticationFailedError, IllegalSaslStateError):
            raise UserError(
                f"Kafka at {server} does not let {settings.kafka_username} in: wrong name, password or mechanism"
            ) from None
        except (KafkaError, OSError, TimeoutError) as error:
            away.append(f"{server}: {error or type(error).__name__}")
        else:
            connection.close()
            return None
    return "; ".join(away)


def require_redis(settings: Settings) -> None:
    """Log in once. Raises `UserError` when Redis refuses us, or we it."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import AuthenticationError, RedisError, ResponseError
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)
    redis = Redis.from_url(
        **redis_options(settings), socket_timeout=WITHIN, socket_connect_timeout=WITHIN, retry=once, retry_on_error=[]
    )
    place = settings.redis_place
    try:
        redis.ping()
    except (AuthenticationError, ResponseError) as error:
        raise UserError(f"Redis at {place} does not let {settings.redis_username or 'us'} in: {error}") from None
    except (RedisError, OSError) as error:
        tls = next((cause for cause in (error.__cause__, error.__context__) if isinstance(cause, ssl.SSLError)), None)
        if tls is not None:
            raise UserError(f"no TLS with Redis at {place}: {reason_of(tls)}") from None
        log.info("Redis at %s is away: %s", place, error)
    finally:
        redis.close()


def reason_of(error: ssl.SSLError) -> str:
    """Say what is wrong in the words of OpenSSL."""
    return getattr(error, "verify_message", "") or str(error.reason or error).lower().replace("_", " ")
