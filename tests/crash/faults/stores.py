"""Faults of Redis: killed, flushed, full, restored to an older state, replaced by Valkey."""

from __future__ import annotations

import time
from pathlib import Path

from services.local.redis import RedisServer, valkey_binary
from tests.crash.faults.catalogue import Need, fault, mends
from tests.crash.scene import Scene


@fault("redis_killed", "kill -9 of Redis; it is back, and empty, after 3 s", seconds=3.0)
def _redis_killed(scene: Scene) -> None:
    scene.redis_server.kill()
    scene.log.say("kill -9 Redis")
    scene.watch(3.0)
    scene.redis_server.start()


@fault("redis_flushed", "FLUSHALL")
def _redis_flushed(scene: Scene) -> None:
    scene.flush()


@fault("redis_full", "for 10 s Redis has no room left (maxmemory, noeviction)", seconds=10.0)
def _redis_full(scene: Scene) -> None:
    with scene.redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
        scene.log.say("Redis is full")
        try:
            scene.watch(10.0)
        finally:
            client.config_set("maxmemory", "0")


@fault("redis_older", "Redis comes back with what it was 8 s ago, as after a failover that lost writes", seconds=10.0)
def _redis_older(scene: Scene) -> None:
    with scene.redis.client() as client:
        before = client.lastsave()
        time.sleep(1.0)  # LASTSAVE counts whole seconds
        client.bgsave()
        scene.watch_until(lambda: client.lastsave() > before, 10.0)
    scene.watch(8.0)
    scene.redis_server.kill()
    scene.redis_server.start()
    (scene.redis_server.directory / "dump.rdb").unlink()  # otherwise a later start would load it
    scene.log.say("Redis is back with an older state")


@fault("valkey", "Valkey takes Redis' place, empty, on the same port", need=Need.VALKEY, seconds=1.0)
def _valkey(scene: Scene) -> None:
    _replace(scene.redis_server, valkey_binary())
    scene.log.say("Valkey is in Redis' place")


@mends("valkey")
def _redis_again(scene: Scene) -> None:
    _replace(scene.redis_server, None)


def _replace(server: RedisServer, binary: Path | None) -> None:
    server.terminate()
    server.binary = binary
    server.start()
