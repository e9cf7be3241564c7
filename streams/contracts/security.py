"""How Kafka and Redis know us and we know them: the choices there are, and which of them exclude each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from streams.contracts.settings import Settings

SENTINEL = ("redis+sentinel", "rediss+sentinel")
"""Schemes of a REDIS_URL that names Sentinels, which know where Redis is."""
REDIS_TLS = ("rediss", "rediss+sentinel")
"""Schemes of a REDIS_URL that is encrypted."""


class KafkaSecurity(StrEnum):
    """What a connection to Kafka is, by Kafka's own names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def sasl(self) -> bool:
        """Whether we give a name and a password."""
        return self.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted and the broker's certificate checked."""
        return self.endswith("SSL")


class SaslMechanism(StrEnum):
    """How a name and a password are given."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def contradictions(settings: Settings) -> Iterator[str]:
    """Say what cannot go together, a sentence each, naming variables and never what a secret is."""
    yield from _of_kafka(settings)
    yield from _of_redis(settings)


def _of_kafka(settings: Settings) -> Iterator[str]:
    security = settings.kafka_security
    who = {
        "KAFKA_SASL_MECHANISM": settings.kafka_sasl,
        "KAFKA_USERNAME": settings.kafka_username,
        "KAFKA_PASSWORD_FILE": settings.kafka_password_file,
    }
    certificates = {
        "KAFKA_CA_FILE": settings.kafka_ca_file,
        "KAFKA_CERTIFICATE_FILE": settings.kafka_certificate_file,
        "KAFKA_KEY_FILE": settings.kafka_key_file,
    }
    for variable, value in who.items():
        if security.sasl and not value:
            yield f"KAFKA_SECURITY_PROTOCOL={security} needs {variable}"
        if value and not security.sasl:
            yield f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}: say SASL_SSL, or leave it out"
    for variable, value in certificates.items():
        if value and not security.tls:
            yield f"{variable} is of no use with KAFKA_SECURITY_PROTOCOL={security}: say SSL or SASL_SSL"
    yield from _halves("KAFKA", settings.kafka_certificate_file, settings.kafka_key_file)


def _of_redis(settings: Settings) -> Iterator[str]:
    try:
        url, _ = split_redis(settings.redis_url)
        named, known = bool(url.username), url.password is not None
    except ValueError:  # told when it is used; its text may hold a password
        return
    certificates = {
        "REDIS_CA_FILE": settings.redis_ca_file,
        "REDIS_CERTIFICATE_FILE": settings.redis_certificate_file,
        "REDIS_KEY_FILE": settings.redis_key_file,
    }
    for variable, value in certificates.items():
        if value and url.scheme not in REDIS_TLS:
            yield f"{variable} is of no use with a REDIS_URL that does not begin with rediss:// or rediss+sentinel://"
    if settings.redis_sentinel_password_file and url.scheme not in SENTINEL:
        yield "REDIS_SENTINEL_PASSWORD_FILE is of no use with a REDIS_URL that names no Sentinels"
    if settings.redis_username and named:
        yield "REDIS_USERNAME is given, and REDIS_URL names a user, too"
    if settings.redis_password_file and known:
        yield "REDIS_PASSWORD_FILE is given, and REDIS_URL holds a password, too"
    if settings.redis_username and not (settings.redis_password_file or known):
        yield "REDIS_USERNAME needs REDIS_PASSWORD_FILE"
    yield from _halves("REDIS", settings.redis_certificate_file, settings.redis_key_file)


def _halves(whose: str, certificate: Path | None, key: Path | None) -> Iterator[str]:
    if bool(certificate) != bool(key):
        given, missing = ("CERTIFICATE", "KEY") if certificate else ("KEY", "CERTIFICATE")
        yield f"{whose}_{given}_FILE needs {whose}_{missing}_FILE"


def split_redis(url: str) -> tuple[SplitResult, list[str]]:
    """Split a URL of Redis; of several Sentinels the first stands in it, and all of them beside it.

    `urlsplit` takes no list of hosts that has an IPv6 address in it (Python 3.11.2). Raises `ValueError`.

    >>> url, hosts = split_redis("redis+sentinel://me@a.example:1,[::1]:2/main")
    >>> url.username, url.path, hosts
    ('me', '/main', ['a.example:1', '[::1]:2'])
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in SENTINEL:
        return urlsplit(url), []
    place, slash, path = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    listed = [host.strip() for host in hosts.split(",")]
    return urlsplit(f"{scheme}://{user}{at}{listed[0]}{slash}{path}"), listed


def without_secrets(url: str) -> str:
    """Return a URL as it may be shown: without name and password.

    >>> without_secrets("rediss://me:secret@cache.example:6380/0"), without_secrets("redis://localhost:6379/0")
    ('rediss://cache.example:6380/0', 'redis://localhost:6379/0')
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url.rpartition("@")[2]
    place, slash, path = rest.partition("/")
    if "@" in path:  # a password with a slash in it
        return f"{scheme}://{rest.rpartition('@')[2]}"
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
