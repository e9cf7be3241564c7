#!/usr/bin/env bash
# redis-py 8.1.0: Redis() tries a lost connection eleven times, Redis.from_url() with the same address once.
#
# Versions: redis 8.1.0.
#
# The retries are a default of the client's constructor, which hands them to the pool that it builds. from_url() and
# Redis(connection_pool=ConnectionPool(...)) build the pool first, and the pool's own default is none. So moving an
# address from arguments into a URL, for TLS or a password say, silently turns a client that rides out four seconds of
# a restarting Redis into one that fails at the first closed connection. It is the same in redis.asyncio.
#
# The script counts the connections that one PING makes to a listener on loopback that accepts and closes.
#
# Seen:
#   Redis(host, port): 11 connections, then ConnectionError
#   Redis.from_url(url): 1 connections, then ConnectionError
#   Redis(connection_pool=ConnectionPool(host, port)): 1 connections, then ConnectionError
#   asyncio Redis(host, port): 11 connections, then ConnectionError
#   asyncio Redis.from_url(url): 1 connections, then ConnectionError
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0

cat > "$work/look.py" <<'PYTHON'
import asyncio
import socket
import threading

import redis
import redis.asyncio


class ClosingListener:
    """Accepts, counts and closes."""

    def __init__(self):
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = {"host": "127.0.0.1", "port": self.socket.getsockname()[1]}
        self.url = "redis://{host}:{port}".format(**self.address)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            accepted, _ = self.socket.accept()
            self.connections += 1
            accepted.close()


def report(name, listener, error):
    print(f"{name}: {listener.connections} connections, then {type(error).__name__}")


for name, make in {
    "Redis(host, port)": lambda at: redis.Redis(**at.address),
    "Redis.from_url(url)": lambda at: redis.Redis.from_url(at.url),
    "Redis(connection_pool=ConnectionPool(host, port))": lambda at: redis.Redis(
        connection_pool=redis.ConnectionPool(**at.address)
    ),
}.items():
    listener = ClosingListener()
    try:
        make(listener).ping()
    except redis.ConnectionError as error:
        report(name, listener, error)


async def ping(client):
    async with client:
        await client.ping()


for name, make in {
    "asyncio Redis(host, port)": lambda at: redis.asyncio.Redis(**at.address),
    "asyncio Redis.from_url(url)": lambda at: redis.asyncio.Redis.from_url(at.url),
}.items():
    listener = ClosingListener()
    try:
        asyncio.run(ping(make(listener)))
    except redis.ConnectionError as error:
        report(name, listener, error)
PYTHON

timeout 90 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
Redis(host, port): 11 connections, then ConnectionError
Redis.from_url(url): 1 connections, then ConnectionError
Redis(connection_pool=ConnectionPool(host, port)): 1 connections, then ConnectionError
asyncio Redis(host, port): 11 connections, then ConnectionError
asyncio Redis.from_url(url): 1 connections, then ConnectionError
EXPECTED
