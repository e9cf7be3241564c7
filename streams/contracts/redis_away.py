"""Errors that mean that Redis is unavailable, and their causes."""

from __future__ import annotations

import re
from enum import StrEnum

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

REDIS_AWAY = (RedisConnectionError, RedisTimeoutError, ResponseError, InvalidResponse, OSError)
"""Errors when Redis cannot be reached or refuses a command: report it, wait, and retry.

Every refusal is a state of the server (full, a replica, loading, without its disk, a cluster, a user without
permission), and must be repaired there. Ending the process would only make its successor meet the same server, and
would stop stages that need no Redis. Errors that redis-py raises by itself (`DataError`, `WatchError`) are bugs of ours
and not listed here.
"""


class Away(StrEnum):
    """Why Redis is away: the label `cause` of `isonomy_redis_away`."""

    UNREACHABLE = "unreachable"
    FULL = "full"
    READ_ONLY = "read_only"
    LOADING = "loading"
    DISK = "disk"
    REPLICAS = "replicas"
    CLUSTER = "cluster"
    REFUSED = "refused"
    BUSY = "busy"
    OTHER = "other"

    @property
    def words(self) -> str:
        """The cause in words, as the beginning of a sentence."""
        return _WORDS[self]

    @property
    def of_its_role(self) -> bool:
        """Whether the server is not, or no longer, the master: the address may lead to another server by now."""
        return self in (Away.READ_ONLY, Away.LOADING, Away.REPLICAS, Away.CLUSTER)


_WORDS = {
    Away.UNREACHABLE: "Redis is away",
    Away.FULL: "Redis is full: it has reached its maxmemory and takes no writes",
    Away.READ_ONLY: "Redis is a replica, which takes no writes",
    Away.LOADING: "Redis is loading its data",
    Away.DISK: "Redis cannot save to its disk and takes no writes",
    Away.REPLICAS: "Redis has too few replicas and takes no writes",
    Away.CLUSTER: "Redis is a Redis Cluster, which is not supported",
    Away.REFUSED: "Redis rejects the credentials or forbids the command",
    Away.BUSY: "Redis is busy with a script",
    Away.OTHER: "Redis answers with an error",
}
_CLASSES: tuple[tuple[type[Exception], Away], ...] = (
    (OutOfMemoryError, Away.FULL),
    (ReadOnlyError, Away.READ_ONLY),
    (BusyLoadingError, Away.LOADING),
    (MasterDownError, Away.LOADING),
    (AskError, Away.CLUSTER),  # MovedError is one
    (ClusterDownError, Away.CLUSTER),
    (ClusterCrossSlotError, Away.CLUSTER),
    (TryAgainError, Away.CLUSTER),
    (AuthenticationError, Away.REFUSED),
    (NoPermissionError, Away.REFUSED),
)
"""redis-py's own classes, the narrower before the wider."""
_CODES = {
    "OOM": Away.FULL,
    "READONLY": Away.READ_ONLY,
    "MISCONF": Away.DISK,
    "NOREPLICAS": Away.REPLICAS,
    "BUSY": Away.BUSY,
    "NOPERM": Away.REFUSED,
}
"""Codes without a redis-py class, or inside the message: Redis 6.2 wraps a script's error in one of its own."""
_CODE = re.compile(r"(?:^|-|error: )(" + "|".join(_CODES) + r")\b")


def cause_of(error: Exception) -> Away:
    """Return why Redis is unavailable.

    >>> cause_of(ResponseError("Error running script (call to f_1): @user_script: 2: -OOM command not allowed")).value
    'full'
    >>> cause_of(ResponseError("MISCONF Redis is configured to save RDB snapshots")).value
    'disk'
    """
    for kind, cause in _CLASSES:
        if isinstance(error, kind):
            return cause
    if not isinstance(error, ResponseError):
        return Away.UNREACHABLE
    found = _CODE.search(str(error))
    return Away.OTHER if found is None else _CODES[found[1]]


def is_foreign(error: ResponseError) -> bool:
    """Whether a key holds a value of a foreign type: overwriting it helps, waiting does not.

    >>> is_foreign(ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"))
    True
    """
    return "WRONGTYPE" in str(error)
