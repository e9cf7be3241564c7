"""What it means that Redis is away, and how the cause is told."""

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
"""Redis cannot be reached, or it answers that it will not: wait, say it, try again.

Every refusal is a state of the server (full, a replica, loading, without its disk, a cluster, a user who lacks a
right), and mends there. Ending the process would bring the next one before the same server, and take down stages that
need no Redis. What redis-py raises of its own accord (`DataError`, `WatchError`) is a mistake of ours, and not here.
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
        """Say it: the beginning of a sentence."""
        return _WORDS[self]

    @property
    def of_its_role(self) -> bool:
        """Whether it is so because this server is not the master, or not any more: the address may lead elsewhere."""
        return self in (Away.READ_ONLY, Away.LOADING, Away.REPLICAS, Away.CLUSTER)


_WORDS = {
    Away.UNREACHABLE: "Redis is away",
    Away.FULL: "Redis is full: it has reached its maxmemory and takes no writes",
    Away.READ_ONLY: "Redis is a replica, which takes no writes",
    Away.LOADING: "Redis is loading its data",
    Away.DISK: "Redis cannot save to its disk and takes no writes",
    Away.REPLICAS: "Redis has too few replicas and takes no writes",
    Away.CLUSTER: "Redis is a Redis Cluster, which is not supported",
    Away.REFUSED: "Redis does not let us in, or does not let us do this",
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
"""Codes that redis-py has no class for, or that come within the text: Redis 6.2 wraps what a script met in its own."""
_CODE = re.compile(r"(?:^|-|error: )(" + "|".join(_CODES) + r")\b")


def cause_of(error: Exception) -> Away:
    """Tell why Redis is away.

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
    """Whether a key holds a value of a kind that nobody of us writes: waiting does not help, writing it again does.

    >>> is_foreign(ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"))
    True
    """
    return "WRONGTYPE" in str(error)
