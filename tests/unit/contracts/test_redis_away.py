"""What counts as Redis being away, and the reported cause: each reply is one that a real server gave."""

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    DataError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.contracts.redis_away import REDIS_AWAY, Away, cause_of

IN_A_SCRIPT = "Error running script (call to f_dbfe): @user_script:2: @user_script: 2: "
SAID = [
    (RedisConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), Away.UNREACHABLE),
    (RedisTimeoutError("Timeout reading from 127.0.0.1:1"), Away.UNREACHABLE),
    (OSError("Network is unreachable"), Away.UNREACHABLE),
    (BusyLoadingError("Redis is loading the dataset in memory"), Away.LOADING),
    (MasterDownError("Link with MASTER is down and replica-serve-stale-data is set to 'no'."), Away.LOADING),
    (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Away.FULL),
    (ResponseError(IN_A_SCRIPT + "-OOM command not allowed when used memory > 'maxmemory'."), Away.FULL),
    (ReadOnlyError("You can't write against a read only replica."), Away.READ_ONLY),
    (ResponseError(IN_A_SCRIPT + "-READONLY You can't write against a read only replica."), Away.READ_ONLY),
    (ResponseError("MISCONF Redis is configured to save RDB snapshots, but it's unable to persist"), Away.DISK),
    (ResponseError("Command # 1 (DEL x) of pipeline caused error: MISCONF Redis is configured to"), Away.DISK),
    (ResponseError("NOREPLICAS Not enough good replicas to write."), Away.REPLICAS),
    (MovedError("12182 127.0.0.1:7002"), Away.CLUSTER),
    (ClusterDownError("Hash slot not served"), Away.CLUSTER),
    (ClusterCrossSlotError("Keys in request don't hash to the same slot"), Away.CLUSTER),
    (AuthenticationError("invalid username-password pair or user is disabled."), Away.REFUSED),
    (NoPermissionError("this user has no permissions to run the 'evalsha' command"), Away.REFUSED),
    (ResponseError(IN_A_SCRIPT + "-NOPERM this user has no permissions to run the 'set' command"), Away.REFUSED),
    (ResponseError("BUSY Redis is busy running a script."), Away.BUSY),
    (ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), Away.OTHER),
]


@pytest.mark.parametrize(("error", "cause"), SAID, ids=lambda value: str(value)[:40])
def test_each_state_of_the_server_is_waited_for_and_has_its_cause(error: Exception, cause: Away) -> None:
    assert isinstance(error, REDIS_AWAY)
    assert cause_of(error) is cause


def test_every_cause_is_told_in_words_of_its_own_and_is_reached_by_some_answer() -> None:
    assert len({cause.words for cause in Away}) == len(Away)
    assert {cause for _, cause in SAID} == set(Away)


@pytest.mark.parametrize("error", [DataError("Invalid input of type: 'dict'"), WatchError("x"), RedisError("x")])
def test_a_mistake_of_ours_is_not_waited_for(error: Exception) -> None:
    assert not isinstance(error, REDIS_AWAY)
