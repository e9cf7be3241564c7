"""Authentication and TLS of Kafka and Redis: the choices there are. Pure."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

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
