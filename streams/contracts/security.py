"""Authentication and TLS options of Kafka and Redis. Pure."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

SENTINEL = ("redis+sentinel", "rediss+sentinel")
"""Schemes of a REDIS_URL that names Sentinels, which report the master's address."""
REDIS_TLS = ("rediss", "rediss+sentinel")
"""Schemes of a REDIS_URL for an encrypted connection."""


class KafkaSecurity(StrEnum):
    """Security protocol of a connection to Kafka, by Kafka's own names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def sasl(self) -> bool:
        """Whether the client sends a user name and a password."""
        return self.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted and the broker's certificate checked."""
        return self.endswith("SSL")


class SaslMechanism(StrEnum):
    """How the client proves its user name and password."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def split_redis(url: str) -> tuple[SplitResult, list[str]]:
    """Split a Redis URL; with several Sentinels the URL holds the first one, and the list all of them.

    `urlsplit` rejects a list of hosts that contains an IPv6 address (Python 3.11.2). Raises `ValueError`.

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
    """Return a URL without user name and password, for display.

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
